"""Fitting of views: rules, thresholds and calibration do what their names say, and the bundle keeps what was fitted."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from captcha_solver.errors import BundleError
from captcha_solver.models.bundle import MANIFEST, load_bundle, shipped_bundles
from captcha_solver.solver import load_solver
from captcha_solver.training.finishing.fit_views import (
    RULES,
    SUPPORT,
    SUREST,
    Looked,
    accuracy,
    fitted,
    main,
    platt,
    voted,
)
from captcha_solver.views import VIEWS
from captcha_solver.voting import VoteFit

READINGS = (("a", 0.9, 0.3), ("b", 0.5, 0.2), ("b", 0.45, 0.2), ("c", 0.1, 0.4))


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("sum of confidences", "b"),
        ("one vote a view", "b"),
        ("sum of squares", "a"),
        ("sum of roots", "b"),
        (SUREST, "a"),
        (SUPPORT, "c"),
    ],
)
def test_rules_weigh_confidences(rule: str, text: str) -> None:
    assert voted(READINGS, rule)[0] == text


def test_only_unsure_images_are_voted_on() -> None:
    sure = Looked("a", (("a", 0.95, 0.3), ("b", 0.9, 0.6), ("b", 0.9, 0.6)))
    unsure = Looked("B", (("a", 0.4, 0.1), ("b", 0.9, 0.6), ("b", 0.9, 0.6)))
    rule = SUPPORT
    assert accuracy([sure, unsure], rule, 0.0) == (0.5, 1.0)
    assert accuracy([sure, unsure], rule, 0.9) == (1.0, 2.0)
    assert accuracy([sure, unsure], rule, 1.0) == (0.5, 3.0)


def test_the_lowest_threshold_that_is_as_good_is_taken() -> None:
    helped = [Looked("b", (("a", 0.55, 0.2), ("b", 0.9, 0.6), ("b", 0.9, 0.6)))] * 5
    harmed = [Looked("a", (("a", 0.92, 0.3), ("b", 0.9, 0.6), ("b", 0.9, 0.6)))] * 5
    assert fitted([helped + harmed]).below == 0.6


def test_the_calibration_makes_shares_true() -> None:
    rng = np.random.default_rng(0)
    shares = rng.uniform(0.02, 0.98, 4000)
    truth = 1 / (1 + np.exp(-(1.5 * np.log(shares / (1 - shares)) + 0.8)))
    slope, offset = platt(shares, rng.random(4000) < truth)
    assert slope == pytest.approx(1.5, abs=0.15)
    assert offset == pytest.approx(0.8, abs=0.15)


def test_what_was_fitted_is_kept_in_the_bundle(tmp_path: Path) -> None:
    copied = tmp_path / "copied"
    shutil.copytree(shipped_bundles()["sliding"], copied)
    done = CliRunner().invoke(main, [str(copied), "plain", "ledger", "--count", "8", "--write"])
    assert done.exit_code == 0, done.output
    for said in (*VIEWS, *RULES, SUPPORT, "slope"):
        assert said in done.output
    bundle = load_bundle(copied)
    assert bundle.card["views"] == {"designs": ["plain", "ledger"], "images": 16}
    assert bundle.views != VoteFit()
    assert load_solver(copied, views="auto").views.fit == bundle.views


def test_shares_that_tell_right_from_wrong_give_a_fit_that_can_be_used() -> None:
    shares = np.random.default_rng(0).random(400)
    with np.errstate(all="raise"):
        slope, offset = platt(shares, shares > 0.5)
    assert 1 < slope < 60
    fit = VoteFit(0.5, slope, offset)
    assert fit.confidence(1e-9) < 0.01 < 0.99 < fit.confidence(1 - 1e-9)
    assert VoteFit(0.5, 1e6, 0.0).confidence(0.4) == pytest.approx(0, abs=1e-9)


def test_a_fit_that_is_impossible_is_refused(tmp_path: Path) -> None:
    copied = tmp_path / "copied"
    shutil.copytree(shipped_bundles()["sliding"], copied)
    manifest = json.loads((copied / MANIFEST).read_text())
    manifest["views"]["slope"] = 0
    (copied / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match="slope above 0"):
        load_bundle(copied)


def test_a_bundle_that_is_not_there_is_refused(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, [str(tmp_path / "none")])
    assert done.exit_code == 1
    assert "none" in done.output
