"""Fine-tune on a few labels: cross-validation says how long, then one training on all of them.

Each labelled image is varied every time it is seen, and drawn images of ``wild`` are replayed beside them, so that
little is forgotten and nothing learnt by heart (Robins 1995, "Catastrophic forgetting, rehearsal and pseudorehearsal").
Lower layers, which see what all designs share, learn more slowly (Howard and Ruder 2018, "Universal Language Model
Fine-tuning for Text Classification"). Nothing is left to be tuned by hand.
"""

import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from captcha_solver.charset import NAMED
from captcha_solver.dataset import writable_folder
from captcha_solver.errors import DatasetError
from captcha_solver.models.bundle import Bundle, amend_bundle
from captcha_solver.models.runtimes import import_keras
from captcha_solver.score import wilson
from captcha_solver.training.calibration import Calibration, calibrate, right
from captcha_solver.training.checkpoint import FOLDER, Progress
from captcha_solver.training.learner import new_learner, predict
from captcha_solver.training.loop import Settled, TrainSettings, as_float, schedule, train
from captcha_solver.training.progress import Interruption, Meter
from captcha_solver.training.sliding import SlidingTask, StripBatch
from captcha_solver.training.sources import Fold, Source, folder_samples

FEW = 2000  # labelled images; of more, a part is held out as usual
REPLAY, REPLAY_WEIGHT = "wild", 0.6  # drawn images for each labelled one
FOLDS, FOLDS_SHARE = 3, 0.5  # and the share of the time that all folds take
TELLING = 20  # labels of one length: another then has, with 95 % confidence, less than 14 % of the texts
OFTEN = 8  # times that each character is seen in the mean, before an unseen one is taken for none
CHECKS = 8  # of a fold, evenly over its time
LAYER_DECAY = 0.85  # a layer's rate over that of the layer above it
MINUTES = 10.0
FEW_SETTINGS: Mapping[str, float] = {"minutes": MINUTES, "batch": 32, "learning_rate": 8e-4, "layer_decay": LAYER_DECAY}
PROOF_IMAGES = 1024  # that the exports are checked with
PLAN = "few.json"

Outputs = list[tuple[NDArray[np.float32], NDArray[np.int32]]]


@dataclass(frozen=True, slots=True)
class Check:
    """A fold after ``steps`` steps: logits and labels of all that it held out."""

    steps: int
    outputs: Outputs

    @property
    def right(self) -> int:
        return sum(int(right(logits, labels).sum()) for logits, labels in self.outputs)

    @property
    def n(self) -> int:
        return sum(len(labels) for _, labels in self.outputs)


def is_few(sources: Sequence[Source], labels: int | None) -> bool:
    """Whether the sources are folders alone, with at most ``FEW`` labelled images in all."""
    if not all(source.is_folder for source in sources):
        return False
    return sum(len(part) for source in sources for part in folder_samples(source.spec, labels)) <= FEW


def finetune(task: SlidingTask, out: Path, settings: TrainSettings, start: Bundle) -> Bundle:
    """A bundle from ``start`` and the few labels of ``task``; the same call again goes on where it stopped.

    The card holds the cross-validated rate, an honest estimate for new images of the same design: each image was
    read by a network that was not trained on it.
    """
    writable_folder(out / FOLDER)
    minutes = settings.minutes or MINUTES
    replay = Source(REPLAY, REPLAY_WEIGHT * sum(source.weight for source in task.mixture.sources))
    task = replace(task, mixture=replace(task.mixture, sources=(*task.mixture.sources, replay)))
    plan = out / FOLDER / PLAN
    if plan.exists():
        steps, settled = _read_plan(plan)
    else:
        share = replace(settings, minutes=minutes * FOLDS_SHARE / FOLDS)
        with Interruption() as stop:
            steps, settled = choose([_fold(task, k, out, (share, start, stop)) for k in range(FOLDS)])
        plan.write_text(json.dumps({"steps": steps, "settled": asdict(settled)}), encoding="utf-8")
    final = replace(
        settings,
        minutes=minutes * (1 - FOLDS_SHARE),
        max_steps=steps if settings.max_steps is None else settings.max_steps,
        validate_every=10**9,  # nothing is held out any more: the last averaged weights are taken
    )
    whole = replace(task, mixture=replace(task.mixture, fold=Fold(0, 1)), heldout_images=PROOF_IMAGES)
    bundle = train(whole, out, final, start_from=start, settled=settled)
    labels = _labels(task)
    return amend_bundle(bundle, length=shared_length(labels), alphabet=alphabet(labels))


def shared_length(labels: Sequence[str]) -> str | None:
    """The length of all ``labels``, where they are enough to tell (``TELLING``) and all have one."""
    lengths = {len(label) for label in labels}
    return str(lengths.pop()) if len(labels) >= TELLING and len(lengths) == 1 else None


def alphabet(labels: Sequence[str]) -> str | None:
    """The characters that texts like ``labels`` are made of, where they are enough to tell (``TELLING``).

    Those that were seen, where each was seen more than once, so that few can be missing (Good 1953, "The population
    frequencies of species"); else the smallest named charset that has them all.
    """
    counts = Counter("".join(labels))
    if len(labels) < TELLING:
        return None
    if min(counts.values()) > 1 and counts.total() >= OFTEN * len(counts):
        return "".join(sorted(counts))
    fitting = [symbols for symbols in NAMED.values() if set(counts) <= set(symbols)]
    return min(fitting, key=len, default=None)


def _labels(task: SlidingTask) -> list[str]:
    """The texts of all labelled images, each once."""
    mixture = task.mixture
    folders = [source.spec for source in mixture.sources if source.is_folder]
    return [sample.text for spec in folders for part in folder_samples(spec, mixture.labels) for sample in part]


def choose(folds: Sequence[Sequence[Check]]) -> tuple[int | None, Settled]:
    """How many steps read most of what was held out (``None``: as many as there is time for), and its figures."""
    checks = min(len(fold) for fold in folds)
    read = [sum(fold[i].right for fold in folds) for i in range(checks)]
    best = max(i for i in range(checks) if read[i] == max(read))
    n = sum(fold[best].n for fold in folds)
    low, high = wilson(read[best], n)
    outputs = [pair for fold in folds for pair in fold[best].outputs]
    figures = {"folds": len(folds), "n": n, "right": read[best], "ci95": [low, high]}
    steps = None if best == checks - 1 else round(float(np.mean([fold[best].steps for fold in folds])))
    return steps, Settled(calibrate(outputs), {"cross_validation": figures | {"steps": steps}})


def _fold(task: SlidingTask, k: int, out: Path, how: tuple[TrainSettings, Bundle, Interruption]) -> list[Check]:
    """Train on what fold ``k`` leaves, and read what it holds out ``CHECKS`` times; ends early where all is read."""
    settings, start, stop = how
    import_keras()
    task = replace(task, mixture=replace(task.mixture, fold=Fold(k, FOLDS)))
    held = held_out(task)
    learner = new_learner(task.build(), task.loss(), settings, start)
    budget_s, began, step = 60 * (settings.minutes or MINUTES), time.monotonic(), 0
    checks: list[Check] = []
    draws = task.batches(settings.seed + k, 0)
    with Meter(out, label=f"cross-validation {k + 1}/{FOLDS}") as meter:
        try:
            while len(checks) < CHECKS:
                used = _used(settings, time.monotonic() - began, budget_s, step)
                for x, y in next(draws):
                    loss = learner.step(as_float(x), y, settings.learning_rate * schedule(used, settings.warmup))
                    step += 1
                meter.update(used, Progress(step=step), loss)
                if _used(settings, time.monotonic() - began, budget_s, step) >= (len(checks) + 1) / CHECKS:
                    model = learner.averaged()
                    checks.append(Check(step, [(predict(model, as_float(x)), y) for x, y in held]))
                    meter.log({"fold": k, "step": step, "accuracy": checks[-1].right / checks[-1].n})
                    learner.go_on()
                if stop.requested:
                    raise KeyboardInterrupt(
                        "interrupted in cross-validation; run the same command again to start it anew"
                    )
        finally:
            close = getattr(draws, "close", None)
            if close is not None:
                close()
    return checks


def _used(settings: TrainSettings, elapsed_s: float, budget_s: float, step: int) -> float:
    """Share of a fold's budget used up: of its time, or of the steps asked for."""
    return max(elapsed_s / budget_s, step / settings.max_steps if settings.max_steps else 0.0)


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


def _read_plan(path: Path) -> tuple[int | None, Settled]:
    plan = json.loads(path.read_text(encoding="utf-8"))
    settled = plan["settled"]
    return plan["steps"], Settled(Calibration(**settled["calibration"]), settled["card"])
