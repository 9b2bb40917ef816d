from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from captcha_solver.charset import Charset
from captcha_solver.decoding.probabilities import log_softmax
from captcha_solver.errors import BundleError, OptionError
from captcha_solver.models.bundle import Bundle
from captcha_solver.recognizers import (
    COLUMNS_A_CALL,
    RECOGNIZERS,
    Recognizer,
    Segmented,
    Sliding,
    bundle_path,
    read_settings,
    reject,
    same_width,
)
from captcha_solver.segmented.path import SegmentSettings
from captcha_solver.sliding.strip import SlideSettings
from captcha_solver.types import Batch, Rgb

DIGITS = Charset("0123456789")


def bundle(kind: str, **settings: object) -> Bundle:
    return Bundle(Path("some/bundle"), kind, DIGITS, settings, 1.5, {}, "a" * 64)


class FakeRuntime:
    """Logits that depend on each image alone: the mean of its columns decides the class."""

    device = "none"
    name = "none"

    def __init__(self, classes: int = 11, *, value: float = 0.0) -> None:
        self.shapes: list[tuple[int, ...]] = []
        self._classes = classes
        self._value = value

    def run(self, batch: Batch) -> NDArray[np.float32]:
        self.shapes.append(batch.shape)
        if batch.shape[-1] == 1:
            means = batch.mean(axis=(1, 2, 3))
        else:
            means = batch.mean(axis=(1, 3)).reshape(len(batch), -1, 4).mean(axis=2)
        logits = means[..., None] * np.arange(self._classes, dtype=np.float32) + np.float32(self._value)
        return np.asarray(logits, np.float32)


def captcha(width: int, seed: int) -> Rgb:
    """A white image with a few black bars."""
    rng = np.random.default_rng(seed)
    image = np.full((50, width, 3), 255, np.uint8)
    for left in range(12, width - 12, 16):
        top = int(rng.integers(8, 14))
        image[top : top + 28, left : left + 6] = 0
    return image


IMAGES = [captcha(width, seed) for seed, width in enumerate([120, 200, 120, 64, 200, 120])]


@pytest.mark.parametrize("kind", list(RECOGNIZERS))
def test_an_answer_does_not_depend_on_the_batch(kind: str) -> None:
    recognizer = RECOGNIZERS[kind](bundle(kind), FakeRuntime())
    together = recognizer.score(IMAGES)
    for image, scores in zip(IMAGES, together, strict=True):
        (alone,) = recognizer.score([image])
        np.testing.assert_allclose(alone.log_probs, scores.log_probs, atol=1e-5)
        np.testing.assert_array_equal(alone.spans_px, scores.spans_px)


@pytest.mark.parametrize("kind", list(RECOGNIZERS))
def test_scores_are_log_probabilities_with_spans_in_the_image(kind: str) -> None:
    recognizer: Recognizer = RECOGNIZERS[kind](bundle(kind), FakeRuntime())
    assert (recognizer.name, recognizer.charset, recognizer.temperature) == ("bundle", DIGITS, 1.5)
    assert recognizer.model_sha256 == "a" * 64
    for image, scores in zip(IMAGES, recognizer.score(IMAGES), strict=True):
        steps = len(scores.log_probs)
        assert scores.log_probs.shape == (steps, 11)
        assert scores.log_probs.dtype == np.float32
        np.testing.assert_allclose(np.exp(scores.log_probs).sum(axis=1), 1, atol=1e-4)
        assert scores.spans_px.shape == (steps, 2)
        assert (scores.spans_px[:, 0] < scores.spans_px[:, 1]).all()
        assert scores.spans_px[0, 0] >= 0
        assert scores.collapse is (kind == "sliding")
        assert steps > 0
        middles = scores.spans_px.mean(axis=1)
        assert (np.diff(middles) > 0).all()
        padding_px = 16 * image.shape[0] / 40  # of a sliding strip
        assert middles[-1] < image.shape[1] + padding_px


def test_one_network_call_for_each_width() -> None:
    runtime = FakeRuntime()
    Sliding(bundle("sliding"), runtime).score(IMAGES)
    widths = [shape[2] for shape in runtime.shapes]
    assert len(widths) == len(set(widths))
    assert sum(shape[0] for shape in runtime.shapes) == len(IMAGES)


def test_all_pieces_go_through_in_one_call() -> None:
    runtime = FakeRuntime()
    Segmented(bundle("segmented"), runtime).score(IMAGES)
    assert len(runtime.shapes) == 1
    assert runtime.shapes[0][1:] == (32, 32, 1)


@pytest.mark.parametrize("kind", list(RECOGNIZERS))
def test_no_images_and_blank_images(kind: str) -> None:
    recognizer = RECOGNIZERS[kind](bundle(kind), FakeRuntime())
    assert recognizer.score([]) == []
    blank = np.full((40, 100, 3), 255, np.uint8)
    first, second, third = recognizer.score([blank, IMAGES[0], blank])
    assert len(first.log_probs) == len(third.log_probs)
    np.testing.assert_allclose(second.log_probs, recognizer.score([IMAGES[0]])[0].log_probs, atol=1e-5)
    if kind == "segmented":
        assert first.log_probs.shape == (0, 11)


def test_calls_are_bounded() -> None:
    groups = list(same_width([COLUMNS_A_CALL // 2] * 5 + [10] * 3 + [2 * COLUMNS_A_CALL] * 2))
    assert groups == [[0, 1], [2, 3], [4], [5, 6, 7], [8], [9]]


@pytest.mark.parametrize("kind", list(RECOGNIZERS))
def test_a_network_for_another_charset_is_refused(kind: str) -> None:
    with pytest.raises(BundleError, match="11 classes"):
        RECOGNIZERS[kind](bundle(kind), FakeRuntime(classes=7)).score(IMAGES)


@pytest.mark.parametrize("kind", list(RECOGNIZERS))
def test_what_is_not_finite_is_no_score(kind: str) -> None:
    with pytest.raises(ValueError, match="finite"):
        RECOGNIZERS[kind](bundle(kind), FakeRuntime(value=float("nan"))).score(IMAGES)


def test_settings_from_json() -> None:
    given = bundle("sliding", strip_px=48, locate={"margin": 0.2})  # of an earlier version: it finds text by edges
    settings = read_settings(given, SlideSettings)
    assert settings == SlideSettings(strip_px=48)
    assert read_settings(bundle("segmented"), SegmentSettings) == SegmentSettings()


@pytest.mark.parametrize("settings", [{"strip_px": 17}, {"stripe_px": 48}])
def test_settings_that_do_not_fit(settings: dict[str, object]) -> None:
    with pytest.raises(BundleError, match="its settings are no SlideSettings"):
        read_settings(bundle("sliding", **settings), SlideSettings)


def test_uncertain_pieces_are_rejected() -> None:
    probs = np.array([[0.4, 0.35, 0.25], [0.45, 0.5, 0.05], [0.9, 0.05, 0.05]], np.float32)
    turned = np.exp(reject(np.log(probs), 0.58))
    np.testing.assert_allclose(turned[0], probs[0], atol=1e-6)
    assert (turned[1:, 0] > 0.999).all()
    np.testing.assert_array_equal(reject(np.log(probs), 0.0), np.log(probs))
    sure = Segmented(bundle("segmented", reject_below=1.1), FakeRuntime()).score(IMAGES[:1])[0]
    assert (sure.log_probs[:, 1:] < -10).all()


def test_log_softmax() -> None:
    rows = log_softmax(np.array([[0, np.log(3)], [1000, 1000]], np.float32))
    np.testing.assert_allclose(np.exp(rows), [[0.25, 0.75], [0.5, 0.5]], atol=1e-6)


def test_models_by_name_or_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("captcha_solver.recognizers.shipped_bundles", lambda: {"sliding": Path("/x/sliding")})
    assert bundle_path("sliding") == Path("/x/sliding")
    assert bundle_path(str(tmp_path)) == tmp_path
    with pytest.raises(OptionError, match=r"\(sliding\)"):
        bundle_path(tmp_path / "none")
