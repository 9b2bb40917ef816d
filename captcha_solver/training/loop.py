"""Trains any task into a bundle, and keeps the best weights; it can be interrupted and resumed."""

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from captcha_solver.charset import shown
from captcha_solver.dataset import writable_folder
from captcha_solver.errors import BundleError
from captcha_solver.models.bundle import MANIFEST, Bundle
from captcha_solver.models.runtimes import import_keras
from captcha_solver.training.checkpoint import Progress, load_checkpoint, save_checkpoint
from captcha_solver.training.finishing.curves import draw_curves
from captcha_solver.training.learner import Learner
from captcha_solver.training.learners import new_learner
from captcha_solver.training.progress import Interruption, Meter
from captcha_solver.training.task import Pair, Settled, Task, TrainSettings, as_float

End: TypeAlias = Callable[[Path, Any, Mapping[str, Any]], Bundle]
"""Folder, trained model and report of a training -> its bundle."""

CHECKPOINT_EVERY_S = 120.0
LOG_EVERY_STEPS = 20


def train(
    task: Task,
    out: Path,
    settings: TrainSettings,
    *,
    start_from: Bundle | None = None,
    meter: Meter | None = None,
    settled: Settled | None = None,
    learner: Learner | None = None,
    int8: bool = True,
    end: End | None = None,
) -> Bundle:
    """Train ``task`` into bundle ``out``. The same call resumes an interrupted training.

    ``learner``: one that holds the network at its start already, made for this task, settings and bundle. ``int8``:
    whether a network in 8-bit integers is tried beside the others. ``end`` makes the bundle where
    the task's outputs are not readings.
    """
    from captcha_solver.training.finishing.finish import finish

    began = time.monotonic()
    import_keras()  # before the task does, so that the backend starts quietly
    if (out / MANIFEST).exists():
        raise BundleError(f"{out} holds a finished bundle already; choose another --out, or delete it")
    fingerprint = _fingerprint(task, settings, start_from)
    _check_start(task, start_from)
    state = load_checkpoint(out, fingerprint)
    writable_folder(out)
    learner = learner or new_learner(task.build(), task.loss(), settings, start_from)
    progress = Progress()
    if state is not None:
        learner.restore(state)
        progress = state.progress
    with Interruption() as stop, meter or Meter(out) as shown:
        run = _Run(task, out, settings, fingerprint, learner, shown, stop)
        progress = run.steps(progress, _Clock(began - progress.elapsed_s))
    learner.use_best()
    report = _report(settings, progress, start_from)
    if end is not None:
        return end(out, learner.model, report)
    return finish(task, out, learner.model, report=report, settled=settled, int8=int8)


@dataclass(slots=True)
class _Run:
    task: Task
    out: Path
    settings: TrainSettings
    fingerprint: str
    learner: Learner
    meter: Meter
    stop: Interruption
    heldout: Sequence[Pair] = ()
    validation_s: float = 0.0  # what is left of the minutes for the last validation

    def steps(self, progress: Progress, clock: "_Clock") -> Progress:
        """Train until the budget or the patience is used up; ``KeyboardInterrupt`` when told to stop."""
        self.heldout = [(as_float(x), y) for x, y in self.task.heldout()]
        if self.settings.minutes is not None:
            self.validation_s = self.time_of_validation()
        losses: list[float] = []
        draws = self.task.batches(self.settings.seed, progress.draw)
        try:
            while not progress.step or (
                self.used(progress.step, clock.now()) < 1 and progress.stale < self.settings.patience
            ):
                pairs = next(draws)
                used = self.used(progress.step, clock.now())
                rate = self.settings.learning_rate * schedule(used, self.settings.warmup)
                before = progress.step
                for x, y in [pairs] if isinstance(pairs, tuple) else pairs:
                    losses.append(self.learner.step(as_float(x), y, rate))
                    progress = replace(progress, step=progress.step + 1)
                    if self.used(progress.step, clock.now()) >= 1:
                        break
                progress = replace(progress, draw=progress.draw + 1, elapsed_s=clock.now())
                self.meter.update(used, progress, losses[-1])
                if _passed(before, progress.step, LOG_EVERY_STEPS):
                    progress = self.note(progress, {"loss": float(np.mean(losses)), "learning_rate": rate})
                    losses.clear()
                if _passed(before, progress.step, self.settings.validate_every):
                    progress = self.validate(progress)
                if self.stop.requested or clock.checkpoint_due():
                    save_checkpoint(self.out, self.learner.state(progress), self.fingerprint)
                if self.stop.requested:
                    raise KeyboardInterrupt(
                        f"interrupted at step {progress.step}; run the same command again to resume"
                    )
        finally:
            close = getattr(draws, "close", None)
            if close is not None:
                close()
        progress = replace(progress, elapsed_s=clock.now())
        if not any("accuracy" in row and row["step"] == progress.step for row in progress.history):
            progress = self.validate(progress)
        save_checkpoint(self.out, self.learner.state(progress), self.fingerprint)
        return progress

    def used(self, step: int, elapsed_s: float) -> float:
        """Share of the budget used up, 0-1 and above."""
        shares = [0.0]
        if self.settings.minutes is not None:
            shares.append(elapsed_s / max(60 * self.settings.minutes - self.validation_s, 1e-3))
        if self.settings.max_steps is not None:
            shares.append(step / self.settings.max_steps)
        return max(shares)

    def time_of_validation(self) -> float:
        """Seconds that it will take, from one batch of it: read twice, since the first time the network is traced."""
        some = self.heldout[:1]
        self.learner.accuracy(some, self.task.accuracy)
        began = time.monotonic()
        self.learner.accuracy(some, self.task.accuracy)
        images = sum(len(x) for x, _ in self.heldout)
        return (time.monotonic() - began) * images / max(1, sum(len(x) for x, _ in some))

    def validate(self, progress: Progress) -> Progress:
        """Read what is held out, and keep the weights where they are the best so far."""
        began = time.monotonic()
        accuracy = self.learner.accuracy(self.heldout, self.task.accuracy)
        self.validation_s = time.monotonic() - began
        stale = 0 if accuracy > progress.best_accuracy else progress.stale + 1
        if accuracy >= progress.best_accuracy:  # of equals the later one: its rate was lower
            self.learner.keep_best()
            progress = replace(progress, best_accuracy=accuracy, best_step=progress.step)
        progress = replace(progress, stale=stale)
        progress = self.note(progress, {"accuracy": accuracy, "best_accuracy": progress.best_accuracy})
        draw_curves(progress.history, self.out / "curves.png")
        return progress

    def note(self, progress: Progress, values: Mapping[str, float]) -> Progress:
        """Write one line of the log and remember it for the curves."""
        row = {"step": progress.step, "elapsed_s": round(progress.elapsed_s, 1), **values}
        self.meter.log(row)
        return replace(progress, history=(*progress.history, row))


class _Clock:
    """Seconds of training over all resumes, from ``start`` (``time.monotonic``) on."""

    def __init__(self, start: float) -> None:
        self._start = start
        self._saved = time.monotonic()

    def now(self) -> float:
        return time.monotonic() - self._start

    def checkpoint_due(self) -> bool:
        due = time.monotonic() - self._saved > CHECKPOINT_EVERY_S
        if due:
            self._saved = time.monotonic()
        return due


def schedule(used: float, warmup: float) -> float:
    """Factor 0-1 on the peak rate at share ``used`` of the budget: linear warm-up, then a cosine to 1 %."""
    if used < warmup:
        return max(used / warmup, 0.01)
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, (used - warmup) / (1 - warmup))))


def _passed(before: int, after: int, every: int) -> bool:
    return before // every != after // every


def _fingerprint(task: Task, settings: TrainSettings, start_from: Bundle | None) -> str:
    """What must be equal for a checkpoint to be resumed; the number of workers changes nothing."""
    told = {k: v for k, v in asdict(settings).items() if k != "workers"}
    return json.dumps(
        {
            "kind": task.kind,
            "charset": task.charset.symbols,
            "settings": dict(task.settings),
            "data": dict(task.data),
            "training": told,
            "from": start_from.sha256 if start_from else None,
        },
        sort_keys=True,
        default=str,
    )


def _check_start(task: Task, start_from: Bundle | None) -> None:
    if start_from is None:
        return
    lost = task.charset.lacks(start_from.charset.symbols)
    if task.kind != start_from.kind or lost:
        expected = f"{task.kind!r} of the characters {shown(task.charset.symbols)!r}"
        received = f"{start_from.kind!r} of {shown(start_from.charset.symbols)!r}"
        raise BundleError(f"expected a bundle {expected} to start from, received {received}: {start_from.path}")


def _report(settings: TrainSettings, progress: Progress, start_from: Bundle | None) -> dict[str, Any]:
    return {
        "settings": asdict(settings),
        "steps": progress.step,
        "minutes": round(progress.elapsed_s / 60, 2),
        "best_step": progress.best_step,
        "heldout_accuracy": progress.best_accuracy,
        "from": start_from.sha256 if start_from else None,
    }
