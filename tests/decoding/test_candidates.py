"""Many texts at once are as likely as each by itself."""

import itertools

import numpy as np
import pytest

from captcha_solver.decoding.candidates import NEVER, log_likelihoods
from captcha_solver.decoding.ctc import log_likelihood


def rows(steps: int, classes: int, seed: int) -> np.ndarray:
    values = np.random.default_rng(seed).normal(0, 2, (steps, classes))
    return np.asarray(values - np.log(np.exp(values).sum(axis=1, keepdims=True)))


def test_each_text_is_as_likely_as_by_itself() -> None:
    log_probs = rows(6, 4, 1)
    texts = [text for length in range(4) for text in itertools.product((1, 2, 3), repeat=length)]
    found = log_likelihoods(log_probs, texts)
    assert found == pytest.approx([log_likelihood(log_probs, text) for text in texts])


def test_all_texts_together_are_certain() -> None:
    log_probs = rows(3, 3, 2)
    texts = [text for length in range(4) for text in itertools.product((1, 2), repeat=length)]
    assert np.exp(log_likelihoods(log_probs, texts)).sum() == pytest.approx(1)


def test_what_does_not_fit_never_comes() -> None:
    found = log_likelihoods(rows(2, 3, 3), [(1, 1), (1, 2, 1), (1, 2)])
    assert (found[:2] <= NEVER / 2).all()
    assert found[2] > -50
    assert log_likelihoods(rows(2, 3, 3), []).shape == (0,)
