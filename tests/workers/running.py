"""Worker processes for tests: started with a Redis of ours, awaited, and ended by pid."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.paths import ROOT
from tests.workers.some_jobs import until
from workers import keys
from workers.__main__ import ONE_THREAD
from workers.connection import Client

READY_WITHIN_S = 60.0


@contextmanager
def running(url: str, *options: str, log: Path | None = None) -> Iterator["subprocess.Popen[bytes]"]:
    """``python -m workers`` with the model ``sliding``; killed at the end, and what it started with it."""
    environment = {**os.environ, **ONE_THREAD, "REDIS_URL": url, "CAPTCHA_MODELS": "sliding"}
    command = [sys.executable, "-m", "workers", *options]
    with (log or Path(os.devnull)).open("ab") as stderr:
        process = subprocess.Popen(command, env=environment, cwd=ROOT, stderr=stderr, start_new_session=True)
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)  # a pool ends its workers
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def ready(redis: Client) -> dict[str, int]:
    """Workers that say that their models are loaded, and their pids."""
    names = [each.decode() for each in redis.zrange(keys.WORKERS, 0, -1)]
    return {name: int(redis.hget(keys.worker(name), "pid") or 0) for name in names}


def until_ready(redis: Client, size: int = 1, *, but: Sequence[int] = ()) -> list[int]:
    """Pids of ``size`` workers that are ready, none of them among ``but``."""
    until(lambda: len(set(ready(redis).values()) - set(but)) >= size, READY_WITHIN_S)
    return sorted(set(ready(redis).values()) - set(but))


def exit_code(process: "subprocess.Popen[bytes]") -> int:
    """Of a process that ends by itself, or was told to."""
    return process.wait(READY_WITHIN_S)
