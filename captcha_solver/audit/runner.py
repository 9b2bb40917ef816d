"""Stages of cells in, a ledger of results out: goes on where it stopped, and keeps to its minutes."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from captcha_solver.audit.attacks import UNLIMITED_STEPS
from captcha_solver.audit.cells import UNLIMITED, Cell, Ledger
from captcha_solver.audit.plan import Stage
from captcha_solver.audit.tuning import steps_for
from captcha_solver.audit.workshop import Workshop
from captcha_solver.errors import OptionError

START_S, STEP_S, READ_S = 15.0, 0.4, 0.02  # of a training, its step and one image, before any was timed
REMEMBERED = 5  # the last so many cells weigh most


@dataclass(slots=True)
class Clock:
    """What cells take on this machine, learnt from those that were done."""

    minutes: float | None
    began: float = field(default_factory=time.monotonic)
    _ratios: dict[bool, tuple[float, int]] = field(default_factory=dict)  # trained or not -> ratio, cells timed

    def left_s(self) -> float:
        return float("inf") if self.minutes is None else 60 * self.minutes - (time.monotonic() - self.began)

    def estimate_s(self, guessed_s: float, *, trained: bool) -> float:
        return self._ratios.get(trained, (1.0, 0))[0] * guessed_s

    def learn(self, guessed_s: float, took_s: float, *, trained: bool) -> None:
        """A running mean of what cells took over what was guessed without experience."""
        ratio, timed = self._ratios.get(trained, (0.0, 0))
        timed = min(timed + 1, REMEMBERED)
        self._ratios[trained] = (ratio + (took_s / max(guessed_s, 1e-3) - ratio) / timed, timed)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A cell for which there was no time, or that failed, and why."""

    cell: Cell
    why: str


Tell = Callable[[str, int, int, float], None]
"""Stage, cells done, cells in it, seconds that the rest of it takes."""


def run_stages(
    stages: Iterable[Stage], workshop: Workshop, ledger: Ledger, clock: Clock, tell: Tell = lambda *_: None
) -> list[LeftOut]:
    """Do every cell that is not done and fits in; those left out, with why."""
    left_out: list[LeftOut] = []
    for stage in stages:
        todo = [cell for cell in stage.cells if cell not in ledger]
        for done, cell in enumerate(todo):
            tell(stage.name, done, len(todo), _rest_s(todo[done:], workshop, clock))
            needed = _estimate(cell, workshop, clock)
            if needed > clock.left_s():
                left_out.append(LeftOut(cell, f"needs about {needed:.0f} s, and the time was up"))
                continue
            began, guessed, trained = time.monotonic(), _guess_s(cell, workshop), workshop.must_train(cell)
            try:
                ledger.add(workshop.do(cell))
            except OptionError as error:  # it cannot be trained: the others can
                left_out.append(LeftOut(cell, str(error)))
            clock.learn(guessed, time.monotonic() - began, trained=trained)
    return left_out


def _rest_s(cells: Sequence[Cell], workshop: Workshop, clock: Clock) -> float:
    return sum(_estimate(cell, workshop, clock) for cell in cells)


def _estimate(cell: Cell, workshop: Workshop, clock: Clock) -> float:
    return clock.estimate_s(_guess_s(cell, workshop), trained=workshop.must_train(cell))


def _guess_s(cell: Cell, workshop: Workshop) -> float:
    """What a cell takes on some machine; only the ratios of such guesses are used once cells were timed."""
    reading = workshop.settings.tested * READ_S
    if not workshop.must_train(cell):
        return reading
    steps = UNLIMITED_STEPS if cell.labels == UNLIMITED else steps_for(cell.labels)
    return START_S + STEP_S * steps + reading
