"""Notebook 05 needs a Redis server and Java: it runs with the tests on them, `make test-scale`."""

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the cells of notebook 05."""
    for item in items:
        if item.path.name.startswith("05"):
            item.add_marker(pytest.mark.redis)
            item.add_marker(pytest.mark.spark)
