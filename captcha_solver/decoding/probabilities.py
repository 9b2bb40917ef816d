"""Scores of classes as probabilities, and the best path through them: used by decoding, training and calibration alike.

Tested in ``tests/decoding/test_decode.py``.
"""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from captcha_solver.charset import NOTHING

FloatT = TypeVar("FloatT", bound=np.floating)


@dataclass(frozen=True, slots=True)
class Run:
    """A class emitted over the steps ``start`` to ``stop - 1``."""

    column: int
    start: int
    stop: int


def log_softmax(values: NDArray[FloatT]) -> NDArray[FloatT]:
    """Log-probabilities over the last axis of (..., C) values, in their own dtype."""
    shifted = values - values.max(axis=-1, keepdims=True)
    normalised: NDArray[FloatT] = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return normalised


def runs(path: NDArray[np.integer]) -> list[Run]:
    """Runs of equal classes of a (T,) path, without "nothing here": what CTC's greedy decoding emits (Graves 2006)."""
    found, before, start = [], NOTHING, 0
    for step, column in enumerate([*path.tolist(), NOTHING]):
        if column != before:
            if before != NOTHING:
                found.append(Run(before, start, step))
            before, start = column, step
    return found


def greedy(path: NDArray[np.integer]) -> list[int]:
    """Class ids of one best path (T,): repeats merged, then "nothing here" dropped."""
    return [run.column for run in runs(path)]
