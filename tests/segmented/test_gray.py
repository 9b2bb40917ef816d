"""Colour images with known ink: whatever the colours, the ink comes out as 1 and the background as 0."""

import numpy as np
import pytest
from numpy.typing import NDArray

from captcha_solver.errors import OptionError
from captcha_solver.segmented.gray import GraySettings, fit_background, resize, to_gray
from captcha_solver.types import Rgb

SETTINGS = GraySettings()


def bars(background: tuple[int, int, int], ink: tuple[int, int, int]) -> tuple[Rgb, NDArray[np.bool_]]:
    """Three upright bars on a 120 x 40 canvas, and where they are."""
    where = np.zeros((40, 120), bool)
    for left in (20, 50, 80):
        where[8:32, left : left + 6] = True
    return np.where(where[:, :, None], np.array(ink), np.array(background)).astype(np.uint8), where


@pytest.mark.parametrize(
    ("background", "ink"),
    [
        pytest.param((255, 255, 255), (0, 0, 0), id="black on white"),
        pytest.param((0, 0, 0), (255, 255, 255), id="negative"),
        pytest.param((250, 250, 245), (215, 215, 220), id="pale"),
        pytest.param((130, 130, 130), (130, 150, 102), id="hue alone, the same brightness"),
        pytest.param((20, 10, 60), (200, 30, 30), id="red on navy"),
    ],
)
def test_ink_is_one_whatever_the_colours(background: tuple[int, int, int], ink: tuple[int, int, int]) -> None:
    image, where = bars(background, ink)
    gray = to_gray(image, SETTINGS)
    assert gray.shape == (40, 120)
    assert gray.dtype == np.float32
    assert gray[where].min() > 0.95
    assert gray[~where].max() < 0.05


def test_a_gradient_behind_the_text_is_taken_out() -> None:
    image, where = bars((0, 0, 0), (0, 0, 0))
    slope = np.linspace(120, 250, 120)[None, :, None] * np.array([1.0, 0.9, 0.7])
    image = np.where(where[:, :, None], slope - 70, slope).astype(np.uint8)
    gray = to_gray(np.broadcast_to(image, (40, 120, 3)).copy(), SETTINGS)
    assert gray[where].min() > 0.8
    assert gray[~where].max() < 0.1


def test_dark_specks_do_not_make_pale_text_faint() -> None:
    image, where = bars((255, 255, 255), (205, 205, 235))
    image[2:5, 3:6] = image[35:38, 100:103] = image[2:5, 110:113] = (0, 0, 90)
    gray = to_gray(image, SETTINGS)
    assert gray[where].min() > 0.9
    assert gray[3, 4] == 1.0


def test_noise_that_hides_no_text_stays_below_the_text() -> None:
    image, where = bars((200, 200, 200), (60, 60, 60))
    noise = np.random.default_rng(1).normal(0, 8, image.shape)
    gray = to_gray(np.clip(image + noise, 0, 255).astype(np.uint8), SETTINGS)
    assert np.quantile(gray[where], 0.05) > 0.8
    assert np.quantile(gray[~where], 0.99) < 0.2


@pytest.mark.parametrize("level", [0, 128, 255])
def test_an_empty_image_has_no_ink(level: int) -> None:
    assert not to_gray(np.full((20, 50, 3), level, np.uint8), SETTINGS).any()


def test_the_smallest_image_is_no_error() -> None:
    assert to_gray(np.zeros((1, 1, 3), np.uint8), SETTINGS).shape == (1, 1)


def test_the_background_is_fitted_past_the_text() -> None:
    y, x = np.meshgrid(np.linspace(-1, 1, 50), np.linspace(-1, 1, 90), indexing="ij")
    surface = np.stack([150 + 40 * x, 140 + 20 * y - 15 * x * y, 160 + 30 * x**2], axis=2).astype(np.float32)
    pixels = surface.copy()
    pixels[10:40, 15:55] -= 100  # 1200 of 4500 pixels are text
    assert np.abs(fit_background(pixels, SETTINGS) - surface).max() < 2.0
    flat = fit_background(pixels, GraySettings(background_degree=0))
    assert np.ptp(flat.reshape(-1, 3), axis=0).max() == 0.0


@pytest.mark.parametrize(
    "broken",
    [
        {"background_degree": 3},
        {"background_part": 0.0},
        {"noise_sigmas": 0.0},
        {"floor_levels": -1.0},
    ],
)
def test_settings_out_of_range_are_refused(broken: dict[str, float]) -> None:
    with pytest.raises(OptionError, match="expected"):
        GraySettings(**broken)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [(30, 10), (5, 40), (1, 1), (60, 20)])
def test_resize_keeps_the_range(size: tuple[int, int]) -> None:
    gray = np.zeros((10, 30), np.float32)
    gray[:, ::2] = 1.0
    resized = resize(gray, *size)
    assert resized.shape == (size[1], size[0])
    assert resized.min() >= 0.0
    assert resized.max() <= 1.0
