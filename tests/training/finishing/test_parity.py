"""Both runtimes of a bundle must agree: in probabilities within the tolerance, and in every answer."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from captcha_solver.errors import BundleError
from captcha_solver.training.finishing import parity
from captcha_solver.training.finishing.parity import TOLERANCE, Parity, check_parity

BATCH = np.zeros((3, 40, 48, 3), np.float32)
LOGITS = np.log(np.array([[[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]]] * 3, np.float32))  # (N, T, C)


@pytest.fixture
def runtimes(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Has the two runtimes give these logits."""

    def give(onnx: NDArray[np.float32], keras: NDArray[np.float32]) -> Any:
        for name, logits in (("OnnxRuntime", onnx), ("KerasRuntime", keras)):
            made = SimpleNamespace(run=lambda batch, logits=logits: logits)
            monkeypatch.setattr(parity, name, lambda bundle, made=made: made)
        return SimpleNamespace(path=Path("bundle"))

    return give


def changed(place: tuple[int, int, int], by: float) -> NDArray[np.float32]:
    logits = LOGITS.copy()
    logits[place] += by
    return logits


def test_equal_runtimes_pass_and_images_are_counted(runtimes: Any) -> None:
    assert check_parity(runtimes(LOGITS, LOGITS), [BATCH, BATCH]) == Parity(6, 0.0, 0)


def test_a_difference_within_the_tolerance_passes_and_is_told(runtimes: Any) -> None:
    found = check_parity(runtimes(changed((0, 0, 0), 1e-4), LOGITS), [BATCH])
    assert found.max_difference == pytest.approx(0.7 * 0.3 * 1e-4, rel=0.05)
    assert found.answers_differ == 0


@pytest.mark.parametrize(("by", "told"), [(0.01, "0 of 3 answers"), (5.0, "1 of 3 answers"), (np.nan, "received nan")])
def test_a_larger_difference_is_refused(runtimes: Any, by: float, told: str) -> None:
    with pytest.raises(BundleError, match=told):
        check_parity(runtimes(changed((1, 0, 1), by), LOGITS), [BATCH])


def test_another_answer_is_refused_however_small_the_difference(runtimes: Any) -> None:
    """Two characters that are all but equally probable."""
    even = np.log(np.array([[[0.4, 0.4, 0.2]]] * 2, np.float32))
    other = even.copy()
    even[1, 0, 0] += 1e-6
    other[1, 0, 1] += 1e-6
    with pytest.raises(BundleError, match="1 of 2 answers"):
        check_parity(runtimes(even, other), [BATCH[:2]])
    apart = np.abs(np.exp(even) - np.exp(other)).max()
    assert apart < TOLERANCE


def test_both_may_not_be_broken_alike(runtimes: Any) -> None:
    broken = changed((1, 0, 1), np.nan)
    with pytest.raises(BundleError, match="received nan"):
        check_parity(runtimes(broken, broken), [BATCH])


def test_answers_of_glyphs_are_compared_too(runtimes: Any) -> None:
    """Logits (N, C)."""
    even = np.zeros((2, 3), np.float32)
    other = even.copy()
    other[0, 1] = 1e-6
    with pytest.raises(BundleError, match="1 of 2 answers"):
        check_parity(runtimes(even, other), [BATCH[:2]])


def test_other_shapes_are_refused(runtimes: Any) -> None:
    with pytest.raises(BundleError, match=r"expected logits \(3, 2, 3\)"):
        check_parity(runtimes(LOGITS[:, :1], LOGITS), [BATCH])
