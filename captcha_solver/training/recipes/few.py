"""Fine-tunes on few labels: cross-validation says how long, then one training learns all of them.

What is learnt, and how, is in ``recipes/few_labels.py``. Nothing is left to be tuned by hand.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from captcha_solver.dataset import writable_folder
from captcha_solver.errors import DatasetError
from captcha_solver.models.bundle import Bundle
from captcha_solver.models.runtimes import import_keras
from captcha_solver.statistics import wilson
from captcha_solver.training.checkpoint import FOLDER, Progress
from captcha_solver.training.finishing.calibration import calibrate, right
from captcha_solver.training.learner import Learner, predict
from captcha_solver.training.learners import new_learner
from captcha_solver.training.loop import schedule, train
from captcha_solver.training.progress import Interruption, Meter
from captcha_solver.training.recipes.few_labels import (
    BATCH,
    LAYER_DECAY,
    NEVER,
    RATE,
    RECIPE,
    told_by_labels,
    with_replay,
)
from captcha_solver.training.sources import Fold, Source, folder_samples
from captcha_solver.training.task import Settled, TrainSettings, as_float
from captcha_solver.training.tasks.sliding import SlidingTask, StripBatch

FEW = 2000  # labelled images; of more, a part is held out as usual
FOLDS, FOLDS_SHARE = 3, 0.5  # and the share of the time that all folds take
CHECKS = 8  # of a fold, evenly over its budget
LEAST_MINUTES = 0.01
MINUTES = 10.0
LONGER = 3.0  # times the minutes that are left, where none were asked for and cross-validation still rises
FEW_SETTINGS = TrainSettings(minutes=MINUTES, batch=BATCH, learning_rate=RATE, layer_decay=LAYER_DECAY, recipe=RECIPE)
PROOF_IMAGES = 1024  # that the exports are checked with
PLAN = "few.json"

Outputs = list[tuple[NDArray[np.float32], NDArray[np.int32]]]


@dataclass(frozen=True, slots=True)
class FoldReading:
    """A fold after ``steps`` steps: logits and labels of all that it held out."""

    steps: int
    outputs: Outputs

    @property
    def right(self) -> int:
        return sum(int(right(logits, labels).sum()) for logits, labels in self.outputs)

    @property
    def n(self) -> int:
        return sum(len(labels) for _, labels in self.outputs)


@dataclass(frozen=True, slots=True)
class Plan:
    """What cross-validation found (``steps``, ``settled``, see ``choose``), and what of the budget it used."""

    steps: int | None
    settled: Settled
    elapsed_s: float
    taken: int

    @property
    def rises(self) -> bool:
        """Whether more was read at the end of the folds than ever before, and not yet all."""
        figures = self.settled.card["cross_validation"]
        return self.steps is None and int(figures["right"]) < int(figures["n"])


@dataclass(frozen=True, slots=True)
class Share:
    """What all folds have: the settings of the whole, a start, and until when (``time.monotonic``) they may take."""

    settings: TrainSettings
    start: Bundle
    stop: Interruption
    until: float

    def end_of(self, k: int) -> float:
        """Until when fold ``k``, which begins now, may take: an even part of what is left to it and those behind it."""
        now = time.monotonic()
        return now + (self.until - now) / (FOLDS - k)

    def budget(self, end: float) -> "FoldBudget":
        """From now, where the network is built, to ``end``; and an even part of all steps."""
        began, steps = time.monotonic(), self.settings.max_steps
        return FoldBudget(began, end - began, None if steps is None else int(steps * FOLDS_SHARE / FOLDS))


@dataclass(slots=True)
class FoldBudget:
    """The seconds and steps of one fold; the last reading, which takes ``reading_s``, is within the seconds."""

    began: float
    seconds: float
    steps: int | None
    reading_s: float = 0.0

    def used(self, step: int) -> float:
        """Share used up, 0-1 and above; at least one step is taken unless there are none to take."""
        of_steps = 0.0 if self.steps is None else step / self.steps if self.steps else 1.0
        spent, there = time.monotonic() - self.began, self.seconds - self.reading_s
        of_time = spent / there if there > 0 else math.inf
        return max(of_steps, of_time if step else 0.0)


def is_few(sources: Sequence[Source], labels: int | None) -> bool:
    """Whether the sources are folders alone, with at most ``FEW`` labelled images in all."""
    if not all(source.is_folder for source in sources):
        return False
    return sum(len(part) for source in sources for part in folder_samples(source.spec, labels)) <= FEW


def finetune(task: SlidingTask, out: Path, settings: TrainSettings, start: Bundle, *, longer: float = 1.0) -> Bundle:
    """A bundle from ``start`` and the few labels of ``task``; the same call resumes it.

    ``longer``: how many times the minutes that are left may be taken where cross-validation still rose at its end.

    Half of the budget, minutes or steps, is for cross-validation, an even part of it for each fold; the rest is for the
    training on all labels. The card holds the cross-validated rate, an honest estimate for new images of the same
    design: each image was read by a network that was not trained on it.
    """
    began = time.monotonic()
    writable_folder(out / FOLDER)
    task = with_replay(task)
    path = out / FOLDER / PLAN
    if path.exists():
        plan = _read_plan(path)
    else:
        until = math.inf if settings.minutes is None else began + 60 * settings.minutes * FOLDS_SHARE
        with Interruption() as stop:
            folds = [_fold(task, k, out, Share(settings, start, stop, until)) for k in range(FOLDS)]
        steps, settled = choose(folds)
        plan = Plan(steps, settled, time.monotonic() - began, sum(fold[-1].steps for fold in folds))
        path.write_bytes(msgspec.json.encode(plan))
    final = what_is_left(settings, plan, longer if plan.rises else 1.0)
    whole = replace(task, mixture=replace(task.mixture, fold=Fold(0, 1)), heldout_images=PROOF_IMAGES)
    bundle = train(whole, out, final, start_from=start, settled=plan.settled)
    return told_by_labels(bundle, _labels(task))


def what_is_left(settings: TrainSettings, plan: Plan, longer: float = 1.0) -> TrainSettings:
    """For the training on all labels: the budget that cross-validation left, or the steps that it found best.

    Where a number of steps was asked for, all that are left are taken, so that the sum is the number. Nothing is held
    out any more.
    """
    left = None if settings.minutes is None else max(settings.minutes - plan.elapsed_s / 60, LEAST_MINUTES)
    minutes = None if left is None else longer * left
    steps = plan.steps if settings.max_steps is None else settings.max_steps - plan.taken
    return replace(settings, minutes=minutes, max_steps=steps, validate_every=NEVER)


def _labels(task: SlidingTask) -> list[str]:
    """The texts of all labelled images, each once."""
    mixture = task.mixture
    folders = [source.spec for source in mixture.sources if source.is_folder]
    return [sample.text for spec in folders for part in folder_samples(spec, mixture.labels) for sample in part]


def choose(folds: Sequence[Sequence[FoldReading]]) -> tuple[int | None, Settled]:
    """How many steps read most of what was held out (``None``: as many as there is time for), and its figures."""
    checks = min(len(fold) for fold in folds)
    read = [sum(fold[i].right for fold in folds) for i in range(checks)]
    best = max(i for i in range(checks) if read[i] == max(read))
    n = sum(fold[best].n for fold in folds)
    low, high = wilson(read[best], n)
    outputs = [pair for fold in folds for pair in fold[best].outputs]
    figures = {"folds": len(folds), "n": n, "right": read[best], "ci95": [low, high]}
    steps = None if best == checks - 1 else max(1, round(float(np.mean([fold[best].steps for fold in folds]))))
    taken = [fold[-1].steps for fold in folds]
    return steps, Settled(calibrate(outputs), {"cross_validation": figures | {"steps": steps, "steps_taken": taken}})


def _fold(task: SlidingTask, k: int, out: Path, share: Share) -> list[FoldReading]:
    """Train on what fold ``k`` leaves, and read what it holds out ``CHECKS`` times, evenly over its budget.

    Where a step uses up more than the way to the next check, one reading stands for several.
    """
    end = share.end_of(k)
    import_keras()
    task = replace(task, mixture=replace(task.mixture, fold=Fold(k, FOLDS)))
    held, settings = held_out(task), share.settings
    learner = new_learner(task.build(), task.loss(), settings, share.start)
    checks: list[FoldReading] = []
    step, loss = 0, 0.0
    draws = task.batches(settings.seed + k, 0)
    batches = (pair for draw in draws for pair in draw)
    budget = share.budget(end)
    with Meter(out, label=f"cross-validation {k + 1}/{FOLDS}") as meter:
        try:
            while len(checks) < CHECKS:
                used = budget.used(step)
                if used >= (len(checks) + 1) / CHECKS:
                    if not checks or checks[-1].steps < step:
                        check = _read(learner, held, step, budget)
                        meter.log({"fold": k, "step": step, "accuracy": check.right / check.n})
                    checks.append(check)
                    continue
                x, y = next(batches)
                loss = learner.step(as_float(x), y, settings.learning_rate * schedule(used, settings.warmup))
                step += 1
                meter.update(used, Progress(step=step), loss)
                if share.stop.requested:
                    raise KeyboardInterrupt(
                        "interrupted in cross-validation; run the same command again to start it anew"
                    )
        finally:
            close = getattr(draws, "close", None)
            if close is not None:
                close()
    return checks


def _read(learner: Learner, held: Sequence[StripBatch], step: int, budget: "FoldBudget") -> FoldReading:
    """What the averaged weights make of all that is held out; ``budget`` learns how long that takes."""
    began = time.monotonic()
    model = learner.averaged()
    check = FoldReading(step, [(predict(model, as_float(x)), y) for x, y in held])
    learner.go_on()
    budget.reading_s = time.monotonic() - began
    return check


def held_out(task: SlidingTask) -> list[StripBatch]:
    """Every image that the task's fold holds out, once, as strips with labels."""
    mixture = task.mixture
    samples = [
        sample
        for source in mixture.sources
        if source.is_folder
        for sample in folder_samples(source.spec, mixture.labels, mixture.fold)[1]
    ]
    batches = task.labelled_batches(samples)
    if not batches:
        raise DatasetError("expected readable images to cross-validate with, received none")
    return batches


def _read_plan(path: Path) -> Plan:
    return msgspec.json.decode(path.read_bytes(), type=Plan)
