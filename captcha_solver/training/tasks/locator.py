"""The task of the locating network: which cells of drawn images hold a glyph."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from captcha_solver.charset import NAMED, Charset
from captcha_solver.designs.drawing.draw import draw_batch
from captcha_solver.errors import BundleError, OptionError
from captcha_solver.locate.textmap import normalised, padded, scaled_down
from captcha_solver.models.bundle import MANIFEST, Bundle
from captcha_solver.models.compact import round_kernels
from captcha_solver.models.locator import CELL_PX, PARTS, build_locator
from captcha_solver.models.runtimes import KerasRuntime, OnnxRuntime
from captcha_solver.models.save import amend_bundle, save_bundle
from captcha_solver.training.checkpoint import remove_checkpoint
from captcha_solver.training.finishing.card import training_card
from captcha_solver.training.finishing.parity import TOLERANCE
from captcha_solver.training.sources import Mixture, cached_design, parse_source
from captcha_solver.training.task import TrainSettings
from captcha_solver.training.workers import stream
from captcha_solver.types import Rgb

LOCATOR_SETTINGS = TrainSettings(minutes=30.0, learning_rate=3e-3)
BATCHES_A_DRAW = 16
HELDOUT_BATCHES, HELDOUT_SEED = 16, 987_654_323
CROPPED, CROP = 0.3, 0.15  # share of the images cut at their sides, by up to this part at each
STRETCHED, STRETCH = 0.3, 1.4
NEGATED, RECOLOURED = 0.3, 0.5
INKED = 64  # of 255: a part of a cell with a pixel that a glyph covers so far is marked

Owned = tuple[Rgb, NDArray[np.uint8]]
CellBatch = tuple[NDArray[np.float32], NDArray[np.int32]]


@dataclass(frozen=True, slots=True)
class MakeCells:
    """Draw ``batch * batches`` images and return them as batches of similar shape."""

    mixture: Mixture
    batch: int
    batches: int = BATCHES_A_DRAW
    heldout: bool = False

    def __call__(self, rng: np.random.Generator) -> list[CellBatch]:
        """A list of (x (N, H, W, 3) float32 normalised, y (N, H // 4, W // 4, 4) int32, 1 = glyph)."""
        drawn = self._drawn(rng)
        if not self.heldout:
            drawn = [varied(image, glyphs, rng) for image, glyphs in drawn]
        small = [(scaled_down(image), scaled_down(glyphs)) for image, glyphs in drawn]
        small.sort(key=lambda pair: pair[0].shape[1] / pair[0].shape[0])
        groups = [small[i : i + self.batch] for i in range(0, len(small), self.batch)]
        return [stacked(groups[i]) for i in rng.permutation(len(groups))]

    def _drawn(self, rng: np.random.Generator) -> list[Owned]:
        weights = np.array([source.weight for source in self.mixture.sources])
        shares = rng.multinomial(self.batch * self.batches, weights / weights.sum()).tolist()
        drawn: list[Owned] = []
        for source, share in zip(self.mixture.sources, shares, strict=True):
            for each in draw_batch(cached_design(source.spec), [None] * share, rng, owners=True):
                assert each.owners is not None
                drawn.append((each.image, np.where(each.owners > 0, np.uint8(255), np.uint8(0))))
        return drawn


def varied(image: Rgb, glyphs: NDArray[np.uint8], rng: np.random.Generator) -> Owned:
    """Mirrored, negated, its channels changed about, cut at its sides, made wider or narrower: glyphs stay glyphs."""
    if rng.random() < CROPPED:
        height, width = glyphs.shape
        top, bottom = (rng.random(2) * CROP * height).astype(int)
        left, right = (rng.random(2) * CROP * width).astype(int)
        image, glyphs = (each[top : height - bottom, left : width - right] for each in (image, glyphs))
    for axis in (0, 1):
        if rng.random() < 0.5:
            image, glyphs = (np.asarray(np.flip(each, axis), np.uint8) for each in (image, glyphs))
    if rng.random() < NEGATED:
        image = 255 - image
    if rng.random() < RECOLOURED:
        image = image[:, :, rng.permutation(3)]
    if rng.random() < STRETCHED:
        factor = STRETCH ** rng.uniform(-1, 1)
        size = (max(8, round(image.shape[1] * factor)), image.shape[0])
        image, glyphs = (np.asarray(cv2.resize(np.ascontiguousarray(each), size), np.uint8) for each in (image, glyphs))
    return np.ascontiguousarray(image), np.ascontiguousarray(glyphs)


def stacked(group: Sequence[Owned]) -> CellBatch:
    """Images and their glyphs as one batch, padded to the highest and the widest."""
    size = (_stepped(max(len(image) for image, _ in group)), _stepped(max(image.shape[1] for image, _ in group)))
    x = np.stack([padded(normalised(image), size) for image, _ in group])
    y = np.stack([_marked(glyphs, size) for _, glyphs in group])
    return x, y


def _stepped(length: int) -> int:
    return -(-length // (2 * CELL_PX)) * 2 * CELL_PX


def _marked(glyphs: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.int32]:
    """(h, w, 4) int32 of (H, W) uint8 0-255 within ``size``: the parts of cells that hold a glyph pixel."""
    height, width = glyphs.shape
    whole = cv2.copyMakeBorder(glyphs, 0, size[0] - height, 0, size[1] - width, cv2.BORDER_CONSTANT, value=0)
    cells = (size[0] // CELL_PX, size[1] // CELL_PX)
    spot = CELL_PX // PARTS
    parts = np.asarray(whole).reshape(cells[0], PARTS, spot, cells[1], PARTS, spot).max(axis=(2, 5))
    marked: NDArray[np.int32] = (parts.transpose(0, 2, 1, 3).reshape(*cells, PARTS * PARTS) > INKED).astype(np.int32)
    return marked


@dataclass(slots=True)
class LocatorTask:
    """Everything the training loop needs to know of locating."""

    mixture: Mixture
    batch: int
    workers: int
    kind: str = "locator"
    heldout_batches: int = HELDOUT_BATCHES

    @classmethod
    def from_sources(cls, sources: Sequence[str], *, batch: int, workers: int) -> "LocatorTask":
        """A task over designs (``NAME`` or ``NAME:WEIGHT``); ``OptionError`` for a folder: where are its glyphs?"""
        mixture = Mixture(tuple(parse_source(each) for each in sources), Charset(NAMED["alnum"]))
        folders = [source.spec for source in mixture.sources if source.is_folder]
        if folders:
            raise OptionError(f"expected designs, whose glyphs are known, received the folder {folders[0]}")
        mixture.check()
        return cls(mixture, batch, workers)

    @property
    def charset(self) -> Charset:
        return self.mixture.charset

    @property
    def settings(self) -> Mapping[str, Any]:
        return {}

    @property
    def data(self) -> Mapping[str, Any]:
        return {"sources": self.mixture.describe()}

    def build(self) -> Any:
        return build_locator()

    def loss(self) -> Any:
        import keras

        return keras.losses.BinaryCrossentropy(from_logits=True)

    def batches(self, seed: int, start: int) -> Iterator[list[CellBatch]]:
        return stream(MakeCells(self.mixture, self.batch), workers=self.workers, seed=seed, start=start)

    def heldout(self) -> list[CellBatch]:
        make = MakeCells(self.mixture, 64, self.heldout_batches, heldout=True)
        return make(np.random.default_rng(HELDOUT_SEED))

    def proof(self) -> list[CellBatch]:
        return self.heldout()

    def accuracy(self, logits: NDArray[np.float32], labels: NDArray[np.int32]) -> float:
        """Mean over the images of the share that marked and found cells have in common (intersection over union)."""
        found, marked = logits > 0, labels > 0
        axes = tuple(range(1, labels.ndim))
        either = (found | marked).sum(axis=axes)
        both = (found & marked).sum(axis=axes)
        return float(np.mean(np.where(either > 0, both / np.maximum(either, 1), 1.0)))


def finish_locator(task: LocatorTask, out: Path, model: Any, report: Mapping[str, Any]) -> Bundle:
    """Round the kernels to what is stored, export, check that both runtimes agree, write the card."""
    round_kernels(model)
    heldout = task.heldout()
    card = training_card({"data": dict(task.data), "training": dict(report)})
    bundle = save_bundle(
        model, out, kind=task.kind, charset=task.charset, settings=task.settings, temperature=1.0, card=card
    )
    apart = _apart(bundle, [x for x, _ in heldout])
    if not apart <= TOLERANCE:
        (out / MANIFEST).unlink(missing_ok=True)  # a bundle whose runtimes disagree is none
        raise BundleError(f"ONNX and Keras disagree in {out}: expected within {TOLERANCE}, received {apart:.2e}")
    parity = {"images": sum(len(x) for x, _ in heldout), "max_difference": apart}
    bundle = amend_bundle(bundle, card={"parity": parity})
    remove_checkpoint(out)
    return bundle


def _apart(bundle: Bundle, batches: Sequence[NDArray[np.float32]]) -> float:
    """The largest difference in probability between the runtimes."""
    onnx, keras = OnnxRuntime(bundle), KerasRuntime(bundle)
    gaps = [np.abs(_probability(onnx.run(x)) - _probability(keras.run(x))).max() for x in batches]
    return float(max(gaps))


def _probability(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    probability: NDArray[np.float64] = 1 / (1 + np.exp(-logits.astype(np.float64)))
    return probability
