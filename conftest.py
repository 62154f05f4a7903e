"""Tests and examples of the documentation run toy networks eagerly; notebook 05 needs Redis and Java."""

from __future__ import annotations

import pytest


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Set TensorFlow up before each test that finds it loaded."""
    from eager import run_toys_eagerly  # in tests/, which pytest puts on the path

    run_toys_eagerly(toy="slow" not in item.keywords)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the cells of notebook 05, which runs with `make test-scale`."""
    for item in items:
        if item.path.match("notebooks/05*"):
            item.add_marker(pytest.mark.redis)
            item.add_marker(pytest.mark.spark)
