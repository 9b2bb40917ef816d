"""Plans faults from a seed and a job's expected time, and the thread that carries them out.

Tested in ``tests/benchmarks/chaos/test_scenarios.py``.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType

import numpy as np

from benchmarks.service.stack import Stack

KILL_EVERY_S = (1.0, 6.0)  # between two kills of a worker
PLANNED_FOR = 40  # times the expected time: kills go on until the job ends, however much they hold it up
SINGLES = (  # fault, its end, and how long it lasts, seconds
    ("kill redis", "start redis", (0.5, 3.0)),
    ("pause redis", "resume redis", (1.0, 5.0)),
    ("kill api", "start api", (0.2, 1.5)),
)
EARLIEST, LATEST = 0.05, 0.5  # when the single faults begin, as parts of the expected time
BETWEEN_S = 0.3


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do, so many seconds after the job was accepted; ``which`` says to which worker."""

    at_s: float
    action: str
    which: int = 0


def plan(rng: np.random.Generator, expected_s: float) -> list[Step]:
    """Kills of workers all the time, and each of the single faults once, none of those during another."""
    steps = []
    free_from = 0.0
    for place in rng.permutation(len(SINGLES)):
        begin, end, lasts = SINGLES[place]
        at = max(float(rng.uniform(EARLIEST, LATEST)) * expected_s, free_from)
        over = at + float(rng.uniform(*lasts))
        steps += [Step(at, begin), Step(over, end)]
        free_from = over + BETWEEN_S
    at, until = 0.0, max(PLANNED_FOR * expected_s, free_from)
    while (at := at + float(rng.uniform(*KILL_EVERY_S))) < until:
        steps.append(Step(at, "kill worker", int(rng.integers(1 << 16))))
    return sorted(steps, key=lambda step: step.at_s)


class Saboteur:
    """Carries out a plan in a thread of its own until the block ends, and leaves everything running again."""

    def __init__(self, stack: Stack, steps: list[Step]) -> None:
        self.done: list[Step] = []  # as they happened: at_s is when
        self.error: BaseException | None = None
        self._stack = stack
        self._steps = steps
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._actions: Mapping[str, Callable[[Step], bool]] = {
            "kill worker": self._kill_worker,
            "kill redis": lambda step: _did(stack.redis.kill),
            "start redis": lambda step: _did(stack.redis.start),
            "pause redis": lambda step: _did(stack.redis.pause),
            "resume redis": lambda step: _did(stack.redis.resume),
            "kill api": lambda step: _did(stack.kill_api),
            "start api": lambda step: _did(stack.start_api),
        }

    @property
    def missed(self) -> list[str]:
        """The single faults that the job's end came before."""
        happened = {step.action for step in self.done}
        return [begin for begin, _, _ in SINGLES if begin not in happened]

    def count(self, action: str) -> int:
        return sum(step.action == action for step in self.done)

    def __enter__(self) -> "Saboteur":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()
        self._mend()
        if self.error is not None and error is None:
            raise self.error

    def _run(self) -> None:
        began = time.monotonic()
        try:
            for step in self._steps:
                if self._over.wait(max(began + step.at_s - time.monotonic(), 0.0)):
                    return
                if self._actions[step.action](step):
                    self.done.append(Step(round(time.monotonic() - began, 3), step.action, step.which))
        except Exception as error:  # told where the block ends
            self.error = error

    def _kill_worker(self, step: Step) -> bool:
        pids = self._stack.worker_pids
        if not pids:
            return False  # all of them are dead already
        with suppress(ProcessLookupError):
            os.kill(pids[step.which % len(pids)], signal.SIGKILL)
        return True

    def _mend(self) -> None:
        begun = [step.action for step in self.done]
        for begin, end, _ in SINGLES:
            if begin in begun and end not in begun:
                self._actions[end](Step(0.0, end))


def _did(work: Callable[[], object]) -> bool:
    work()
    return True
