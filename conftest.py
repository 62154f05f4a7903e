"""Tests and examples of the documentation run toy networks eagerly."""

from __future__ import annotations

import pytest


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Set TensorFlow up before each test that finds it loaded."""
    from eager import run_toys_eagerly  # in tests/, which pytest puts on the path

    run_toys_eagerly(toy="slow" not in item.keywords)
