"""Perturbs images so that a network reads them wrong, within a bound for each pixel.

FGSM (Goodfellow et al. 2015) takes one step against the network's loss, PGD (Madry et al. 2018) several, each held
within ``levels`` of 255 of the original in every channel (L-infinity). Between image and network lie finding, cutting,
scaling and stretching, which have no gradient: the strip's gradient is scaled back onto the text's box and taken for
the image's (a straight-through estimate, Athalye et al. 2018).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from captcha_solver.charset import Charset
from captcha_solver.locate.cut import crop
from captcha_solver.locate.regions import locate
from captcha_solver.models.bundle import Bundle
from captcha_solver.models.runtimes import import_keras, load_keras
from captcha_solver.recognizers import read_settings
from captcha_solver.sliding.strip import SlideSettings, levelled, pad_right, stepped
from captcha_solver.types import Box, Rgb

AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class Perturbation:
    """A way to change images: ``levels`` of 255 at most in each channel, in ``steps`` steps."""

    levels: int
    steps: int

    @property
    def name(self) -> str:
        return f"{'FGSM' if self.steps == 1 else 'PGD'} within {self.levels}/255"

    @property
    def step(self) -> float:
        return self.levels if self.steps == 1 else 2.5 * self.levels / self.steps


PERTURBATIONS = (Perturbation(4, 1), Perturbation(8, 1), Perturbation(4, 10), Perturbation(8, 10))


class Adversary:
    """Perturbs images against one sliding bundle, through its Keras network."""

    def __init__(self, bundle: Bundle) -> None:
        self._keras = import_keras()
        self._model = load_keras(bundle)
        self._charset: Charset = bundle.charset
        self._slide = read_settings(bundle, SlideSettings)

    def perturb(self, images: Sequence[Rgb], texts: Sequence[str], how: Perturbation) -> list[Rgb]:
        """Each (H, W, 3) uint8 image changed against reading it as its text; those of unknown characters stay."""
        known = set(self._charset.symbols)
        changed = [np.asarray(image, np.float32) for image in images]
        places = [i for i, text in enumerate(texts) if text and set(text) <= known]
        for _ in range(how.steps):
            for start in range(0, len(places), AT_ONCE):
                part = places[start : start + AT_ONCE]
                rounded = [np.rint(changed[i]).astype(np.uint8) for i in part]
                gradients = self._gradients(rounded, [texts[i] for i in part])
                for i, gradient in zip(part, gradients, strict=True):
                    moved = changed[i] + how.step * np.sign(gradient)
                    clean = images[i].astype(np.float32)
                    changed[i] = np.clip(np.clip(moved, clean - how.levels, clean + how.levels), 0, 255)
        return [np.rint(each).astype(np.uint8) for each in changed]

    def _gradients(self, images: Sequence[Rgb], texts: Sequence[str]) -> list[NDArray[np.float32]]:
        """Of the loss by each image (H, W, 3)."""
        boxes = [locate(image).whole for image in images]
        strips = levelled([crop(image, box) for image, box in zip(images, boxes, strict=True)], self._slide)
        width = stepped(max(strip.pixels.shape[1] for strip in strips), self._slide)
        x = np.stack([pad_right(strip.pixels, width) for strip in strips]).astype(np.float32) / np.float32(255)
        longest = max(map(len, texts))
        y = np.array([self._charset.encode(text) + [0] * (longest - len(text)) for text in texts], np.int32)
        by_strip = input_gradient(self._keras, self._model, x, y)
        return [
            _on_image(image, box, gradient[:, : strip.pixels.shape[1]], strip.pixels)
            for image, box, gradient, strip in zip(images, boxes, by_strip, strips, strict=True)
        ]


def input_gradient(keras: Any, model: Any, x: NDArray[np.float32], y: NDArray[np.int32]) -> NDArray[np.float32]:
    """Gradient of the CTC loss by the strips ``x`` (N, S, W, 3), by whichever backend Keras runs on."""
    loss = keras.losses.CTC(reduction="sum")
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        given = tf.constant(x)
        with tf.GradientTape() as tape:
            tape.watch(given)
            value = loss(y, model(given, training=False))
        return np.asarray(tape.gradient(value, given), np.float32)
    if backend == "torch":
        import torch

        given = torch.tensor(x, requires_grad=True)
        loss(torch.tensor(y), model(given, training=False)).backward()
        return np.asarray(given.grad.numpy(), np.float32)
    import jax

    return np.asarray(jax.grad(lambda given: loss(y, model(given, training=False)))(x), np.float32)


def _on_image(image: Rgb, box: Box, gradient: NDArray[np.float32], strip: NDArray[np.uint8]) -> NDArray[np.float32]:
    """A strip's gradient (S, w, 3) where its text lies in the image; its sign turned where the strip is a negative."""
    whole = np.zeros(image.shape, np.float32)
    crop = image[box.top_px : box.bottom_px, box.left_px : box.right_px]
    scaled = np.asarray(
        cv2.resize(gradient, (crop.shape[1], crop.shape[0]), interpolation=cv2.INTER_LINEAR), np.float32
    )
    small = np.asarray(cv2.resize(crop, (strip.shape[1], strip.shape[0]), interpolation=cv2.INTER_AREA), np.float32)
    follows = float(((small - small.mean()) * (strip - strip.mean(dtype=np.float64))).sum()) >= 0
    whole[box.top_px : box.bottom_px, box.left_px : box.right_px] = scaled if follows else -scaled
    return whole


def jpeg(image: Rgb, quality: int = 75) -> Rgb:
    """The image (H, W, 3) after JPEG: what washes fine changes out."""
    coded = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.ascontiguousarray(np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)[..., ::-1])


def blur(image: Rgb, sigma_px: float = 0.8) -> Rgb:
    """The image (H, W, 3) blurred a little."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma_px), np.uint8)


WASHES: dict[str, Callable[[Rgb], Rgb]] = {"JPEG 75": jpeg, "blur 0.8 px": blur}
"""What an attacker does to an image before they read it."""


@dataclass(frozen=True, slots=True)
class Perturbed:
    """How images were perturbed, and what was done to them before they were read: one of ``WASHES``, or nothing."""

    how: Perturbation
    wash: str | None = None

    @property
    def condition(self) -> str:
        """Its name among an audit's conditions."""
        return self.how.name if self.wash is None else f"{self.how.name}, {self.wash}"


PERTURBED_CONDITIONS: dict[str, Perturbed] = {
    each.condition: each for how in PERTURBATIONS for wash in (None, *WASHES) for each in (Perturbed(how, wash),)
}
"""Every condition under which images are perturbed."""
