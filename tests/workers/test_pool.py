"""Processes are kept alive: the dead replaced, the living drained, none left."""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.workers.some_jobs import until
from workers import pool as pools
from workers.pool import Pool

# Notes its pid, then waits to be told to stop; it takes a moment to end, as one that ends a chunk does.
WAITS = """
import os, signal, sys, time
def stop(signum, frame):
    with open(sys.argv[1] + "/drained", "a") as file:
        file.write(f"{os.getpid()}\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
with open(sys.argv[1] + "/begun", "a") as file:
    file.write(f"{os.getpid()} {os.environ.get('GREETING')}\\n")
while True:
    time.sleep(0.05)
"""
DEAF = WAITS.replace("signal.signal(signal.SIGTERM, stop)", "signal.signal(signal.SIGTERM, signal.SIG_IGN)")


def lines(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8").splitlines() if file.exists() else []


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@contextmanager
def kept(pool: Pool) -> Iterator[threading.Thread]:
    """A pool that runs, with its keeper; stopped at the end."""
    pool.start()
    keeper = threading.Thread(target=pool.keep)
    keeper.start()
    try:
        yield keeper
    finally:
        pool.stop()
        keeper.join()


def waiting(folder: Path, size: int, script: str = WAITS) -> Pool:
    return Pool([sys.executable, "-c", script, str(folder)], size, {**os.environ, "GREETING": "hello"})


def test_the_dead_are_replaced_and_all_are_drained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "QUICK_DEATH_S", 0.0)
    pool = waiting(tmp_path, 2)
    with kept(pool):
        until(lambda: len(lines(tmp_path / "begun")) == 2)
        first = pool.pids
        assert lines(tmp_path / "begun")[0].endswith(" hello")
        os.kill(first[0], 9)
        until(lambda: len(lines(tmp_path / "begun")) == 3)
        second = pool.pids
        assert len(second) == 2
        assert first[1] in second
        assert first[0] not in second
    assert sorted(map(int, lines(tmp_path / "drained"))) == sorted(second)
    assert pool.pids == []
    assert not any(map(alive, first + second))


def test_one_that_dies_at_once_waits_longer_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(pools, "time", SimpleNamespace(monotonic=lambda: now[0]))
    pool = Pool([sys.executable, "-c", "raise SystemExit(3)"], 1, dict(os.environ), quiet=True)
    pool.start()
    waits = []
    for _ in range(7):
        place = pool._places[0]
        assert place.process is not None
        place.process.wait()
        pool.look()
        waits.append(place.not_before - now[0])
        now[0] = place.not_before - 0.01
        pool.look()
        assert pool._places[0].process is None, "not yet"
        now[0] = place.not_before
        pool.look()
    pool.drain()
    assert waits == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0, 10.0]


@pytest.mark.parametrize(("codes", "worst"), [((0, 0), 0), ((0, 3), 3)])
def test_without_restarts_it_ends_with_its_last(tmp_path: Path, codes: tuple[int, int], worst: int) -> None:
    script = "import os, sys\ntry: os.mkdir(sys.argv[1] + '/one')\nexcept OSError: sys.exit(int(sys.argv[2]))"
    pool = Pool([sys.executable, "-c", script, str(tmp_path), str(codes[1])], 2, dict(os.environ), restart=False)
    pool.start()
    assert pool.keep() == worst


def test_one_that_does_not_listen_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "DRAIN_S", 0.2)
    pool = waiting(tmp_path, 1, DEAF)
    with kept(pool):
        until(lambda: len(lines(tmp_path / "begun")) == 1)
        (pid,) = pool.pids
    assert not alive(pid)
    assert lines(tmp_path / "drained") == []
