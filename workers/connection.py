"""Connections to Redis that wait out a short absence of the server."""

from typing import Any, TypeAlias

from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.retry import Retry

from captcha_solver.errors import SetupError

# redis-py types each reply for every protocol, decoding and version at once, so that none can be used without a cast;
# here replies are bytes, always, and the tests run against a real server.
Client: TypeAlias = Any
Pipe: TypeAlias = Any

OLDEST = (6, 2)
CONNECT_S, ANSWER_S = 3.0, 15.0
RETRIES, FIRST_WAIT_S, LONGEST_WAIT_S = 6, 0.05, 1.0


def connect(url: str, *, retries: int = RETRIES, answer_s: float = ANSWER_S) -> Client:
    """A client of the server at ``url``. What it sends may be sent twice: all that this project sends may be."""
    return Redis.from_url(
        url,
        socket_connect_timeout=CONNECT_S,
        socket_timeout=answer_s,
        health_check_interval=15,
        retry=Retry(ExponentialBackoff(LONGEST_WAIT_S, FIRST_WAIT_S), retries),
        retry_on_error=[RedisConnectionError],
    )


def check_server(redis: Client) -> str:
    """The server's version; ``SetupError`` where it does not answer or is too old."""
    try:
        version = str(redis.info("server")["redis_version"])
    except RedisError as error:
        raise SetupError(f"expected a Redis server that answers, received: {error}") from error
    if tuple(map(int, version.split(".")[:2])) < OLDEST:
        raise SetupError(f"expected Redis 6.2 or newer, received {version}")
    return version
