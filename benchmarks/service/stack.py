"""A running service whose parts can be asked for, killed and started again.

Tested in ``tests/benchmarks/service/test_measure.py``.
"""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from api.serve import Running, service
from workers.__main__ import ONE_THREAD
from workers.connection import Client, connect
from workers.redis_server import PrivateRedis
from workers.settings import Settings, environment_of

NO_LIMIT = "1000000/second"  # requests a key may make: this is about what the service can do, not what it allows
STOP_WITHIN_S = 15.0


class Stack:
    """A private Redis, workers kept alive by a pool, and the API, which may be another process later on."""

    def __init__(self, running: Running) -> None:
        assert running.redis is not None, "the settings name no server, so one was started"
        self.running = running
        self.api = running.api
        self.redis: PrivateRedis = running.redis
        self.client: Client = connect(self.redis.url)
        self._environment = {**os.environ, **ONE_THREAD, **environment_of(running.settings)}

    @property
    def worker_pids(self) -> list[int]:
        return self.running.pool.pids

    def start_api(self) -> None:
        """Start the API again, where it has ended."""
        if self.api.poll() is not None:
            command = [sys.executable, "-m", "api"]
            self.api = subprocess.Popen(
                command, env=self._environment, start_new_session=True, stderr=subprocess.DEVNULL
            )

    def kill_api(self) -> None:
        self.api.kill()
        self.api.wait()

    def stop_api(self) -> None:
        """End the API in order, where it is not the one that the service stops by itself."""
        self.api.terminate()
        try:
            self.api.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.kill_api()


@contextmanager
def started(settings: Settings, *, quiet: bool = True) -> Iterator[Stack]:
    """A service on a free port of this machine, with a Redis of its own."""
    with service(replace(settings, redis_url=None, port=free_port(), rate=NO_LIMIT), quiet=quiet) as running:
        stack = Stack(running)
        try:
            yield stack
        finally:
            stack.client.close()
            stack.stop_api()


def free_port() -> int:
    """A port of the loopback address that nothing listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def rss_mib(pid: int) -> float:
    """Memory of a process that lies in RAM, MiB; 0 where it has ended."""
    try:
        with open(f"/proc/{pid}/statm", encoding="ascii") as pages:  # noqa: PTH123 - a line of the system's, not a file
            return int(pages.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    except (OSError, IndexError):
        return 0.0
