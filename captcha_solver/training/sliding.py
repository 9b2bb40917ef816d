"""The task of the sliding route: drawn or labelled images in, strips of similar width and their label ids out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from captcha_solver.attempt import attempt
from captcha_solver.charset import NAMED, Charset
from captcha_solver.errors import OptionError
from captcha_solver.image import read_image
from captcha_solver.locate.cut import crop
from captcha_solver.locate.regions import locate
from captcha_solver.models.bundle import Bundle
from captcha_solver.models.runtimes import load_keras
from captcha_solver.models.sliding import NETWORKS, build_sliding
from captcha_solver.recognizers import read_settings
from captcha_solver.slide import SlideSettings, levelled, pad_right
from captcha_solver.training.calibration import right
from captcha_solver.training.sources import Mixture, parse_source
from captcha_solver.training.workers import stream
from captcha_solver.types import Box, Rgb, Sample

COLUMNS_PER_STEP = 4
WIDENED, WIDTHS = 0.5, (0.7, 1.4)  # share of the training images whose width is changed, and by what factors
SHIFT = 0.05  # of the height of the text: standard deviation of what its edges are moved by in training
LEAST_CUT_PX = 6
BATCHES_A_DRAW = 8  # images of one draw are sorted by width, so that a batch needs little padding
LONGEST_LABEL = 20
HELDOUT_IMAGES = 1024
HELDOUT_SEED, PROOF_SEED = 987_654_321, 987_654_322  # no training seed draws from these streams

StripBatch = tuple[NDArray[np.uint8], NDArray[np.int32]]


@dataclass(frozen=True, slots=True)
class MakeStrips:
    """Draw ``batch * BATCHES_A_DRAW`` images and return them as batches of similar width."""

    mixture: Mixture
    slide: SlideSettings
    batch: int
    batches: int = BATCHES_A_DRAW
    heldout: bool = False

    def __call__(self, rng: np.random.Generator) -> list[StripBatch]:
        """A list of (x (N, S, W, 3) uint8, y (N, L) int32 zero padded), W a multiple of the width step."""
        strips: list[tuple[NDArray[np.uint8], list[int]]] = []
        wanted = self.batch * self.batches
        while len(strips) < wanted:
            strips += self._strips(rng, wanted - len(strips))
        strips.sort(key=lambda pair: pair[0].shape[1])
        groups = [strips[i : i + self.batch] for i in range(0, wanted, self.batch)]
        return [stacked(groups[i], self.slide) for i in rng.permutation(len(groups))]

    def _strips(self, rng: np.random.Generator, count: int) -> list[tuple[NDArray[np.uint8], list[int]]]:
        """Up to ``count`` strips with their label ids: a text too long for its strip is left out."""
        drawn = self.mixture.images(rng, count, heldout=self.heldout)
        images = [cut_to_text(image, None if self.heldout else rng) for image, _ in drawn]
        if not self.heldout:
            images = [widened(image, rng) if rng.random() < WIDENED else image for image in images]
        strips = levelled(images, self.slide)
        return [
            (strip.pixels, self.mixture.charset.encode(text))
            for strip, (_, text) in zip(strips, drawn, strict=True)
            if fits(text, strip.pixels.shape[1])
        ]


def cut_to_text(image: Rgb, rng: np.random.Generator | None = None) -> Rgb:
    """The part of ``image`` (H, W, 3) with its text; with ``rng`` the edges are moved in or out a little."""
    box = locate(image).whole
    if rng is None:
        return crop(image, box)
    near, far = rng.normal(0, SHIFT * box.height_px, (2, 2))
    height, width = image.shape[:2]
    top, bottom = np.clip((box.top_px + near[0], box.bottom_px + far[0]), 0, height).astype(int)
    left, right = np.clip((box.left_px + near[1], box.right_px + far[1]), 0, width).astype(int)
    moved = Box(int(left), int(top), int(right), int(bottom))
    return crop(image, moved if min(moved.width_px, moved.height_px) >= LEAST_CUT_PX else box)


def widened(image: Rgb, rng: np.random.Generator) -> Rgb:
    """``image`` (H, W, 3) uint8 made wider or narrower by a factor out of ``WIDTHS``: faces differ in it most."""
    part = rng.uniform(-1, 1)
    factor = float(WIDTHS[1] ** part if part > 0 else WIDTHS[0] ** -part)
    width = max(8, round(image.shape[1] * factor))
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (width, image.shape[0]), interpolation=how), np.uint8)


def stacked(group: Sequence[tuple[NDArray[np.uint8], list[int]]], slide: SlideSettings) -> StripBatch:
    """Strips (S, w, 3) with their label ids as one batch, padded to the widest."""
    width = -(-max(pixels.shape[1] for pixels, _ in group) // slide.width_step_px) * slide.width_step_px
    x = np.stack([pad_right(pixels, width) for pixels, _ in group])
    y = np.zeros((len(group), LONGEST_LABEL), np.int32)
    for row, (_, ids) in zip(y, group, strict=True):
        row[: len(ids)] = ids
    return x, y


def fits(text: str, width_px: int) -> bool:
    """Whether CTC can emit ``text`` from a strip this wide: a step a character, a blank between equal ones."""
    repeats = sum(a == b for a, b in pairwise(text))
    return len(text) <= LONGEST_LABEL and len(text) + repeats <= width_px // COLUMNS_PER_STEP


@dataclass(slots=True)
class SlidingTask:
    """Everything the training loop needs to know of this route."""

    mixture: Mixture
    slide: SlideSettings
    batch: int
    workers: int
    kind: str = "sliding"
    heldout_images: int = HELDOUT_IMAGES
    network: str | None = None
    start: Bundle | None = None

    @classmethod
    def from_sources(
        cls,
        sources: Sequence[str],
        *,
        labels: int | None,
        batch: int,
        workers: int,
        start: Bundle | None = None,
        network: str | None = None,
    ) -> "SlidingTask":
        """A task over designs and folders given as on the command line (``NAME`` or ``NAME:WEIGHT``).

        With ``start``, its charset and strips are kept, and its network, unless another of ``NETWORKS`` is named, which
        takes the weights that fit it.
        """
        if network is not None and network not in NETWORKS:
            raise OptionError(f"expected a network out of {', '.join(NETWORKS)}, received {network!r}")
        charset = start.charset if start else Charset(NAMED["alnum"])
        mixture = Mixture(tuple(parse_source(s) for s in sources), charset, labels)
        mixture.check()
        slide = read_settings(start, SlideSettings) if start else SlideSettings()
        return cls(mixture, slide, batch, workers, network=network, start=start)

    @property
    def charset(self) -> Charset:
        return self.mixture.charset

    @property
    def settings(self) -> Mapping[str, Any]:
        return asdict(self.slide)

    @property
    def data(self) -> Mapping[str, Any]:
        return {"sources": self.mixture.describe(), "labels": self.mixture.labels, "network": self.network}

    def build(self) -> Any:
        if self.start is not None and self.network is None:
            started = load_keras(self.start)
            return type(started).from_config(started.get_config())
        return build_sliding(self.slide.strip_px, self.charset.classes, NETWORKS[self.network or "base"])

    def loss(self) -> Any:
        import keras

        return keras.losses.CTC()

    def batches(self, seed: int, start: int) -> Iterator[list[StripBatch]]:
        make = MakeStrips(self.mixture, self.slide, self.batch)
        return stream(make, workers=self.workers, seed=seed, start=start)

    def heldout(self) -> list[StripBatch]:
        return self._held(self.heldout_images, HELDOUT_SEED)

    def proof(self) -> list[StripBatch]:
        return self._held(4 * self.heldout_images, PROOF_SEED)

    def _held(self, images: int, seed: int) -> list[StripBatch]:
        make = MakeStrips(self.mixture, self.slide, 64, max(1, images // 64), heldout=True)
        return make(np.random.default_rng(seed))

    def labelled_batches(self, samples: Sequence[Sample]) -> list[StripBatch]:
        """Each readable one of ``samples``, as it is, once: batches of one width."""
        read = [(attempt(read_image, sample.image).value, sample.text) for sample in samples]
        pairs = [(image, text) for image, text in read if image is not None]
        strips = levelled([cut_to_text(image) for image, _ in pairs], self.slide)
        groups: dict[int, list[tuple[NDArray[np.uint8], list[int]]]] = {}
        for strip, (_, text) in zip(strips, pairs, strict=True):
            width = -(-strip.pixels.shape[1] // self.slide.width_step_px)
            groups.setdefault(width, []).append((strip.pixels, self.charset.encode(text)))
        return [stacked(group, self.slide) for group in groups.values()]

    def accuracy(self, logits: NDArray[np.float32], labels: NDArray[np.int32]) -> float:
        return float(right(logits, labels).mean())
