"""The task of the sliding route: strips of similar width with their label ids, from drawn or labelled images."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from difflib import SequenceMatcher
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from captcha_solver.attempt import attempt
from captcha_solver.charset import Charset
from captcha_solver.decoding.probabilities import greedy
from captcha_solver.errors import OptionError
from captcha_solver.image import read_image
from captcha_solver.locate.cut import crop
from captcha_solver.locate.regions import locate
from captcha_solver.models.bundle import Bundle
from captcha_solver.models.relabel import keep_rows, with_classes
from captcha_solver.models.runtimes import load_keras
from captcha_solver.models.sliding import NETWORKS, build_sliding
from captcha_solver.recognizers import read_settings
from captcha_solver.sliding.strip import SlideSettings, levelled, pad_right, stepped
from captcha_solver.symbols import characters
from captcha_solver.training.finishing.calibration import confidences, right
from captcha_solver.training.recipes.recipe import Recipe
from captcha_solver.training.sources import Mixture, charset_for, parse_source
from captcha_solver.training.tasks.recombine import Labelled, reader_of, recombined
from captcha_solver.training.workers import stream
from captcha_solver.types import Box, Rgb, Sample

COLUMNS_PER_STEP = 4
WIDTHS = 0.7, 1.4  # by what factors the width of a training image is changed
EASY, HOPELESS = (
    0.98,
    0.25,
)  # an image read correctly this surely teaches little; so does one of which less is read correctly
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
    recipe: Recipe = field(default_factory=Recipe)
    reader: Path | None = None  # the bundle that says what is too easy or hopeless

    def __call__(self, rng: np.random.Generator) -> list[StripBatch]:
        """A list of (x (N, S, W, 3) uint8, y (N, L) int32 zero padded), W a multiple of the width step."""
        strips: list[Labelled] = []
        twice = self.recipe.consistent > 0 and not self.heldout
        size = self.batch // 2 if twice else self.batch
        wanted = size * self.batches
        while len(strips) < wanted:
            strips += self._strips(rng, wanted - len(strips))
        strips.sort(key=lambda pair: pair[0].shape[1])
        groups = [strips[i : i + size] for i in range(0, wanted, size)]
        made = [stacked(groups[i], self.slide) for i in rng.permutation(len(groups))]
        return [in_two_views(batch, rng) for batch in made] if twice else made

    def _strips(self, rng: np.random.Generator, count: int) -> list[Labelled]:
        """Up to ``count`` strips with their label ids: a text too long for its strip is left out."""
        made: list[Labelled] = []
        sources = self.mixture.by_source(rng, count, heldout=self.heldout)
        for source, drawn in zip(self.mixture.sources, sources, strict=True):
            strips = self._strips_of(drawn, rng)
            if source.is_folder and self.recipe.recombined and self.reader is not None and not self.heldout:
                strips = recombined(strips, self.reader, COLUMNS_PER_STEP, (self.recipe.recombined, rng))
            made += strips
        if self.heldout:
            return made
        if self.recipe.sieved and self.reader is not None:
            made = sieved(made, self.reader, self.slide, (self.recipe.sieved, rng))
        return joined(made, self.slide, (self.recipe.joined, rng)) if self.recipe.joined else made

    def _strips_of(self, drawn: Sequence[tuple[Rgb, str]], rng: np.random.Generator) -> list[Labelled]:
        """Those of the images whose text fits, as strips; in training varied."""
        shift = 0.0 if self.heldout else self.recipe.shifted
        images = [cut_to_text(image, rng, shift) for image, _ in drawn]
        if not self.heldout:
            images = [widened(image, rng) if rng.random() < self.recipe.widened else image for image in images]
        strips = levelled(images, self.slide)
        return [
            (strip.pixels, self.mixture.charset.encode(text))
            for strip, (_, text) in zip(strips, drawn, strict=True)
            if fits(text, strip.pixels.shape[1])
        ]


def cut_to_text(image: Rgb, rng: np.random.Generator | None = None, shift: float = 0.0) -> Rgb:
    """The part of ``image`` (H, W, 3) with its text, its edges moved by ``shift`` (standard deviation, in heights)."""
    box = locate(image).whole
    if rng is None or shift == 0:
        return crop(image, box)
    near, far = rng.normal(0, shift * box.height_px, (2, 2))
    height, width = image.shape[:2]
    top, bottom = np.clip((box.top_px + near[0], box.bottom_px + far[0]), 0, height).astype(int)
    left, right = np.clip((box.left_px + near[1], box.right_px + far[1]), 0, width).astype(int)
    moved = Box(int(left), int(top), int(right), int(bottom))
    return crop(image, moved if min(moved.width_px, moved.height_px) >= LEAST_CUT_PX else box)


def joined(strips: Sequence[Labelled], slide: SlideSettings, how: tuple[float, np.random.Generator]) -> list[Labelled]:
    """As many strips, a share of them two of ``strips`` side by side, read as one text."""
    share, rng = how
    made = []
    for pixels, ids in strips:
        other, further = strips[int(rng.integers(len(strips)))]
        both = pixels.shape[1] + other.shape[1]
        if rng.random() < share and both <= slide.max_width_px and len(ids) + len(further) < LONGEST_LABEL:
            made.append((np.concatenate([pixels, other], axis=1), [*ids, *further]))
        else:
            made.append((pixels, ids))
    return made


def sieved(
    strips: Sequence[Labelled], reader: Path, slide: SlideSettings, how: tuple[float, np.random.Generator]
) -> list[Labelled]:
    """Most of ``strips`` that teach nothing are left out: those read correctly surely, and those of which little is."""
    share, rng = how
    runtime = reader_of(reader)
    kept = []
    for pixels, ids in strips:
        x, _ = stacked([(pixels, ids)], slide)
        logits = runtime.run(x * np.float32(1 / 255))
        read, sure = greedy(logits[0].argmax(-1)), float(confidences(logits, 1.0)[0])
        matched = SequenceMatcher(None, read, ids, autojunk=False).ratio()
        dull = (read == ids and sure > EASY) or matched < HOPELESS
        if not (dull and rng.random() < share):
            kept.append((pixels, ids))
    return kept


def in_two_views(batch: StripBatch, rng: np.random.Generator) -> StripBatch:
    """Twice the strips, each half with lights, blur, noise and losses of its own: columns stay where they are."""
    x, y = batch
    views = [np.stack([photometric(strip, rng) for strip in x]) for _ in range(2)]
    return np.concatenate(views), np.concatenate([y, y])


def photometric(strip: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """A strip (S, W, 3) with another gain, blurred, noisy, or with a patch of it made flat."""
    strip = np.asarray(cv2.convertScaleAbs(strip, alpha=rng.uniform(0.75, 1.1), beta=rng.uniform(0, 20)), np.uint8)
    if rng.random() < 0.3:
        strip = np.asarray(cv2.GaussianBlur(strip, (0, 0), rng.uniform(0.3, 1.0)), np.uint8)
    if rng.random() < 0.3:
        noise = rng.standard_normal((*strip.shape[:2], 1), np.float32) * np.float32(rng.uniform(2, 18))
        strip = np.clip(strip + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.5:
        high, wide = int(rng.integers(4, strip.shape[0] // 2)), int(rng.integers(2, 10))
        top, left = int(rng.integers(strip.shape[0] - high)), int(rng.integers(max(1, strip.shape[1] - wide)))
        strip = strip.copy()
        strip[top : top + high, left : left + wide] = int(rng.integers(256))
    return strip


def widened(image: Rgb, rng: np.random.Generator) -> Rgb:
    """``image`` (H, W, 3) uint8 made wider or narrower by a factor out of ``WIDTHS``: faces differ in it most."""
    part = rng.uniform(-1, 1)
    factor = float(WIDTHS[1] ** part if part > 0 else WIDTHS[0] ** -part)
    width = max(8, round(image.shape[1] * factor))
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (width, image.shape[0]), interpolation=how), np.uint8)


def stacked(group: Sequence[Labelled], slide: SlideSettings) -> StripBatch:
    """Strips (S, w, 3) with their label ids as one batch, padded to the widest."""
    width = stepped(max(pixels.shape[1] for pixels, _ in group), slide)
    x = np.stack([pad_right(pixels, width) for pixels, _ in group])
    y = np.zeros((len(group), LONGEST_LABEL), np.int32)
    for row, (_, ids) in zip(y, group, strict=True):
        row[: len(ids)] = ids
    return x, y


def fits(text: str, width_px: int) -> bool:
    """Whether CTC can emit ``text`` from a strip this wide: a step a character, a blank between equal ones."""
    symbols = characters(text)
    repeats = sum(a == b for a, b in pairwise(symbols))
    return len(symbols) <= LONGEST_LABEL and len(symbols) + repeats <= width_px // COLUMNS_PER_STEP


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
    recipe: Recipe = field(default_factory=Recipe)

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
        recipe: Recipe | None = None,
        charset: str | None = None,
    ) -> "SlidingTask":
        """A task over designs and folders given as on the command line (``NAME`` or ``NAME:WEIGHT``).

        The characters are those of the sources, or of ``charset`` (see ``parse_charset``). With ``start``, its own are
        kept before them, and its strips, and its network, unless another of ``NETWORKS`` is named, which
        takes the weights that fit it.
        """
        if network is not None and network not in NETWORKS:
            raise OptionError(f"expected a network out of {', '.join(NETWORKS)}, received {network!r}")
        parsed = tuple(parse_source(each) for each in sources)
        mixture = Mixture(parsed, charset_for(parsed, labels, charset, start), labels)
        mixture.check()
        slide = read_settings(start, SlideSettings) if start else SlideSettings()
        recipe = recipe or Recipe()
        if recipe.sieved and start is None:
            raise OptionError("sieved needs a model that says what is easy: train --from one")
        return cls(mixture, slide, batch, workers, network=network, start=start, recipe=recipe)

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
        if self.start is None:
            return build_sliding(self.slide.strip_px, self.charset.classes, NETWORKS[self.network or "base"])
        known = load_keras(self.start)
        if self.network is None:
            model = with_classes(known, self.charset.classes)
        else:
            model = build_sliding(self.slide.strip_px, self.charset.classes, NETWORKS[self.network])
        keep_rows(model, self.charset, known, self.start.charset)
        return model

    def loss(self) -> Any:
        import keras

        return keras.losses.CTC()

    def batches(self, seed: int, start: int) -> Iterator[list[StripBatch]]:
        told = self.recipe.sieved or self.recipe.recombined
        reader = self.start.path if self.start is not None and told else None
        make = MakeStrips(self.mixture, self.slide, self.batch, recipe=self.recipe, reader=reader)
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
        groups: dict[int, list[Labelled]] = {}
        for strip, (_, text) in zip(strips, pairs, strict=True):
            width = stepped(strip.pixels.shape[1], self.slide)
            groups.setdefault(width, []).append((strip.pixels, self.charset.encode(text)))
        return [stacked(group, self.slide) for group in groups.values()]

    def accuracy(self, logits: NDArray[np.float32], labels: NDArray[np.int32]) -> float:
        return float(right(logits, labels).mean())
