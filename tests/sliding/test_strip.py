"""Strips: images are scaled, colour kept, and columns lead back to image pixels."""

import cv2
import numpy as np
import pytest

from captcha_solver.errors import OptionError
from captcha_solver.sliding.strip import SlideSettings, histogram, levelled, pad_right, spans, to_strips
from captcha_solver.types import Rgb, Strip


def bars(size: tuple[int, int], box: tuple[int, int, int, int], ink: int = 0, paper: int = 255) -> Rgb:
    """Upright bars two pixels wide within ``box`` (left, top, right, bottom): something like text."""
    image = np.full((*size, 3), paper, np.uint8)
    left, top, right, bottom = box
    for x in range(left, right, 6):
        image[top:bottom, x : x + 2] = ink
    return image


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
    assert pixels[:, :, 0].min() >= 254
    assert pixels[:, :, 1].min() < 60


def test_spans_lead_back_to_image_columns() -> None:
    strip = Strip(np.zeros((40, 160, 3), np.float32), px_per_column=0.5)
    columns = spans(strip, 40)
    assert columns.shape == (40, 2)
    assert columns[0].tolist() == [0.0, 2.0]
    assert columns[-1].tolist() == [78.0, 80.0]


def test_a_mark_in_the_image_is_where_its_span_says() -> None:
    image = bars((60, 200), (40, 10, 160, 50))
    cv2.rectangle(image, (99, 10), (101, 50), (255, 0, 0), -1)
    (strip,) = levelled([image], SlideSettings())
    red = (strip.pixels[:, :, 0].astype(int) - strip.pixels[:, :, 1] > 150).mean(axis=0).argmax()
    assert abs((red + 0.5) * strip.px_per_column - 100.5) < 3


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
        assert alone.px_per_column == strip.px_per_column
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
