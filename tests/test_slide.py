"""Strips: the text is found, trimmed and scaled, colour kept, and columns lead back to image pixels."""

import cv2
import numpy as np
import pytest

from captcha_solver.errors import OptionError
from captcha_solver.locate.band import LocateSettings, edge_strength, histogram, locate
from captcha_solver.slide import SlideSettings, levelled, pad_right, spans, to_strips
from captcha_solver.types import Rgb, Strip


def bars(size: tuple[int, int], box: tuple[int, int, int, int], ink: int = 0, paper: int = 255) -> Rgb:
    """Upright bars two pixels wide within ``box`` (left, top, right, bottom): something like text."""
    image = np.full((*size, 3), paper, np.uint8)
    left, top, right, bottom = box
    for x in range(left, right, 6):
        image[top:bottom, x : x + 2] = ink
    return image


@pytest.mark.parametrize("invert", [False, True])
def test_a_small_band_on_a_large_canvas_is_found(invert: bool) -> None:
    image = bars((200, 300), (100, 80, 200, 110))
    box = locate(255 - image if invert else image, LocateSettings())
    assert 85 <= box.left_px <= 100
    assert 199 <= box.right_px <= 215
    assert 60 <= box.top_px <= 80
    assert 110 <= box.bottom_px <= 130


def test_a_gradient_hides_nothing_and_adds_nothing() -> None:
    shade = np.linspace(0, 90, 300)[None, :, None].astype(np.uint8)
    plain = locate(bars((100, 300), (50, 40, 150, 70)), LocateSettings())
    shaded = locate(bars((100, 300), (50, 40, 150, 70), paper=160) + shade, LocateSettings())
    for name in ("left_px", "top_px", "right_px", "bottom_px"):
        assert abs(getattr(plain, name) - getattr(shaded, name)) <= 4


def test_a_few_specks_do_not_widen_the_box() -> None:
    image = bars((100, 300), (100, 40, 200, 70))
    for x, y in ((5, 5), (290, 95), (20, 90), (280, 8)):
        image[y : y + 2, x : x + 2] = 0
    box = locate(image, LocateSettings())
    assert box.left_px > 60
    assert box.right_px < 240


@pytest.mark.parametrize("size", [(40, 160), (1, 1), (5, 300), (300, 5)])
def test_nothing_to_find_means_the_whole_image(size: tuple[int, int]) -> None:
    box = locate(np.full((*size, 3), 128, np.uint8), LocateSettings())
    assert (box.left_px, box.top_px, box.right_px, box.bottom_px) == (0, 0, size[1], size[0])


def test_edges_are_found_in_hue_alone() -> None:
    image = np.zeros((10, 10, 3), np.uint8)
    image[:, :5] = (100, 100, 100)
    image[:, 5:] = (130, 85, 100)
    edges = edge_strength(image)
    assert edges.shape == (10, 10)
    assert edges[5, 5] == 30
    assert edges[5, 3] == 0


def test_a_strip_has_the_models_height_and_a_stepped_width() -> None:
    for width in (60, 100, 173, 900):
        (strip,) = to_strips([bars((60, width), (5, 15, width - 5, 45))], SlideSettings(strip_px=40))
        assert strip.pixels.shape[0] == 40
        assert strip.pixels.shape[1] % 16 == 0
        assert strip.pixels.shape[1] <= 480
        assert strip.pixels.dtype == np.float32
        assert 0 <= strip.pixels.min() <= strip.pixels.max() <= 1


def test_contrast_is_stretched_and_dark_ground_turned_light() -> None:
    faint = bars((60, 160), (20, 15, 140, 45), ink=90, paper=60)
    pixels = levelled([faint], SlideSettings())[0].pixels
    assert pixels.max() == 255
    assert pixels.min() <= 10
    assert np.median(pixels) > 200


def test_colour_is_kept() -> None:
    image = bars((60, 160), (20, 15, 140, 45))
    image[:, :, 0] = 255  # ink is now pure red on white
    pixels = levelled([image], SlideSettings())[0].pixels
    assert pixels[:, :, 0].min() == 255
    assert pixels[:, :, 1].min() < 60


def test_spans_lead_back_to_image_columns() -> None:
    strip = Strip(np.zeros((40, 160, 3), np.float32), left_px=30.0, px_per_column=0.5)
    columns = spans(strip, 40)
    assert columns.shape == (40, 2)
    assert columns[0].tolist() == [30.0, 32.0]
    assert columns[-1].tolist() == [108.0, 110.0]


def test_a_mark_in_the_image_is_where_its_span_says() -> None:
    image = bars((60, 200), (40, 10, 160, 50))
    cv2.rectangle(image, (99, 10), (101, 50), (255, 0, 0), -1)
    (strip,) = levelled([image], SlideSettings())
    red = (strip.pixels[:, :, 0].astype(int) - strip.pixels[:, :, 1] > 150).mean(axis=0).argmax()
    assert abs(strip.left_px + (red + 0.5) * strip.px_per_column - 100.5) < 3


def test_a_strip_is_the_same_alone_and_in_a_batch() -> None:
    images = [
        bars((60, 160), (20, 15, 140, 45)),
        bars((60, 160), (20, 15, 140, 45), ink=90, paper=60),
        bars((100, 300), (50, 40, 150, 70), ink=200, paper=30),
        np.full((40, 90, 3), 128, np.uint8),
    ]
    together = to_strips(images, SlideSettings())
    for image, strip in zip(images, together, strict=True):
        (alone,) = to_strips([image], SlideSettings())
        np.testing.assert_array_equal(alone.pixels, strip.pixels)
        assert (alone.left_px, alone.px_per_column) == (strip.left_px, strip.px_per_column)
    assert to_strips([], SlideSettings()) == []


def test_a_histogram_counts_every_value() -> None:
    levels = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
    np.testing.assert_array_equal(histogram(levels), np.bincount(levels.ravel(), minlength=256))


def test_areas_are_averaged_below_a_scale_alone() -> None:
    image = bars((120, 320), (20, 20, 300, 100))
    averaged, sampled = (levelled([image], SlideSettings(area_below=b))[0].pixels for b in (1.0, 0.2))
    assert averaged.shape == sampled.shape
    assert (averaged != sampled).mean() > 0.05


def test_padding_repeats_the_last_column() -> None:
    strip = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    padded = pad_right(strip, 5)
    assert padded.shape == (2, 5, 3)
    assert (padded[:, 3] == strip[:, 2]).all()
    assert (padded[:, 4] == strip[:, 2]).all()
    assert pad_right(strip, 3) is strip


@pytest.mark.parametrize(
    "wrong", [{"strip_px": 42}, {"strip_px": 8}, {"clip_share": 0.5}, {"min_width_px": 999}, {"area_below": 2}]
)
def test_impossible_settings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(OptionError, match="expected"):
        SlideSettings(**wrong)  # type: ignore[arg-type]
