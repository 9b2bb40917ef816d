"""A client of Redis waits out a short absence; servers that will not do are named."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from captcha_solver.errors import SetupError
from workers.connection import Client, check_server, connect
from workers.redis_server import PrivateRedis


class Told:
    """Says that its version is ``version``."""

    def __init__(self, version: str) -> None:
        self._version = version

    def info(self, section: str) -> dict[str, str]:
        return {"redis_version": self._version}


@pytest.mark.redis
def test_a_server_that_will_do(redis: Client) -> None:
    assert check_server(redis) == redis.info("server")["redis_version"]


@pytest.mark.parametrize("version", ["6.2.0", "6.10.1", "7.4.2", "10.0.0"])
def test_versions_that_will_do(version: str) -> None:
    assert check_server(Told(version)) == version


@pytest.mark.parametrize("version", ["6.0.16", "5.0.7", "2.8.24"])
def test_versions_that_are_too_old(version: str) -> None:
    with pytest.raises(SetupError, match=f"expected Redis 6.2 or newer, received {version}"):
        check_server(Told(version))


def test_no_server(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"expected a Redis server that answers, received: .*none\.sock"):
        check_server(connect(f"unix://{tmp_path}/none.sock", retries=0))


@pytest.mark.redis
def test_a_short_absence_is_waited_out(program: str) -> None:
    with PrivateRedis(program=program) as server, ThreadPoolExecutor() as pool:
        client = connect(server.url)
        client.set("key", "value")
        server.kill()
        with pytest.raises(RedisConnectionError):
            connect(server.url, retries=0).ping()
        asked = pool.submit(client.get, "key")  # while nobody is there
        server.start()
        assert asked.result(30) == b"value"
        client.close()
