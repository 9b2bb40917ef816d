"""Prove that both runtimes of a bundle give the same probabilities and the same answers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from captcha_solver.decoding.probabilities import log_softmax
from captcha_solver.errors import BundleError
from captcha_solver.models.bundle import Bundle
from captcha_solver.models.runtimes import KerasRuntime, OnnxRuntime
from captcha_solver.types import Batch

TOLERANCE = 1e-4


@dataclass(frozen=True, slots=True)
class Parity:
    """How far two runtimes are apart: images compared, largest difference in probability, other answers."""

    images: int
    max_difference: float
    answers_differ: int


def check_parity(bundle: Bundle, batches: Sequence[Batch]) -> Parity:
    """Score ``batches`` (each (N, H, W, C) float32 0-1) in both runtimes; ``BundleError`` unless equal."""
    onnx, keras = OnnxRuntime(bundle), KerasRuntime(bundle)
    images, worst, differ = 0, 0.0, 0
    for batch in batches:
        a, b = onnx.run(batch), keras.run(batch)
        if a.shape != b.shape:
            raise BundleError(
                f"ONNX and Keras disagree: expected logits {b.shape} for {batch.shape}, received {a.shape}"
            )
        images += len(batch)
        first, second = (np.exp(log_softmax(each.astype(np.float64))) for each in (a, b))
        apart = np.abs(first - second).max(initial=0.0)
        worst = float(np.maximum(worst, apart))  # Python's own max would lose a NaN
        differ += int(_answers_differ(a, b).sum())
    if worst > TOLERANCE or differ or not np.isfinite(worst):
        raise BundleError(
            f"ONNX and Keras disagree in {bundle.path}: expected probabilities within {TOLERANCE} and equal "
            f"answers, received {worst:.2e} and {differ} of {images} answers that differ"
        )
    return Parity(images, worst, differ)


def _answers_differ(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.bool_]:
    """(N,) whether the greedy paths differ; logits (N, T, C) or (N, C)."""
    different = a.argmax(-1) != b.argmax(-1)
    answers: NDArray[np.bool_] = different.reshape(len(a), -1).any(axis=1)
    return answers
