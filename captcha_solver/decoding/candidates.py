"""How likely each of many texts is in one CTC output: they are compared, not searched for.

Tested in ``tests/decoding/test_candidates.py``.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from captcha_solver.charset import NOTHING

NEVER = -1e9  # stands for log 0


def log_likelihoods(log_probs: NDArray[np.float64], texts: Sequence[Sequence[int]]) -> NDArray[np.float64]:
    """log p of each of ``texts`` (class ids), (N,) float64, summed over all alignments (CTC's forward algorithm).

    ``log_probs`` (T, C) float64, class 0 the blank (Graves et al. 2006). A text that T rows cannot emit gets ``NEVER``
    or less.
    """
    longest = max(map(len, texts), default=0)
    states = np.full((len(texts), 2 * longest + 1), NOTHING, np.int64)
    for row, text in zip(states, texts, strict=True):
        row[1 : 2 * len(text) : 2] = text
    skips = np.zeros(states.shape, np.bool_)
    skips[:, 3::2] = states[:, 3::2] != states[:, 1:-2:2]
    score = np.full((len(texts), states.shape[1] + 2), NEVER)
    score[:, 2] = 0.0  # as if a blank had been emitted before the first row
    for step, row in enumerate(log_probs):
        stepped = np.logaddexp(score[:, 2:], score[:, 1:-1])
        stepped = np.logaddexp(stepped, np.where(skips, score[:, :-2], NEVER)) if step else stepped
        score[:, 2:] = stepped + row[states]
    ends = 2 * np.array([len(text) for text in texts], np.int64) + 2  # the blank after the last character
    rows = np.arange(len(texts))
    last = np.where(ends > 2, score[rows, ends - 1], NEVER)
    return np.asarray(np.logaddexp(score[rows, ends], last), np.float64)
