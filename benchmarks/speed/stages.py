"""Each stage of a route on its own: milliseconds an image at several batch sizes and numbers of threads.

Tested in ``tests/benchmarks/speed/test_measure.py``.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from benchmarks.speed.clock import median_s
from captcha_solver.decoding.decode import Constraints, decode_all
from captcha_solver.image import read_image
from captcha_solver.locate.cut import crop
from captcha_solver.locate.regions import locate
from captcha_solver.models.bundle import Bundle, load_bundle, shipped_bundles
from captcha_solver.models.runtimes import Int8Runtime, OnnxRuntime
from captcha_solver.recognizers import RECOGNIZERS, Recognizer, read_settings, same_width
from captcha_solver.solver import Solver
from captcha_solver.types import Batch, Rgb

BATCHES = (1, 8, 32, 128)
THREADS = (1, 2)
SLOW = 5  # of the passes over the segmented route, which takes some twenty times as long, only one in so many is made
STAGES = ("decode", "locate", "preprocess", "network", "text", "whole")


@dataclass(frozen=True, slots=True)
class Stages:
    """Milliseconds an image, by stage; ``whole`` is the solver from bytes to text."""

    model: str
    runtime: str
    batch: int
    threads: int
    ms: dict[str, float]


def stages(images: Sequence[bytes], *, passes: int) -> Iterator[Stages]:
    """Every model, runtime, batch size and number of threads, on encoded ``images``."""
    cv2.setNumThreads(1)
    for model in ("sliding", "segmented"):
        bundle = load_bundle(shipped_bundles()[model])
        for runtime in [OnnxRuntime, *([Int8Runtime] if bundle.int8_path else [])]:
            for threads in THREADS:
                for batch in BATCHES:
                    rounds = passes if model == "sliding" else max(1, passes // SLOW)
                    yield _measure(bundle, runtime(bundle, threads=threads), images, (batch, threads, rounds))


def _measure(bundle: Bundle, runtime: OnnxRuntime, images: Sequence[bytes], how: tuple[int, int, int]) -> Stages:
    batch, threads, passes = how
    recognizer = RECOGNIZERS[bundle.kind](bundle, runtime)
    solver = Solver(recognizer)
    chunks = [images[i : i + batch] for i in range(0, len(images), batch)]
    decoded = [[read_image(data) for data in chunk] for chunk in chunks]
    prepare = _preparation(bundle)
    cut = [_cut(chunk) for chunk in decoded]
    tensors = [prepare(chunk) for chunk in cut]
    scored = [recognizer.score(chunk) for chunk in cut]

    def each(step: Callable[[Any], object], parts: Sequence[Any]) -> float:
        def work() -> None:
            for part in parts:
                step(part)

        return 1e3 * median_s(work, passes) / len(images)

    ms = {
        "decode": each(lambda chunk: [read_image(data) for data in chunk], chunks),
        "locate": each(_cut, decoded),
        "preprocess": each(prepare, cut),
        "network": each(lambda groups: [runtime.run(group) for group in groups], tensors),
        "text": each(lambda chunk: _read(recognizer, chunk), scored),
        "whole": each(solver.solve_batch, chunks),
    }
    return Stages(bundle.name, runtime.name, batch, threads, ms)


def _cut(images: Sequence[Rgb]) -> list[Rgb]:
    return [crop(image, locate(image).whole) for image in images]


def _read(recognizer: Recognizer, scores: Sequence[Any]) -> object:
    return decode_all(scores, recognizer.charset, Constraints(), recognizer.temperature)


def _preparation(bundle: Bundle) -> Callable[[Sequence[Any]], list[Batch]]:
    """Images to what the network takes, one batch a shape."""
    if bundle.kind == "sliding":
        from captcha_solver.sliding.strip import SlideSettings, to_strips

        slide = read_settings(bundle, SlideSettings)

        def strips(images: Sequence[Any]) -> list[Batch]:
            made = to_strips(images, slide)
            places = same_width([strip.pixels.shape[1] for strip in made])
            return [np.stack([made[place].pixels for place in group]) for group in places]

        return strips
    from captcha_solver.segmented.gray import to_gray
    from captcha_solver.segmented.path import SegmentSettings, candidates

    segment = read_settings(bundle, SegmentSettings)

    def glyphs(images: Sequence[Any]) -> list[Batch]:
        return [np.concatenate([candidates(to_gray(i, segment), segment).glyphs.pixels for i in images])]

    return glyphs


def table(rows: Sequence[Stages]) -> str:
    """A Markdown table; milliseconds an image, and images a second of the whole."""
    lines = [
        "| model | runtime | threads | batch | " + " | ".join(f"{stage}, ms" for stage in STAGES) + " | images/s |",
        "|---|---|---:|---:|" + "---:|" * (len(STAGES) + 1),
    ]
    for row in rows:
        cells = " | ".join(f"{row.ms[stage]:.2f}" for stage in STAGES)
        rate = 1e3 / row.ms["whole"]
        lines.append(f"| {row.model} | {row.runtime} | {row.threads} | {row.batch} | {cells} | {rate:.0f} |")
    return "\n".join(lines)
