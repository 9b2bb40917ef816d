"""Runs the cells of an audit into its ledger; it can be resumed, and keeps to its minutes."""

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Annotated

from captcha_solver.audit.attackers.attacks import UNLIMITED_STEPS
from captcha_solver.audit.attackers.cell_runner import PERTURBED, CellRunner
from captcha_solver.audit.attackers.perturb import PERTURBED_CONDITIONS
from captcha_solver.audit.cells import UNLIMITED, Cell, Ledger, Result
from captcha_solver.audit.figures import said
from captcha_solver.audit.plan import Stage
from captcha_solver.errors import DatasetError, OptionError
from captcha_solver.training.recipes.steps import OutOfTimeError, steps_for

START_S, PERTURB_S = 15.0, 0.02  # of a training, and of an image's step of a perturbation
STEP_S = {"sliding": 0.25, "segmented": 0.06}  # of a training
READ_S = {"sliding": 0.006, "ddddocr": 0.01, "segmented": 0.05, "tesseract": 0.1}  # an image; all before any was timed
EXPORT_S = 20.0  # what comes after the last step, and cannot be cut short
REPORT_S, REPORT_SHARE = 15.0, 0.1  # kept for the report, whichever is less
REMEMBERED = 5  # the last so many cells weigh most


@dataclass(slots=True)
class Clock:
    """What cells take on this machine, learnt from those that were done."""

    minutes: float | None
    began: float = field(default_factory=time.monotonic)
    _ratios: dict[bool, tuple[float, int]] = field(default_factory=dict)  # trained or not -> ratio, cells timed

    @property
    def ends_at(self) -> float:
        """When the last cell has to be done (``time.monotonic``)."""
        if self.minutes is None:
            return math.inf
        return self.began + 60 * self.minutes - min(REPORT_S, 60 * self.minutes * REPORT_SHARE)

    def left_s(self) -> float:
        return self.ends_at - time.monotonic()

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

    cell: Annotated[Cell, said("One attack with one budget on one variant of the design.")]
    why: Annotated[str, said("Why it was left out.")]


Tell = Callable[[str, int, int, float], None]
"""Stage, cells done, cells in it (as many once it is over), seconds that the rest of the audit takes."""


def run_stages(
    stages: Sequence[Stage],
    cell_runner: CellRunner,
    ledger: Ledger,
    clock: Clock,
    tell: Tell = lambda *_: None,
    later: Iterable[Cell] = (),
) -> list[LeftOut]:
    """Do every cell that is not done and fits in; those left out, with why. ``later``: cells known to come after."""
    left_out: list[LeftOut] = []
    todo = [[cell for cell in stage.cells if cell not in ledger] for stage in stages]
    for place, stage in enumerate(stages):
        after = [*(cell for cells in todo[place + 1 :] for cell in cells), *later]
        for done, cell in enumerate(todo[place]):
            tell(stage.name, done, len(todo[place]), rest_s([*todo[place][done:], *after], cell_runner, clock))
            found = do_cell(cell, cell_runner, clock)
            if isinstance(found, LeftOut):
                left_out.append(found)
            else:
                ledger.add(found)
        tell(stage.name, len(todo[place]), len(todo[place]), rest_s(after, cell_runner, clock))
    return left_out


def do_cell(cell: Cell, cell_runner: CellRunner, clock: Clock) -> Result | LeftOut:
    """The result of a cell; left out, with why, where it does not fit into the minutes or cannot be trained."""
    guessed, trained = guess_s(cell, cell_runner), cell_runner.must_train(cell)
    needed = clock.estimate_s(guessed, trained=trained)
    if needed > clock.left_s():
        return LeftOut(cell, f"needs about {needed:.0f} s, and the time was up")
    began = time.monotonic()
    try:
        result = cell_runner.do(cell, clock.ends_at - EXPORT_S)
    except (OptionError, DatasetError, OutOfTimeError) as error:  # it cannot be trained: the others can
        return LeftOut(cell, str(error))
    clock.learn(guessed, time.monotonic() - began, trained=trained)
    return result


def rest_s(cells: Iterable[Cell], cell_runner: CellRunner, clock: Clock) -> float:
    """What cells take together; an attacker who is needed for several is trained for the first of them."""
    total, prepared = 0.0, set()
    for cell in cells:
        attacker = (cell.attack, cell.labels, cell.trained_on, cell.seed)
        trained = cell_runner.must_train(cell) and attacker not in prepared
        total += clock.estimate_s(guess_s(cell, cell_runner, trained=trained), trained=trained)
        prepared.add(attacker)
    return min(total, max(clock.left_s(), 0.0))


def guess_s(cell: Cell, cell_runner: CellRunner, *, trained: bool | None = None) -> float:
    """What a cell takes on some machine; only the ratios of such guesses are used once cells were timed."""
    guessed = cell_runner.settings.tested * READ_S[cell.attack]
    if perturbed := PERTURBED_CONDITIONS.get(cell.condition):
        guessed += PERTURBED * perturbed.how.steps * PERTURB_S
    if not (cell_runner.must_train(cell) if trained is None else trained):
        return guessed
    steps = UNLIMITED_STEPS if cell.labels == UNLIMITED else steps_for(cell.labels)
    return guessed + START_S + STEP_S[cell.attack] * steps
