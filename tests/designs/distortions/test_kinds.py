"""Each distortion does what its knobs say, as much as they say: one table of kind, knobs and measured effect."""

import math
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from captcha_solver.designs.distortions.kinds import KINDS
from captcha_solver.designs.drawing.page import Page, plain_page
from captcha_solver.designs.drawing.scene import Scene
from captcha_solver.designs.knobs import PageDistortion, SceneDistortion, at_severity
from captcha_solver.types import Rgb

Measure = Callable[[Rgb], float]
SEVERITIES = 1.5, 3.0, 4.5


def scene_of(image: Rgb, seed: int = 0) -> Scene:
    """A finished picture without a text."""
    height, width = image.shape[:2]
    return Scene(
        rng=np.random.default_rng(seed), width_px=width, height_px=height, text=("A", "B"), faces=["lora"] * 2,
        background=(255, 255, 255), ink=(0, 0, 0), mask=np.zeros((height, width), np.uint8), inks=None,
        glyph_colours=None, owners=None, text_box=(0, 0, width, height), canvas=image.copy(), laid=True,
    )  # fmt: skip


def distorted(kind: str, image: Rgb, severity: float, *, seed: int = 0, **knobs: Any) -> Rgb:
    distortion = at_severity(KINDS[kind](**knobs), severity)
    assert isinstance(distortion, SceneDistortion)
    scene = scene_of(image, seed)
    distortion.apply(scene)
    return scene.image


def flat(level: int, height: int = 200, width: int = 200) -> Rgb:
    return np.full((height, width, 3), level, np.uint8)


def step(dark: int = 50, light: int = 200) -> Rgb:
    image = flat(dark)
    image[:, 100:] = light
    return image


def ramp() -> Rgb:
    """Each pixel's level is its column."""
    return np.repeat(np.tile(np.arange(256, dtype=np.uint8), (200, 1))[:, :, None], 3, axis=2)


def line() -> Rgb:
    image = flat(255)
    image[:, 98:103] = 0
    return image


def framed() -> Rgb:
    """White, with a black rim that whatever is moved inwards leaves behind."""
    image = flat(255)
    image[[0, -1]] = 0
    image[:, [0, -1]] = 0
    return image


def edge_width(image: Rgb) -> float:
    """Standard deviation, in px, of where the level changes along a row."""
    change = np.abs(np.diff(image[100, :, 0].astype(float)))
    places = np.arange(len(change))
    middle = (change * places).sum() / change.sum()
    return math.sqrt((change * (places - middle) ** 2).sum() / change.sum())


def swing(image: Rgb) -> float:
    """Half of how far a vertical line goes to and fro, in px."""
    dark = 255.0 - image[:, :, 0]
    centres = (dark * np.arange(image.shape[1])).sum(axis=1) / dark.sum(axis=1)
    return float(np.ptp(centres[20:-20]) / 2)


def lost_share(image: Rgb) -> float:
    """Of each side of ``framed``, beyond its rim."""
    return 198 / 200 - math.sqrt(float((image[:, :, 0] > 127).mean()))


def displacement(image: Rgb) -> float:
    """Standard deviation of how far the columns of a ramp were moved, in px."""
    inner = np.s_[40:-40, 40:-40, 0]
    return float((image[inner].astype(float) - ramp()[inner]).std())


def std(image: Rgb) -> float:
    return float(image.astype(float).std(axis=(0, 1)).mean())


def changed(image: Rgb) -> float:
    """Share of the pixels of a grey picture that are another level."""
    return float((image != 128).any(axis=2).mean())


def span(image: Rgb) -> float:
    return float(image.max()) - float(image.min())


def overshoot(image: Rgb) -> float:
    return float(image.max()) - 150


PROPORTIONAL: list[tuple[str, dict[str, Any], Rgb, Measure, float, float]] = [
    # kind, knobs, picture, measure, what it gives at severity 3, and how far off it may be (of one)
    ("blur", {"sigma_px": 2.0}, step(), edge_width, 2.0, 0.05),
    ("noise", {"sigma_levels": 12}, flat(128), std, 12.0, 0.05),
    ("noise", {"sigma_levels": 12, "channels": "apart"}, flat(128), std, 12.0, 0.05),
    ("salt-pepper", {"share_fraction": 0.03}, flat(128), changed, 0.03, 0.08),
    ("wave", {"amplitude_px": 4, "period_px": 40}, line(), swing, 4 * 0.65, 0.15),
    ("perspective", {"max_fraction": 0.08}, framed(), lost_share, 0.08, 0.15),
    ("ripple", {"amplitude_px": 3, "grain_px": 20}, ramp(), displacement, 3 * 0.51, 0.1),
    ("sharpen", {"amount_fraction": 0.4}, step(100, 150), overshoot, 7.0, 0.25),
]


@pytest.mark.parametrize(("kind", "knobs", "image", "measure", "expected", "off"), PROPORTIONAL)
@pytest.mark.parametrize("severity", SEVERITIES)
def test_an_effect_is_what_the_knob_says_and_grows_with_severity(
    kind: str, knobs: dict[str, Any], image: Rgb, measure: Measure, expected: float, off: float, severity: float
) -> None:
    measured = np.mean([measure(distorted(kind, image, severity, seed=seed, **knobs)) for seed in range(40)])
    assert measured == pytest.approx(expected * severity / 3, rel=off)


def test_noise_is_one_for_all_channels_or_one_each() -> None:
    for channels, alike in (("together", 1.0), ("apart", 0.0)):
        image = distorted("noise", flat(128), 3, channels=channels).reshape(-1, 3).astype(float)
        assert np.corrcoef(image.T)[0, 1] == pytest.approx(alike, abs=0.02)


@pytest.mark.parametrize(("severity", "quality"), [(1.5, 72), (3.0, 45), (4.5, 17)])
def test_jpeg_has_the_quality_that_is_left(severity: float, quality: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (60, 160, 3), dtype=np.uint8)
    _, data = cv2.imencode(".jpg", image[:, :, ::-1].copy(), [cv2.IMWRITE_JPEG_QUALITY, quality])
    expected = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))[:, :, ::-1]
    np.testing.assert_array_equal(distorted("jpeg", image, severity, loss_quality=55), expected)


@pytest.mark.parametrize(("severity", "kept"), [(1.5, 0.75), (3.0, 0.5), (4.5, 0.25)])
def test_so_much_contrast_is_kept(severity: float, kept: float) -> None:
    image = distorted("low-contrast", step(0, 255), severity, loss_fraction=0.5)
    assert span(image) == pytest.approx(255 * kept, abs=2)


def test_smoothing_has_the_weights_that_it_says() -> None:
    image = flat(0)
    image[100, 100] = 130
    once = distorted("smooth", image, 3, passes_count=1)[99:102, 99:102, 0]
    assert once.tolist() == [[10, 10, 10], [10, 50, 10], [10, 10, 10]]
    twice = distorted("smooth", image, 3, passes_count=2)[98:103, 98:103, 0]
    assert twice[0, 0] == 1
    assert 20 <= twice[2, 2] <= 28


def test_changes_of_all_pixels() -> None:
    image = np.random.default_rng(1).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    np.testing.assert_array_equal(distorted("negative", image, 3), 255 - image)
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    np.testing.assert_array_equal(distorted("gray", image, 3), np.repeat(grey[:, :, None], 3, axis=2))
    assert set(np.unique(distorted("one-bit", image, 3)).tolist()) == {0, 255}
    assert set(np.unique(distorted("palette", ramp(), 3, step_levels=60)).tolist()) == {0, 60, 120, 180, 240}
    assert set(np.unique(distorted("palette", ramp(), 1.5, step_levels=60)).tolist()) == set(range(0, 256, 30))
    assert distorted("edges", flat(80), 3).tolist() == flat(127).tolist()
    assert len(np.unique(distorted("gif", image, 3, palette_colours=8).reshape(-1, 3), axis=0)) == 8
    assert distorted("rescale", image, 3, scale_fraction=1.5).shape == (60, 90, 3)


def inked(image: Rgb) -> float:
    return float((255.0 - image[:, :, 0]).sum() / 255)


COUNTED: list[tuple[str, dict[str, Any], float]] = [
    # kind, knobs, and how much ink (in px) it lays on a white picture of 300 x 300 at severity 3
    ("lines", {"line_count": 3, "width_px": 1.5}, 3 * 215 * 2.3),
    ("long-lines", {"line_count": 6, "width_px": 1, "colour": "text"}, 6 * 330),
    ("dots", {"dot_count": 20, "radius_px": 3}, 20 * math.pi * 2.7**2),
    ("specks", {"speck_count": 30, "size_px": 3}, 30 * 6),
    ("fragments", {"fragment_count": 60, "length_px": 10, "width_px": 1}, 60 * 10),
    ("occlude", {"block_count": 6, "size_px": 10}, 6 * 11**2),
    ("arcs", {"arc_count": 3, "width_px": 2}, 3 * 300 * 3),
    ("curves", {"curve_count": 3, "width_px": 2}, 3 * 450 * 3),
    ("ellipses", {"ellipse_count": 3, "width_px": 1}, 3 * 350),
    ("salt-pepper", {"share_fraction": 0.03}, 0.03 * 300 * 300 / 2),
]


@pytest.mark.parametrize(("kind", "knobs", "expected"), COUNTED)
def test_marks_are_as_many_as_the_knob_says(kind: str, knobs: dict[str, Any], expected: float) -> None:
    def ink(severity: float) -> float:
        pictures = (distorted(kind, flat(255, 300, 300), severity, seed=seed, **knobs) for seed in range(40))
        return float(np.mean([inked(picture) for picture in pictures]))

    least, middle, most = (ink(severity) for severity in (1.0, 3.0, 5.0))
    assert 0.75 * expected < middle < 1.33 * expected
    assert most / least == pytest.approx(5, rel=0.25)  # a few lie on each other


def page(count: int = 500) -> Page:
    texts = [tuple("ABCD")] * count
    canvas = np.tile([200.0, 100.0], (count, 1))
    return plain_page(np.random.default_rng(2), texts, [["lora"] * 4] * count, np.full(count, 40.0), canvas)


Read = Callable[[Page], NDArray[Any]]
LAYOUTS: list[tuple[str, dict[str, Any], Read, float, float]] = [
    # kind, knobs, what it changes, and the mean and standard deviation of that at severity 3
    ("rotate", {"max_deg": 20}, lambda p: p.rotation_deg, 0.0, 20 / 3**0.5),
    ("rotate-text", {"max_deg": 12}, lambda p: p.rotation_deg[:, 0], 0.0, 12 / 3**0.5),
    ("skew", {"max_deg": 15}, lambda p: p.skew_deg, 0.0, 15 / 3**0.5),
    ("size-jitter", {"max_fraction": 0.2}, lambda p: p.size_px / 40 - 1, 0.0, 0.2 / 3**0.5),
    ("stretch", {"max_fraction": 0.2, "each": "apart"}, lambda p: p.stretch - 1, 0.0, 0.2 / 3**0.5),
    ("bounce", {"max_fraction": 0.1}, lambda p: p.shift_px[:, :, 1], 0.0, 0.1 * 100 / 3**0.5),
    ("corner-warp", {"max_fraction": 0.12}, lambda p: p.corners_fraction, 0.0, 0.12 / 3**0.5),
    ("bend", {"max_fraction": 0.05}, lambda p: p.bend_fraction, 0.65 * 0.05, 0.7 * 0.05 / 12**0.5),
    ("weight", {"max_px": 1, "direction": "thicker"}, lambda p: p.weight_px[:, 0], 0.5, 1 / 12**0.5),
    ("weight", {"max_px": 1, "direction": "thinner"}, lambda p: p.weight_px[:, 0], -0.5, 1 / 12**0.5),
    ("spread", {"max_fraction": 0.3}, lambda p: p.gap_fraction, 0.15, 0.3 / 12**0.5),
    ("overlap", {"max_fraction": 0.12}, lambda p: p.gap_fraction, -0.65 * 0.12, 0.7 * 0.12 / 12**0.5),
    ("translucent", {"loss_fraction": 0.4}, lambda p: 1 - p.opacity, 0.65 * 0.4, 0.7 * 0.4 / 12**0.5),
    ("collapse", {"share_probability": 0.5}, lambda p: p.touch_fraction, 0.5, 0.0),
]


@pytest.mark.parametrize(("kind", "knobs", "read", "mean", "spread"), LAYOUTS)
@pytest.mark.parametrize("severity", SEVERITIES)
def test_a_layout_is_changed_as_much_as_the_knob_says(
    kind: str, knobs: dict[str, Any], read: Read, mean: float, spread: float, severity: float
) -> None:
    made, distortion = page(), at_severity(KINDS[kind](**knobs), severity)
    assert isinstance(distortion, PageDistortion)
    distortion.apply(made, np.ones((500, 1), np.bool_))
    values, by = read(made), severity / 3
    near = 0.12 * by * max(spread, abs(mean))
    assert values.mean() == pytest.approx(mean * by, abs=near)
    assert values.std() == pytest.approx(spread * by, abs=near + 1e-6)
    untouched = page()
    distortion.apply(untouched, np.zeros((500, 1), np.bool_))
    np.testing.assert_array_equal(read(untouched), read(page()))
