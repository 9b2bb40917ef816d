"""Measures a digits bundle on MNIST's test digits, their variants and held-out junk.

    python -m scripts.digits_report BUNDLE --mnist FOLDER [--save]

FOLDER holds 28x28 images and labels.csv, as ``datasets/external/mnist.py --split test`` writes them.
``--save`` adds the figures to the bundle's card.

Tested in ``tests/training/tasks/test_digits.py``.
"""

import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import cv2
import numpy as np
from numpy.typing import NDArray

from captcha_solver.decoding.probabilities import log_softmax
from captcha_solver.designs.fonts import families
from captcha_solver.errors import BundleError, CaptchaSolverError
from captcha_solver.models.bundle import Bundle, load_bundle
from captcha_solver.models.digits import GLYPH_PX, SYMBOLS
from captcha_solver.models.runtimes import OnnxRuntime, Runtime
from captcha_solver.models.save import amend_bundle
from captcha_solver.quiet import sieved_stderr
from captcha_solver.statistics import wilson
from captcha_solver.training.tasks.digit_images import (
    STROKES,
    Digits,
    bar_seven,
    has_hole,
    is_open_four,
    penned,
    printed,
    read_digits,
)
from captcha_solver.training.tasks.digits import digit_certainty, split_faces
from captcha_solver.training.tasks.junk import JUNK, TWINS, Stock

SEED = 7_000_001  # never a training's
PER_KIND = 1000
SIZES = (0.6, 0.8, 1.0, 1.2, 1.4)
BATCH = 500


@dataclass(frozen=True, slots=True)
class Figure:
    """One row: of ``n`` images, how many came out as they should, with its 95 % Wilson interval."""

    what: str
    n: int
    good: int
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Answers:
    """What a network says of N images: likeliest digit (N,) and whether it is certain enough (N,)."""

    digits: NDArray[np.int64]
    kept: NDArray[np.bool_]


def measure(bundle: Bundle, test: Digits, *, seed: int = SEED) -> list[Figure]:
    """Every figure of the table, in its order."""
    if bundle.charset.symbols != SYMBOLS or "reject_below" not in bundle.settings:
        raise BundleError(f"expected a digits bundle with a rejection threshold, received {bundle.path}")
    asked = _Asked(OnnxRuntime(bundle), float(bundle.settings["reject_below"]))
    rows = list(_test_figures(asked, test))
    rows += _variant_figures(asked, test, np.random.default_rng([seed, 1]))
    rows += _junk_figures(asked, Stock(test.images, test.labels, split_faces()[1]), seed)
    return rows


@dataclass(frozen=True, slots=True)
class _Asked:
    runtime: Runtime
    threshold: float

    def answers(self, images: NDArray[np.uint8]) -> Answers:
        """``images`` (N, 28, 28) uint8."""
        batch = images.astype(np.float32)[..., None] / np.float32(255)
        parts = [self.runtime.run(batch[i : i + BATCH]) for i in range(0, len(batch), BATCH)]
        logits = np.concatenate(parts)
        best = log_softmax(logits.astype(np.float64))[:, 1:].argmax(axis=1)
        return Answers(best, digit_certainty(logits) >= self.threshold)

    def read(self, what: str, images: NDArray[np.uint8], labels: NDArray[np.int32]) -> Figure:
        """Right and not rejected."""
        answers = self.answers(images)
        return figure(what, (answers.digits == labels) & answers.kept)

    def rejected(self, what: str, images: NDArray[np.uint8]) -> Figure:
        return figure(what, ~self.answers(images).kept)


def figure(what: str, good: NDArray[np.bool_]) -> Figure:
    """Count what is good, (N,) bool."""
    n, count = len(good), int(good.sum())
    low, high = wilson(count, n)
    return Figure(what, n, count, low, high)


def _test_figures(asked: _Asked, test: Digits) -> Iterator[Figure]:
    answers = asked.answers(test.images)
    yield figure("test digits: likeliest of the ten digits is right", answers.digits == test.labels)
    yield figure("test digits: not rejected", answers.kept)
    yield figure("test digits: right and not rejected", (answers.digits == test.labels) & answers.kept)


def _variant_figures(asked: _Asked, test: Digits, rng: np.random.Generator) -> Iterator[Figure]:
    """Each variant is read when it is right and not rejected."""
    sevens, fours = test.of(7), test.of(4)
    barred = np.stack([bar_seven(seven, rng) for seven in sevens])
    yield asked.read("written 7, as it is", sevens, np.full(len(sevens), 7, np.int32))
    yield asked.read("written 7, a bar drawn through", barred, np.full(len(sevens), 7, np.int32))
    for what, chosen in (("open", is_open_four), ("closed", has_hole)):
        images = np.stack([four for four in fours if chosen(four)])
        yield asked.read(f"written 4, {what}", images, np.full(len(images), 4, np.int32))
    for style in STROKES:
        drawn = [penned(style, rng) for _ in range(PER_KIND // 2)]
        yield asked.read(
            f"drawn {style}",
            np.stack([image for _, image in drawn]),
            np.array([d for d, _ in drawn], np.int32),
        )
    faces = split_faces()[1]
    images = np.stack([printed(face, digit) for face in faces for digit in SYMBOLS])
    yield asked.read(
        f"printed, {len(faces)} faces never trained on",
        images,
        np.tile(np.arange(10, dtype=np.int32), len(faces)),
    )
    for size in SIZES:
        yield asked.read(f"test digits at {size} times the size", _resized(test.images, size), test.labels)


def _junk_figures(asked: _Asked, stock: Stock, seed: int) -> Iterator[Figure]:
    promised: list[NDArray[np.bool_]] = []
    for k, (kind, draw) in enumerate(JUNK.items()):
        rng = np.random.default_rng([seed, 2, k])
        images = np.stack([draw(stock, rng) for _ in range(PER_KIND)])
        rejected = ~asked.answers(images).kept
        if kind in ("letters", "squiggles", "noise"):
            promised.append(rejected)
        yield figure(f"rejected: {kind}", rejected)
    yield figure("rejected: letters, squiggles and noise together", np.concatenate(promised))
    twins = np.stack([printed(face, c) for face in stock.faces for c in sorted(TWINS) if c in families()[face].charset])
    yield asked.rejected("rejected: letters that look like digits (not promised)", twins)


def _resized(images: NDArray[np.uint8], size: float) -> NDArray[np.uint8]:
    """(N, 28, 28) about their centre; what leaves the square is lost, as in a crop of fixed size."""
    centre = (GLYPH_PX - 1) / 2
    matrix = np.array([[size, 0, centre * (1 - size)], [0, size, centre * (1 - size)]])
    how = cv2.INTER_AREA if size < 1 else cv2.INTER_LINEAR
    return np.stack([cv2.warpAffine(image, matrix, (GLYPH_PX, GLYPH_PX), flags=how) for image in images]).astype(
        np.uint8
    )


def table(figures: list[Figure]) -> str:
    """The figures as a Markdown table."""
    lines = ["| what | n | good | share | 95 % interval |", "|---|---:|---:|---:|---|"]
    lines += [
        f"| {f.what} | {f.n} | {f.good} | {f.good / max(1, f.n):.2%} | {f.low:.2%} - {f.high:.2%} |" for f in figures
    ]
    return "\n".join(lines)


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--mnist", type=click.Path(path_type=Path), required=True, help="Folder of the test digits.")
@click.option("--save", is_flag=True, help="Add the figures to the bundle's card.")
def main(bundle: Path, mnist: Path, save: bool) -> None:
    """Print the figures of a digits BUNDLE."""
    try:
        loaded = load_bundle(bundle)
        figures = measure(loaded, read_digits(mnist))
        if save:
            amend_bundle(loaded, card={"figures": [asdict(f) for f in figures]})
    except CaptchaSolverError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"rejected below a certainty of {loaded.settings['reject_below']:.4f}; seed {SEED}")
    click.echo(table(figures))


if __name__ == "__main__":
    with sieved_stderr():
        sys.exit(main())
