"""Averaging two bundles: every weight lies between, and what does not fit is refused."""

from dataclasses import replace

import numpy as np
import pytest

from captcha_solver.errors import BundleError
from captcha_solver.models.bundle import load_bundle, shipped_bundles
from scripts import soup

SLIDING = load_bundle(shipped_bundles()["sliding"])


class _Model:
    def __init__(self, *weights: list[float]) -> None:
        self._weights = [np.array(w, np.float32) for w in weights]

    def get_weights(self) -> list[np.ndarray]:
        return self._weights

    def set_weights(self, weights: list[np.ndarray]) -> None:
        self._weights = weights


def test_each_weight_lies_a_share_of_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    models = iter([_Model([0.0, 4.0], [1.0]), _Model([4.0, 8.0], [2.0])])
    monkeypatch.setattr(soup, "load_keras", lambda bundle: next(models))
    weights = soup.average(SLIDING, SLIDING, 0.25).get_weights()
    assert [w.tolist() for w in weights] == [[1.0, 5.0], [1.25]]


def test_networks_of_other_shapes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    models = iter([_Model([0.0, 4.0]), _Model([4.0])])
    monkeypatch.setattr(soup, "load_keras", lambda bundle: next(models))
    with pytest.raises(BundleError, match="networks of one shape"):
        soup.average(SLIDING, SLIDING, 0.5)


def test_bundles_of_other_settings_are_refused() -> None:
    with pytest.raises(BundleError, match="one kind, charset and settings"):
        soup.average(SLIDING, replace(SLIDING, settings={**SLIDING.settings, "strip_px": 48}), 0.5)
