"""Stages of cells in, a ledger of results out: goes on where it stopped, and keeps to its minutes."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from captcha_solver.audit.attacks import ATTACKS, UNLIMITED_STEPS
from captcha_solver.audit.cells import UNLIMITED, Cell, Ledger
from captcha_solver.audit.plan import Stage
from captcha_solver.audit.tuning import steps_for
from captcha_solver.audit.workshop import Workshop

START_S, STEP_S, READ_S = 25.0, 0.3, 0.02  # of a training, its step and one image, before any was timed


@dataclass(slots=True)
class Clock:
    """What cells take on this machine, learnt from those that were done."""

    minutes: float | None
    began: float = field(default_factory=time.monotonic)
    _ratio: float = 1.0
    _timed: int = 0

    def left_s(self) -> float:
        return float("inf") if self.minutes is None else 60 * self.minutes - (time.monotonic() - self.began)

    def estimate_s(self, cell: Cell, images: int, effort: float, *, trained: bool) -> float:
        return self._ratio * _guess_s(cell, images, effort, trained=trained)

    def learn(self, guessed_s: float, took_s: float) -> None:
        """A running mean of what cells took over what was guessed without experience."""
        self._timed += 1
        self._ratio += (took_s / max(guessed_s, 1e-3) - self._ratio) / min(self._timed, 5)


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
            began = time.monotonic()
            ledger.add(workshop.do(cell))
            clock.learn(_guess(cell, workshop), time.monotonic() - began)
    return left_out


def _rest_s(cells: Sequence[Cell], workshop: Workshop, clock: Clock) -> float:
    return sum(_estimate(cell, workshop, clock) for cell in cells)


def _estimate(cell: Cell, workshop: Workshop, clock: Clock) -> float:
    settings = workshop.settings
    return clock.estimate_s(cell, settings.tested, settings.effort, trained=ATTACKS[cell.attack].trains)


def _guess(cell: Cell, workshop: Workshop) -> float:
    settings = workshop.settings
    return _guess_s(cell, settings.tested, settings.effort, trained=ATTACKS[cell.attack].trains)


def _guess_s(cell: Cell, images: int, effort: float, *, trained: bool) -> float:
    if cell.labels == 0 or not trained:
        return images * READ_S
    steps = effort * UNLIMITED_STEPS if cell.labels == UNLIMITED else steps_for(cell.labels, effort)
    return START_S + STEP_S * steps + images * READ_S
