"""Calibration: confidences as decoding defines them, and the temperature that makes them true."""

import numpy as np
import pytest

from captcha_solver.charset import Charset
from captcha_solver.decoding.decode import Constraints, decode
from captcha_solver.decoding.probabilities import greedy, log_softmax
from captcha_solver.statistics import calibration_error
from captcha_solver.training.finishing.calibration import (
    calibrate,
    confidences,
    right,
)
from captcha_solver.types import Scores


@pytest.mark.parametrize(
    ("path", "ids"),
    [([0, 1, 1, 0, 2], [1, 2]), ([1, 0, 1], [1, 1]), ([1, 1, 1], [1]), ([0, 0], []), ([3, 2, 2], [3, 2])],
)
def test_a_best_path_merges_repeats_then_drops_blanks(path: list[int], ids: list[int]) -> None:
    assert greedy(np.array(path)) == ids


def test_right_compares_whole_words_and_classes() -> None:
    words = np.eye(3, dtype=np.float32)[[[1, 1, 0, 2], [1, 0, 1, 0], [0, 0, 0, 0]]]
    labels = np.array([[1, 2, 0], [1, 0, 0], [1, 0, 0]], np.int32)
    assert right(words, labels).tolist() == [True, False, False]
    classes = np.eye(3, dtype=np.float32)[[0, 2, 1]]
    assert right(classes, np.array([0, 2, 2], np.int32)).tolist() == [True, True, False]
    assert right(classes, np.array([[0], [2], [2]], np.int32)).tolist() == [True, True, False]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_confidence_is_that_of_decoding(temperature: float) -> None:
    logits = np.random.default_rng(3).normal(0, 3, (20, 9, 4)).astype(np.float32)
    expected = [
        decode(
            Scores(log_softmax(one).astype(np.float32), np.zeros((9, 2), np.float32), collapse=True),
            Charset("abc"),
            Constraints(),
            temperature,
        ).confidence
        for one in logits
    ]
    np.testing.assert_allclose(confidences(logits, temperature), expected, rtol=1e-4)


def test_confidence_of_a_class_is_its_probability() -> None:
    logits = np.log(np.array([[0.7, 0.2, 0.1]], np.float32))
    assert confidences(logits, 1.0) == pytest.approx([0.7])
    assert confidences(logits, 1e6) == pytest.approx([1 / 3], abs=1e-4)


def test_the_error_is_the_mean_gap_of_the_bins() -> None:
    confidence = np.array([0.95, 0.95, 0.95, 0.95, 0.5, 0.5])
    answers = np.array([True, True, True, False, True, False])
    assert calibration_error(confidence, answers) == pytest.approx((4 * 0.2 + 2 * 0.0) / 6)
    assert calibration_error(np.zeros(0), np.zeros(0, bool)) == 0.0


def sampled(scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Logits three times too sure at scale 3, and labels drawn from the true probabilities."""
    rng = np.random.default_rng(5)
    logits = rng.normal(0, 1.5, (6000, 5))
    labels = (log_softmax(logits) + rng.gumbel(size=logits.shape)).argmax(axis=1)
    return (scale * logits).astype(np.float32), labels.astype(np.int32)


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
def test_the_temperature_undoes_a_known_scale(scale: float) -> None:
    found = calibrate([sampled(scale)])
    assert found.temperature == pytest.approx(scale, rel=0.1)
    assert found.n == 6000
    assert found.ece_after < 0.02
    assert scale == 1.0 or found.ece_after < found.ece_before / 3


@pytest.mark.parametrize("label", [0, 1])
def test_all_right_or_all_wrong_teaches_nothing(label: int) -> None:
    logits = np.tile(np.array([[5.0, 0.0]], np.float32), (10, 1))
    assert calibrate([(logits, np.full(10, label, np.int32))]).temperature == 1.0
