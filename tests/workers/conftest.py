"""A private Redis for all tests of a run, clean for each test."""

from collections.abc import Iterator

import pytest

from tests.workers.some_jobs import LIMITS, TIMEOUT_S
from workers.connection import Client, connect
from workers.jobs.store import Store
from workers.queue import ChunkQueue
from workers.redis_server import PrivateRedis, find_server


@pytest.fixture(scope="session")
def program() -> str:
    """Path of a Redis server; the lock brings one, so that no test that needs it is ever skipped."""
    return find_server()


@pytest.fixture(scope="session")
def server(program: str) -> Iterator[PrivateRedis]:
    with PrivateRedis(program=program) as running:
        yield running


@pytest.fixture
def redis(server: PrivateRedis) -> Iterator[Client]:
    client = connect(server.url)
    client.flushall()
    yield client
    client.close()


@pytest.fixture
def queue(redis: Client) -> ChunkQueue:
    return ChunkQueue("captcha", redis, TIMEOUT_S)


@pytest.fixture
def store(redis: Client, queue: ChunkQueue) -> Store:
    return Store(redis, queue, **LIMITS)
