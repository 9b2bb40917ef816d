"""Fixtures: one whole service for the session, and light ones without workers."""

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
import structlog

from api.serve import service
from captcha_solver.cli.demo import drawn
from captcha_solver.types import Sample
from tests.api.services import MINE, NO_LIMIT, OTHERS, Live, Served, client, free_port, served
from workers.logs import set_up_logs
from workers.redis_server import find_server
from workers.settings import Settings

Light = Callable[..., Served]


@pytest.fixture(scope="session", autouse=True)
def quiet_logs() -> Iterator[None]:
    set_up_logs(logging.CRITICAL)
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def server_program() -> str:
    return find_server()


@pytest.fixture(scope="session")
def live(server_program: str) -> Iterator[Live]:
    settings = Settings(
        port=free_port(),
        workers=1,
        audit_workers=0,
        api_keys=(MINE, OTHERS),
        rate=NO_LIMIT,
        max_jobs=100_000,
        max_audits=100_000,
    )
    with (
        service(settings, quiet=True) as running,
        client(running.url) as mine,
        client(running.url, OTHERS) as others,
    ):
        yield Live(running, mine, others)


@pytest.fixture
def light(server_program: str) -> Iterator[Light]:
    """Make a light service; settings as they are given: ``light(max_jobs=1)``."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(served(Settings(**settings)))


@pytest.fixture(scope="session")
def samples() -> list[Sample]:
    """Images that the shipped models read, with their texts."""
    return drawn("plain", range(6), 0)
