"""Distillation: a small sliding network learns from strips, their labels and what a larger network says of them.

The student learns each column's distribution from the teacher beside the text from the label (Hinton, Vinyals and Dean
2015, "Distilling the Knowledge in a Neural Network"). Both give one row of logits for every four columns of pixels.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from captcha_solver.decoding.probabilities import log_softmax
from captcha_solver.errors import BundleError
from captcha_solver.models.bundle import Bundle, load_bundle
from captcha_solver.models.runtimes import Runtime, load_runtime
from captcha_solver.recognizers import read_settings
from captcha_solver.sliding.strip import SlideSettings
from captcha_solver.training.tasks.sliding import LONGEST_LABEL, MakeStrips, SlidingTask, StripBatch
from captcha_solver.training.workers import stream

TEACHER_WEIGHT = 4.0  # of the summed divergence over the columns, beside the CTC loss
TAUGHT = "taught"


@dataclass(frozen=True, slots=True)
class MakeTaught:
    """Batches of ``make`` whose labels are packed with the teacher's probabilities: see ``packed``."""

    make: MakeStrips
    teacher: Path

    def __call__(self, rng: np.random.Generator) -> list[tuple[NDArray[np.uint8], NDArray[np.float32]]]:
        runtime = _runtime(self.teacher)
        return [(x, packed(runtime.run(x * np.float32(1 / 255)), y)) for x, y in self.make(rng)]


@lru_cache(maxsize=1)
def _runtime(teacher: Path) -> Runtime:
    return load_runtime(load_bundle(teacher), "onnx")


def packed(logits: NDArray[np.float32], labels: NDArray[np.int32]) -> NDArray[np.float32]:
    """(N, T, C + 1): the teacher's probabilities of each column, and in the last channel the label's ids, one a column.

    A text needs at least a column a character, so that its ids fit.
    """
    probs = np.exp(log_softmax(logits))
    ids = np.zeros((*logits.shape[:2], 1), np.float32)
    kept = min(labels.shape[1], logits.shape[1])
    ids[:, :kept, 0] = labels[:, :kept]
    return np.concatenate([probs, ids], axis=-1).astype(np.float32)


def taught_loss(weight: float = TEACHER_WEIGHT) -> Any:
    """A Keras loss of (``packed`` targets, logits): CTC of the label, and ``weight`` times the mean divergence."""
    import keras

    class Taught(keras.losses.Loss):  # type: ignore[misc]  # Keras is loaded at run time
        def call(self, y_true: Any, y_pred: Any) -> Any:
            ops = keras.ops
            teacher, ids = y_true[..., :-1], ops.cast(y_true[:, :LONGEST_LABEL, -1], "int32")
            student = ops.log_softmax(y_pred, axis=-1)
            known = ops.log(ops.maximum(teacher, 1e-8))
            divergence = ops.sum(teacher * (known - student), axis=(1, 2))
            return keras.losses.ctc(ids, y_pred) + weight * divergence

    return Taught(name=TAUGHT)


@dataclass(slots=True)
class DistilTask(SlidingTask):
    """A sliding task with a teacher, which must know the same characters and take strips of the same height."""

    teacher: Bundle = field(kw_only=True)

    def __post_init__(self) -> None:
        theirs = (self.teacher.kind, self.teacher.charset.symbols)
        if theirs != (self.kind, self.charset.symbols):
            raise BundleError(f"expected a teacher {(self.kind, self.charset.symbols)}, received {theirs}")
        if read_settings(self.teacher, SlideSettings) != self.slide:
            raise BundleError(f"expected a teacher with the strips {self.slide}, received {self.teacher.path}")

    @property
    def data(self) -> Mapping[str, Any]:
        sources = {"sources": self.mixture.describe(), "labels": self.mixture.labels}
        return {**sources, "network": self.network, "teacher": self.teacher.sha256}

    def loss(self) -> Any:
        return taught_loss()

    def batches(self, seed: int, start: int) -> Iterator[list[StripBatch]]:
        make = MakeTaught(MakeStrips(self.mixture, self.slide, self.batch), self.teacher.path)
        drawn: Iterator[Any] = stream(make, workers=self.workers, seed=seed, start=start)
        return drawn
