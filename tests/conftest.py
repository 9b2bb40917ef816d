"""Tests come in random order, but for modules whose tests follow on each other."""

from itertools import groupby

import pytest


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of modules marked ``in_order`` back as they stand in their file, after pytest-randomly."""
    ordered: list[pytest.Item] = []
    for _, group in groupby(items, lambda item: item.path):
        tests = list(group)
        if tests[0].get_closest_marker("in_order"):
            tests.sort(key=lambda item: item.reportinfo()[1] or 0)
        ordered += tests
    items[:] = ordered
