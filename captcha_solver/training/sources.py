"""What a training draws from: designs and labelled folders, weighted; each gives labelled images on demand."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from captcha_solver.charset import Charset, charset_of, parse_charset, shown
from captcha_solver.dataset import read_folder
from captcha_solver.designs.design import Design
from captcha_solver.designs.drawing.draw import Drawing, draw_batch
from captcha_solver.designs.load import builtin_designs, load_design
from captcha_solver.errors import DatasetError, ImageError, OptionError
from captcha_solver.image import read_image
from captcha_solver.locate.cut import in_one_line
from captcha_solver.locate.regions import locate
from captcha_solver.models.bundle import Bundle
from captcha_solver.training.augment import augment
from captcha_solver.types import Rgb, Sample

HELDOUT_SHARE = 0.05  # of a folder, kept from training
FEW_IMAGES = 5000
VARIED, VARIED_OF_FEW = 0.3, 0.9  # how many training images are augmented; of a folder with few


@dataclass(frozen=True, slots=True)
class Source:
    """A design (name or .toml path) or a folder, and how often it is drawn from relative to the others."""

    spec: str
    weight: float = 1.0

    @property
    def is_folder(self) -> bool:
        return Path(self.spec).is_dir()


def parse_source(text: str) -> Source:
    """``NAME`` or ``NAME:WEIGHT``; the name a built-in design, a .toml file or a folder."""
    spec, colon, weight = text.rpartition(":")
    if not colon or text in builtin_designs() or Path(text).exists():
        return Source(text)
    try:
        value = float(weight)
    except ValueError:
        return Source(text)
    if not 0 < value < 1e6:
        raise OptionError(f"expected a weight above 0 after the colon, received {text!r}")
    return Source(spec, value)


@lru_cache(maxsize=64)
def cached_design(spec: str) -> Design:
    return load_design(spec)


@dataclass(frozen=True, slots=True)
class Fold:
    """Fold ``number`` of ``of`` in cross-validation; of a single fold, all is trained on and "held out" too."""

    number: int
    of: int


@lru_cache(maxsize=16)
def folder_samples(
    spec: str, labels: int | None, fold: Fold | None = None
) -> tuple[tuple[Sample, ...], tuple[Sample, ...]]:
    """(training, held-out) samples of a folder; with ``labels``, N in all, a fifth of them held out, or a fold.

    The split depends on the content alone: samples are ordered by a hash of their id.
    """
    samples = sorted(read_folder(Path(spec)), key=lambda s: hashlib.sha256(s.id.encode()).digest())
    samples = [s for s in samples if s.text and s.image]
    if labels is not None:
        samples = samples[:labels]
    held = max(1, round(len(samples) * (0.2 if labels is not None else HELDOUT_SHARE)))
    if len(samples) < 5:
        raise DatasetError(f"{spec}: expected at least 5 labelled images to train from, received {len(samples)}")
    if fold is not None:
        kept = [s for i, s in enumerate(samples) if fold.of == 1 or i % fold.of != fold.number]
        return tuple(kept), tuple(samples[fold.number :: fold.of])
    return tuple(samples[held:]), tuple(samples[:held])


def charset_for(sources: Sequence[Source], labels: int | None, given: str | None, start: Bundle | None) -> Charset:
    """The characters of a model that learns from ``sources``: those ``given``, or else those of labels and designs.

    Those of the model it starts from come first: what it has learnt is kept.
    """
    own = parse_charset(given) if given is not None else charset_of(_texts(sources, labels))
    return own if start is None else start.charset.with_more(own.symbols)


def _texts(sources: Sequence[Source], labels: int | None) -> list[str]:
    """All labels of folders and all charsets of designs."""
    texts: list[str] = []
    for source in sources:
        if source.is_folder:
            texts += [sample.text for part in folder_samples(source.spec, labels) for sample in part]
        else:
            texts += drawable_design(source.spec).lettering.charsets
    return texts


def drawable_design(spec: str) -> Design:
    """The design of that name or file; ``OptionError`` for one that is a command, which draws no image by itself."""
    design = load_design(spec)
    if design.command is not None:
        raise OptionError(
            f"design {spec!r} is a command: draw a folder of it first "
            f"(captcha-solver draw {spec} --count N --out FOLDER) and train on that"
        )
    return design


@dataclass(frozen=True, slots=True)
class Mixture:
    """Weighted sources of labelled images, all of whose texts the charset can write."""

    sources: tuple[Source, ...]
    charset: Charset
    labels: int | None = None
    fold: Fold | None = None

    def check(self) -> None:
        """Raise at once what a worker would only meet later: a missing design, an empty folder."""
        for source in self.sources:
            what = "labels hold" if source.is_folder else "it draws"
            unknown = self.charset.lacks("".join(_texts([source], self.labels)))
            if unknown:
                raise DatasetError(
                    f"{source.spec}: {what} {shown(unknown)!r}, which the charset {shown(self.charset.symbols)!r} lacks"
                )

    def images(self, rng: np.random.Generator, count: int, *, heldout: bool = False) -> list[tuple[Rgb, str]]:
        """As ``by_source``, all in one list."""
        return [pair for pairs in self.by_source(rng, count, heldout=heldout) for pair in pairs]

    def by_source(self, rng: np.random.Generator, count: int, *, heldout: bool = False) -> list[list[tuple[Rgb, str]]]:
        """Up to ``count`` images (H, W, 3) uint8 with their texts, each in one line; a list for each source.

        Drawn texts of several lines are laid side by side, as a solver lays them; where the lines cannot be told apart,
        the image is left out.

        In training some are varied (``augment``), nearly all where there are few; ``heldout`` images are as they
        are, and come from the folders' held-out parts.
        """
        weights = np.array([s.weight for s in self.sources])
        shares = rng.multinomial(count, weights / weights.sum()).tolist()
        drawn: list[list[tuple[Rgb, str]]] = []
        for source, share in zip(self.sources, shares, strict=True):
            if source.is_folder:
                samples = folder_samples(source.spec, self.labels, self.fold)[1 if heldout else 0]
                images = [_readable(samples, rng) for _ in range(share)]
                varied = VARIED if len(samples) > FEW_IMAGES else VARIED_OF_FEW
            else:
                drawings = draw_batch(cached_design(source.spec), [None] * share, rng)
                lines = [(_one_line(drawing), drawing.text) for drawing in drawings]
                images, varied = [(line, text) for line, text in lines if line is not None], VARIED
            chances = rng.random(len(images)) < (0 if heldout else varied)
            drawn.append([(augment(i, rng) if c else i, t) for (i, t), c in zip(images, chances.tolist(), strict=True)])
        return drawn

    def describe(self) -> list[dict[str, object]]:
        """What the training card says of the sources: name, weight and a hash of the content."""
        return [{"source": s.spec, "weight": s.weight, "sha256": _content_hash(s)} for s in self.sources]


def _one_line(drawing: Drawing) -> Rgb | None:
    if drawing.rows == 1:
        return drawing.image
    lines = locate(drawing.image).lines
    return in_one_line(drawing.image, lines).pixels if len(lines) == drawing.rows else None


def _readable(samples: Sequence[Sample], rng: np.random.Generator) -> tuple[Rgb, str]:
    for _ in range(20):
        sample = samples[int(rng.integers(len(samples)))]
        try:
            return read_image(sample.image), sample.text
        except ImageError:
            continue
    raise DatasetError("expected readable images in the training folder, received 20 unreadable ones in a row")


def _content_hash(source: Source) -> str:
    if source.is_folder:
        labels = Path(source.spec) / "labels.csv"
        return hashlib.sha256(labels.read_bytes()).hexdigest()
    path = builtin_designs().get(source.spec) or Path(source.spec)
    return hashlib.sha256(path.read_bytes()).hexdigest()
