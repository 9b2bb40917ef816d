"""Vary a labelled image without changing its text: lines, geometry, colour, blur; so that few labels go a long way."""

import cv2
import numpy as np

from captcha_solver.types import Rgb

STRUCK = 0.2  # of the images; a line may hide a character, so not more
PICKED = 24  # pixels, of which the one unlike the others gives the line's colour


def augment(image: Rgb, rng: np.random.Generator) -> Rgb:
    """Another view of ``image`` (H, W, 3) uint8, of the same size."""
    if rng.random() < STRUCK:
        image = _struck(image, rng)
    if rng.random() < 0.8:
        image = _affine(image, rng)
    if rng.random() < 0.3:
        image = _elastic(image, rng)
    if rng.random() < 0.5:
        image = _recoloured(image, rng)
    if rng.random() < 0.15:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 0.9)), np.uint8)
    if rng.random() < 0.15:
        noise = rng.standard_normal((*image.shape[:2], 1), np.float32) * np.float32(rng.uniform(2, 10))
        image = np.clip(image + noise, 0, 255).astype(np.uint8)
    return image


def _struck(image: Rgb, rng: np.random.Generator) -> Rgb:
    """A curve across the picture in the colour of something in it: what lies under a line is the same text."""
    height, width = image.shape[:2]
    rows, columns = rng.integers(height, size=PICKED), rng.integers(width, size=PICKED)
    picked = image[rows, columns].astype(np.int32)
    colour = picked[np.abs(picked - np.median(picked, axis=0)).max(axis=1).argmax()]
    along = np.linspace(rng.uniform(-0.1, 0.4), rng.uniform(0.6, 1.1), 24)
    level = rng.uniform(0.2, 0.8) + rng.uniform(-0.4, 0.4) * (along - 0.5)
    swing = rng.uniform(0, 0.25) * np.sin(2 * np.pi * (rng.uniform(0.3, 2) * along + rng.random()))
    points = np.stack([along * width, (level + swing) * height], axis=1).round().astype(np.int32)
    thickness = int(rng.integers(1, max(2, height // 20) + 1))
    how = cv2.LINE_AA if rng.random() < 0.7 else cv2.LINE_8
    return np.asarray(cv2.polylines(image.copy(), [points], False, colour.tolist(), thickness, how), np.uint8)


def _affine(image: Rgb, rng: np.random.Generator) -> Rgb:
    height, width = image.shape[:2]
    angle, shear = np.deg2rad(rng.uniform(-4, 4)), rng.uniform(-0.12, 0.12)
    scale_x, scale_y = rng.uniform(0.88, 1.1, 2)
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.array([[cos * scale_x, -sin + shear], [sin, cos * scale_y]])
    centre = np.array([width / 2, height / 2])
    move = rng.uniform(-0.03, 0.03, 2) * (width, height)
    matrix = np.hstack([turn, (centre - turn @ centre + move)[:, None]])
    return np.asarray(cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE), np.uint8)


def _elastic(image: Rgb, rng: np.random.Generator) -> Rgb:
    height, width = image.shape[:2]
    coarse = rng.uniform(-1, 1, (3, max(3, width // 16), 2)).astype(np.float32) * np.float32(height * 0.03)
    shift = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    map_x = np.arange(width, dtype=np.float32)[None, :] + shift[:, :, 0]
    map_y = np.arange(height, dtype=np.float32)[:, None] + shift[:, :, 1]
    return np.asarray(cv2.remap(image, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def _recoloured(image: Rgb, rng: np.random.Generator) -> Rgb:
    image = image[:, :, rng.permutation(3)]
    gain, bias = rng.uniform(0.7, 1.2), rng.uniform(-25, 25)
    toned = np.asarray(cv2.convertScaleAbs(image, alpha=gain, beta=max(bias, 0.0) if gain < 1 else 0.0), np.uint8)
    return 255 - toned if rng.random() < 0.1 else toned
