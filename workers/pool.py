"""Keeps so many processes of one command alive: the dead are replaced, all are drained at the end."""

import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence

import structlog

from workers.orphans import end_with_parent

DRAIN_S = 60.0  # how long a worker may take to end its chunk
QUICK_DEATH_S, LONGEST_WAIT_S = 5.0, 10.0
LOOK_EVERY_S = 0.2

log = structlog.get_logger("workers")


class Pool:
    """``size`` processes of one command, each in a session of its own, so that a Ctrl-C reaches only their keeper."""

    def __init__(
        self,
        command: Sequence[str],
        size: int,
        environment: Mapping[str, str],
        *,
        restart: bool = True,
        quiet: bool = False,
    ) -> None:
        self._command = list(command)
        self._environment = dict(environment)
        self._restart = restart
        self._stderr = subprocess.DEVNULL if quiet else None
        self._places: list[_Place] = [_Place() for _ in range(size)]
        self._stop = threading.Event()

    @property
    def pids(self) -> list[int]:
        """Of the processes that run now."""
        return [place.process.pid for place in self._places if place.process and place.process.poll() is None]

    def start(self) -> None:
        for place in self._places:
            self._spawn(place)

    def keep(self) -> int:
        """Replace the dead until ``stop`` is called; without restarts, until all have ended. The worst exit code."""
        while not self._stop.wait(LOOK_EVERY_S):
            self.look()
            if not self._restart and not self.pids:
                break
        self.drain()
        return max((abs(place.process.returncode or 0) for place in self._places if place.process), default=0)

    def look(self) -> None:
        """Replace those that have died; one that dies again and again waits longer each time."""
        now = time.monotonic()
        for place in self._places:
            if place.process is None or place.process.poll() is None:
                if place.process is None and now >= place.not_before:
                    self._spawn(place)
                continue
            if not self._restart:
                continue
            lived = now - place.started
            place.quick_deaths = place.quick_deaths + 1 if lived < QUICK_DEATH_S else 0
            wait = min(0.5 * 2**place.quick_deaths, LONGEST_WAIT_S) if place.quick_deaths else 0.0
            log.warning("worker ended", pid=place.process.pid, code=place.process.returncode, again_in_s=wait)
            place.process, place.not_before = None, now + wait

    def stop(self) -> None:
        self._stop.set()

    def drain(self) -> None:
        """Let each end the chunk in its hands, then make sure that it is gone."""
        self._stop.set()
        running = [place.process for place in self._places if place.process and place.process.poll() is None]
        for process in running:
            process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + DRAIN_S
        for process in running:
            try:
                process.wait(max(deadline - time.monotonic(), 0.0))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _spawn(self, place: "_Place") -> None:
        place.process = subprocess.Popen(
            self._command,
            env=self._environment,
            stderr=self._stderr,
            start_new_session=True,
            preexec_fn=end_with_parent,
        )
        place.started = time.monotonic()


class _Place:
    """One of the pool's places and the process that holds it now."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self.started = 0.0
        self.not_before = 0.0
        self.quick_deaths = 0
