"""Turn a colour image into a grey one whose ink is 1: the distance from the fitted background, stretched."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from captcha_solver.errors import OptionError
from captcha_solver.types import Gray, Rgb

_FIT_ROWS, _FIT_COLUMNS = 24, 48  # the background is fitted on at most about so many
_FIT_ROUNDS = 8
_POWERS = ((0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (0, 2))  # of x and y


@dataclass(frozen=True, slots=True)
class GraySettings:
    """How ink is told from background.

    ``background_degree`` 0-2 is the degree of the colour surface fitted to the background (0 plain, 2 a bent
    gradient); ``background_part`` 0-1 the part of the pixels taken as surely background while fitting;
    ``noise_sigmas`` how far, in standard deviations of the background's own noise, ink must stand out;
    ``floor_levels`` the same in grey levels 0-255 for images without noise.
    """

    background_degree: int = 2
    background_part: float = 0.6
    noise_sigmas: float = 4.0
    floor_levels: float = 9.0

    def __post_init__(self) -> None:
        if self.background_degree not in (0, 1, 2):
            raise OptionError(f"expected background_degree 0, 1 or 2, received {self.background_degree}")
        if not 0.1 <= self.background_part <= 1.0:
            raise OptionError(f"expected background_part in 0.1-1, received {self.background_part}")
        if self.noise_sigmas <= 0 or self.floor_levels <= 0:
            raise OptionError("expected positive noise_sigmas and floor_levels")


def to_gray(rgb: Rgb, settings: GraySettings) -> Gray:
    """Grey image (H, W) float32 0-1 of ``rgb`` (H, W, 3) uint8: background 0, ink 1, whatever the colours.

    Ink is what differs from the background *in colour*, so pale, hue-only and negative text all come out
    alike. The level called 1 is the median of the ink: a few specks much darker than the text do not make
    it faint. An image without ink is all 0.
    """
    pixels = rgb.astype(np.float32)
    distance = np.sqrt(np.square(pixels - fit_background(pixels, settings)).sum(axis=2) / 3.0)
    noise = settings.noise_sigmas * _noise_levels(distance, settings.background_part)
    threshold = max(noise, settings.floor_levels)
    ink = distance[distance > threshold]
    if ink.size < 4:
        return np.zeros(rgb.shape[:2], np.float32)
    level = max(float(np.median(ink)), 1.5 * threshold)
    stretched = (distance - 0.5 * noise) / (level - 0.5 * noise)
    return np.asarray(np.clip(stretched, 0.0, 1.0), np.float32)


def fit_background(pixels: NDArray[np.float32], settings: GraySettings) -> NDArray[np.float32]:
    """The background's colour at each pixel, (H, W, 3) float32 0-255, from ``pixels`` of the same shape.

    A polynomial in x and y, first by least absolute deviations (weighted least squares repeated: text is
    in the minority, so it does not pull the surface), then by least squares on the pixels nearest to that.
    """
    height, width = pixels.shape[:2]
    y, x = np.linspace(-1, 1, height), np.linspace(-1, 1, width)
    rows, columns = slice(None, None, 1 + height // _FIT_ROWS), slice(None, None, 1 + width // _FIT_COLUMNS)
    powers = [(p, q) for p, q in _POWERS if p + q <= settings.background_degree]
    basis = np.stack([np.outer(y[rows] ** q, x[columns] ** p).ravel() for p, q in powers], axis=1)
    samples = pixels[rows, columns].reshape(-1, 3).astype(np.float64)
    weights = np.ones(len(samples))
    for _ in range(_FIT_ROUNDS):
        coefficients = _solve(basis, samples, weights)
        residual = np.abs(samples - basis @ coefficients).sum(axis=1)
        weights = 1.0 / (residual + 1.0)
    near = residual <= np.quantile(residual, settings.background_part)
    coefficients = _solve(basis, samples, near.astype(np.float64))
    surface = np.zeros((height, width, 3), np.float32)
    for (p, q), colour in zip(powers, coefficients, strict=True):
        surface += np.outer(y**q, x**p).astype(np.float32)[:, :, None] * colour.astype(np.float32)
    return surface


def _solve(
    basis: NDArray[np.float64], samples: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Weighted least squares: coefficients (terms, 3), held by a hair so that flat images can be solved."""
    weighted = basis * weights[:, None]
    ridge = 1e-6 * weights.sum() * np.eye(basis.shape[1])
    return np.asarray(np.linalg.solve(weighted.T @ basis + ridge, weighted.T @ samples))


def _noise_levels(distance: NDArray[np.float32], part: float) -> float:
    """Standard deviation of the background's noise in grey levels, from its ``part`` of the distances."""
    return float(np.quantile(distance, part / 2))


def resize(image: NDArray[np.float32], width_px: int, height_px: int) -> NDArray[np.float32]:
    """``image`` (H, W) 0-1 resized to (height_px, width_px): averaged to shrink, cubic to grow."""
    shrinking = width_px < image.shape[1]
    how = cv2.INTER_AREA if shrinking else cv2.INTER_CUBIC
    resized = cv2.resize(image, (width_px, height_px), interpolation=how)
    return np.clip(resized, 0.0, 1.0).astype(np.float32)
