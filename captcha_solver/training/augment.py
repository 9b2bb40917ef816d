"""Vary a labelled image without changing its text: geometry, colour, blur; so that few labels go a long way."""

import cv2
import numpy as np

from captcha_solver.types import Rgb


def augment(image: Rgb, rng: np.random.Generator) -> Rgb:
    """Another view of ``image`` (H, W, 3) uint8, of the same size."""
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
