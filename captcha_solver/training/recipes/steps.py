"""Trains an attacker of an audit on a few labelled images, or on a generator: the same one every time.

Unlike ``captcha-solver train`` with few labels, whose budget is time, this one's is steps, so that the same audit gives
the same trials: each number of labels has its number of steps, and nothing is held out to choose by.
"""

import json
import math
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from captcha_solver.dataset import write_folder
from captcha_solver.models.bundle import Bundle, load_bundle, shipped_bundles
from captcha_solver.models.runtimes import import_keras
from captcha_solver.quiet import sieved_stderr
from captcha_solver.training.checkpoint import Progress
from captcha_solver.training.progress import Meter
from captcha_solver.types import Sample

if TYPE_CHECKING:
    from captcha_solver.training.learner import Learner
    from captcha_solver.training.task import TrainSettings
    from captcha_solver.training.tasks.sliding import SlidingTask

STEPS_BASE, STEPS_A_DOUBLING = 40, 30
LABELS_BASE = 10
SHOWN_IMAGES = 64  # that the exports are checked with
TRIED_PX = (8, 12)  # two widths: the second shows TensorFlow that it is to expect any; no strip is so narrow

_LEARNERS: dict[tuple[str, str, int], "Learner"] = {}


class OutOfTimeError(Exception):
    """A training was not done when the audit's time was up."""


@dataclass(frozen=True, slots=True)
class Tuned:
    """A trained attacker: its bundle, and what it cost in seconds of a core."""

    bundle: Bundle
    core_s: float


def steps_for(labels: int) -> int:
    """How long to train on so many labels: a little longer for each doubling."""
    doublings = math.log2(max(labels, LABELS_BASE) / LABELS_BASE)
    return round(STEPS_BASE + STEPS_A_DOUBLING * doublings)


def tune(
    route: str, source: Sequence[Sample] | str, out: Path, *, steps: int, seed: int, until: float = math.inf
) -> Tuned:
    """Train the shipped model of ``route`` for ``steps`` on labelled samples, or on a design (name or TOML file).

    It learns to write whatever characters the labels have. A training that ``until`` (``time.monotonic``)
    comes upon raises ``OutOfTimeError``: cut short, it would be another attacker.
    """
    note = out / "tuned.json"
    if note.exists():  # of an audit that is resumed
        known = json.loads(note.read_text(encoding="utf-8"))
        return Tuned(load_bundle(out / "bundle"), known["core_s"])
    shutil.rmtree(out / "bundle", ignore_errors=True)  # of a training that was cut off: resumed, it would differ
    start = load_bundle(shipped_bundles()[route])
    spec = source if isinstance(source, str) else _folder(source, out)
    _make_repeatable(seed)
    began = _core_s()
    tuning = Tuning(spec, out / "bundle", start, steps, seed, StepWatch(out / "bundle", until))
    with sieved_stderr():
        bundle = ROUTES[route](tuning)
    if not isinstance(source, str):
        bundle = _narrowed(bundle, source)
    tuned = Tuned(bundle, round(_core_s() - began, 1))
    note.write_text(json.dumps({"core_s": tuned.core_s}), encoding="utf-8")
    return tuned


class StepWatch(Meter):
    """Stands where a training's progress bar would: the audit has one of its own, and its time is bounded."""

    def __init__(self, out: Path, until: float) -> None:
        super().__init__(out)
        self._until = until

    def __enter__(self) -> Self:
        return self

    def update(self, used: float, progress: Progress, loss: float) -> None:
        if time.monotonic() > self._until:
            raise OutOfTimeError(f"the time was up when {used:.0%} of its training was done")


def _core_s() -> float:
    """Seconds of a core that this process and those that drew for it have used."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def _make_repeatable(seed: int) -> None:
    """The same training gives the same weights from here on, on the same machine."""
    keras = import_keras()
    keras.utils.set_random_seed(seed)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
    elif keras.backend.backend() == "torch":
        import torch

        torch.use_deterministic_algorithms(True, warn_only=True)


def _folder(samples: Sequence[Sample], out: Path) -> str:
    folder = out / "labels"
    shutil.rmtree(folder, ignore_errors=True)  # of an audit that was cut off while it wrote them
    write_folder(samples, folder)
    return str(folder)


def _narrowed(bundle: Bundle, samples: Sequence[Sample]) -> Bundle:
    from captcha_solver.training.recipes.few_labels import told_by_labels

    return told_by_labels(bundle, [sample.text for sample in samples])


@dataclass(frozen=True, slots=True)
class Tuning:
    """What is trained into ``out``: ``source`` is a folder or a design, ``start`` the model that learns it."""

    source: str
    out: Path
    start: Bundle
    steps: int
    seed: int
    meter: Meter


def _sliding(tuning: Tuning) -> Bundle:
    from captcha_solver.training.finishing.calibration import Calibration
    from captcha_solver.training.loop import train
    from captcha_solver.training.recipes.few_labels import BATCH, LAYER_DECAY, NEVER, RATE, RECIPE, with_replay
    from captcha_solver.training.sources import Fold
    from captcha_solver.training.task import Settled, TrainSettings
    from captcha_solver.training.tasks.sliding import SlidingTask

    start = tuning.start
    source = [tuning.source]
    task = SlidingTask.from_sources(source, labels=None, batch=BATCH, workers=1, start=start, recipe=RECIPE)
    task = with_replay(task)
    task = replace(task, mixture=replace(task.mixture, fold=Fold(0, 1)), heldout_images=SHOWN_IMAGES)
    settings = TrainSettings(
        batch=BATCH,
        learning_rate=RATE,
        max_steps=tuning.steps,
        validate_every=NEVER,
        seed=tuning.seed,
        layer_decay=LAYER_DECAY,
        recipe=RECIPE,
    )
    settled = Settled(Calibration(start.temperature, 0, 0.0, 0.0), {})
    learner = _learner(task, settings, start)
    return train(
        task,
        tuning.out,
        settings,
        start_from=start,
        meter=tuning.meter,
        settled=settled,
        learner=learner,
        int8=False,  # in 8 bits nobody reads with it
    )


def _learner(task: "SlidingTask", settings: "TrainSettings", start: Bundle) -> "Learner":
    """The network that is to learn, at its start. It is built and traced once: that takes as long as 30 steps."""
    from captcha_solver.training.learners import new_learner
    from captcha_solver.training.recipes.few_labels import BATCH
    from captcha_solver.training.tasks.sliding import LONGEST_LABEL

    key = (start.sha256, task.charset.symbols, settings.seed)
    if key in _LEARNERS:
        _LEARNERS[key].start_over()
    else:
        _LEARNERS.clear()  # of another seed or alphabet: the random numbers of a network are seeded when it is built
        labels = np.eye(1, LONGEST_LABEL, dtype=np.int32).repeat(BATCH, axis=0)  # of one character
        strips = [np.zeros((BATCH, task.slide.strip_px, width, 3), np.float32) for width in TRIED_PX]
        _LEARNERS[key] = new_learner(task.build(), task.loss(), settings, start)
        _LEARNERS[key].try_out([(strip, labels) for strip in strips])
    return _LEARNERS[key]


def _segmented(tuning: Tuning) -> Bundle:
    from captcha_solver.training.loop import train
    from captcha_solver.training.recipes.few_labels import BATCH, NEVER, RATE
    from captcha_solver.training.task import TrainSettings
    from captcha_solver.training.tasks.glyphs import GlyphTask

    task = GlyphTask.from_sources([tuning.source], labels=None, batch=4 * BATCH, workers=1, start=tuning.start)
    settings = TrainSettings(
        batch=4 * BATCH, learning_rate=RATE, max_steps=tuning.steps, validate_every=NEVER, seed=tuning.seed
    )
    return train(task, tuning.out, settings, start_from=tuning.start, meter=tuning.meter)


ROUTES = {"sliding": _sliding, "segmented": _segmented}
