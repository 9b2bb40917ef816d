"""The drawer: images a second of each design, against the PyPI `captcha` package in the same rounds, on one core.

Tested in ``tests/benchmarks/speed/test_measure.py``.
"""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import cv2
from captcha.image import ImageCaptcha

from captcha_solver.designs.drawing.draw import CHUNK, draw_run
from captcha_solver.designs.load import builtin_designs, load_design

WARM = 10 * CHUNK  # fills the cache of glyphs


@dataclass(frozen=True, slots=True)
class Rate:
    """Images a second of ``design``; ``times_package`` is the median of the ratios round by round."""

    design: str
    images_per_s: float
    times_package: float


def rates(images: int, rounds: int) -> list[Rate]:
    """Each design that is drawn here, in turn with the package, ``rounds`` times."""
    cv2.setNumThreads(1)
    names = [name for name in builtin_designs() if load_design(name).command is None]
    runs = {name: draw_run(load_design(name), seed=1) for name in names}
    for run in runs.values():
        list(islice(run, WARM))
    package = ImageCaptcha(160, 60)
    ours: dict[str, list[float]] = {name: [] for name in names}
    theirs: list[float] = []
    for _ in range(rounds):
        began = time.perf_counter()
        for index in range(images // 10):
            package.generate_image(f"{index:04}")
        theirs.append(images // 10 / (time.perf_counter() - began))
        for name, run in runs.items():
            count = images if name == "classic" else images // 4
            began = time.perf_counter()
            list(islice(run, count))
            ours[name].append(count / (time.perf_counter() - began))
    made = [
        Rate(name, statistics.median(each), statistics.median(a / b for a, b in zip(each, theirs, strict=True)))
        for name, each in ours.items()
    ]
    return [Rate("PyPI captcha 160x60", statistics.median(theirs), 1.0), *made]


def table(rows: Sequence[Rate]) -> str:
    """A Markdown table."""
    lines = ["| design | images/s, one core | x PyPI captcha |", "|---|---:|---:|"]
    return "\n".join([*lines, *(f"| {r.design} | {r.images_per_s:.0f} | {r.times_package:.1f} |" for r in rows)])
