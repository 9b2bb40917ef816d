"""Many texts at once are as likely as each by itself."""

import itertools

import numpy as np
import pytest

from captcha_solver.decoding.candidates import NEVER, log_likelihoods


def rows(steps: int, classes: int, seed: int) -> np.ndarray:
    values = np.random.default_rng(seed).normal(0, 2, (steps, classes))
    return np.asarray(values - np.log(np.exp(values).sum(axis=1, keepdims=True)))


def collapsed(path: tuple[int, ...]) -> tuple[int, ...]:
    merged = [each for each, before in zip(path, (0, *path), strict=False) if each != before]
    return tuple(each for each in merged if each)


def test_a_text_is_as_likely_as_all_paths_that_spell_it() -> None:
    log_probs = rows(4, 4, 1)
    expected: dict[tuple[int, ...], float] = {}
    for path in itertools.product(range(4), repeat=4):
        p = float(np.exp(sum(log_probs[step, each] for step, each in enumerate(path))))
        expected[collapsed(path)] = expected.get(collapsed(path), 0.0) + p
    found = log_likelihoods(log_probs, list(expected))
    assert np.exp(found) == pytest.approx(list(expected.values()))


def test_all_texts_together_are_certain() -> None:
    log_probs = rows(3, 3, 2)
    texts = [text for length in range(4) for text in itertools.product((1, 2), repeat=length)]
    assert np.exp(log_likelihoods(log_probs, texts)).sum() == pytest.approx(1)


def test_what_does_not_fit_never_comes() -> None:
    found = log_likelihoods(rows(2, 3, 3), [(1, 1), (1, 2, 1), (1, 2)])
    assert (found[:2] <= NEVER / 2).all()
    assert found[2] > -50
    assert log_likelihoods(rows(2, 3, 3), []).shape == (0,)
