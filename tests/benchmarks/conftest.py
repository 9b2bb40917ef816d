"""Redis, for the benchmarks that need it."""

import pytest

from captcha_solver.errors import SetupError
from workers.redis_server import find_server


@pytest.fixture
def server() -> str:
    """The path of a Redis server; without one the test is skipped."""
    try:
        return find_server()
    except SetupError as error:
        pytest.skip(str(error))
