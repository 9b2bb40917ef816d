"""Fits the temperature that makes confidences true, to held-out logits and their labels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from captcha_solver.charset import NOTHING
from captcha_solver.decoding.probabilities import greedy, log_softmax
from captcha_solver.statistics import calibration_error

Logits = NDArray[np.float32]
Labels = NDArray[np.int32]

TEMPERATURES = np.exp(np.linspace(np.log(0.25), np.log(8.0), 61))


@dataclass(frozen=True, slots=True)
class Calibration:
    """Temperature, the number of held-out answers, and the expected calibration error before and after."""

    temperature: float
    n: int
    ece_before: float
    ece_after: float


def right(logits: Logits, labels: Labels) -> NDArray[np.bool_]:
    """(N,) which answers are right.

    Logits (N, T, C) with labels (N, L), zero padded: the whole word by greedy decoding.
    Logits (N, C) with labels (N,) or (N, 1): the class.
    """
    best = logits.argmax(axis=-1)
    if logits.ndim == 2:
        classes: NDArray[np.bool_] = best == labels.reshape(len(labels), -1)[:, 0]
        return classes
    words = [greedy(path) == [int(i) for i in label if i != NOTHING] for path, label in zip(best, labels, strict=True)]
    return np.array(words, bool)


def confidences(logits: Logits, temperature: float) -> NDArray[np.float64]:
    """(N,) confidence of each greedy answer: the product of each emitted character's peak probability."""
    log_probs = log_softmax((logits / temperature).astype(np.float64))
    best, peak = log_probs.argmax(axis=-1), log_probs.max(axis=-1)
    if logits.ndim == 2:
        return np.asarray(np.exp(peak))
    return np.array([np.exp(_word_peak(path, p)) for path, p in zip(best, peak, strict=True)])


def _word_peak(path: NDArray[np.integer], peak: NDArray[np.float64]) -> float:
    """Sum of the highest log-probability of each emitted run of one best path (T,); nothing emitted: -inf."""
    starts = np.flatnonzero(np.concatenate(([True], path[1:] != path[:-1])))
    highest = np.maximum.reduceat(peak, starts)[path[starts] != NOTHING]
    return float(highest.sum()) if len(highest) else -np.inf  # an empty reading has confidence 0


def calibrate(heldout: Sequence[tuple[Logits, Labels]]) -> Calibration:
    """The temperature with the lowest negative log-likelihood of "this answer is right", and the errors."""
    answers = np.concatenate([right(logits, labels) for logits, labels in heldout])
    if not len(answers) or answers.all() or not answers.any():
        temperature = 1.0  # nothing to learn from: all right or all wrong
    else:
        losses = [_loss(heldout, answers, float(t)) for t in TEMPERATURES]
        temperature = float(TEMPERATURES[int(np.argmin(losses))])
    return Calibration(
        temperature,
        len(answers),
        calibration_error(_all(heldout, 1.0), answers),
        calibration_error(_all(heldout, temperature), answers),
    )


def _all(heldout: Sequence[tuple[Logits, Labels]], temperature: float) -> NDArray[np.float64]:
    return np.concatenate([confidences(logits, temperature) for logits, _ in heldout])


def _loss(heldout: Sequence[tuple[Logits, Labels]], answers: NDArray[np.bool_], temperature: float) -> float:
    p = np.clip(_all(heldout, temperature), 1e-6, 1 - 1e-6)
    return float(-np.where(answers, np.log(p), np.log1p(-p)).mean())
