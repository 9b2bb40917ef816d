"""Images of a seed with the direct call's answers, repeated to any number and packed as a zip.

Tested in ``tests/benchmarks/service/test_measure.py``.
"""

import io
import time
import zipfile
from dataclasses import dataclass

import numpy as np

from captcha_solver.designs.drawing.draw import draw_batch
from captcha_solver.designs.load import load_design
from captcha_solver.image import encode_png
from captcha_solver.solver import load_solver

DESIGN = "note"  # 72x24 px, 1.2 KB: 20,000 of them fit into one request, and it is among the quickest to read
MODEL = "sliding"  # the quickest of the shipped models
DISTINCT = 256


@dataclass(frozen=True, slots=True)
class Expected:
    """What the direct call says of an image, as the service writes it; no text where it could not be read."""

    text: str | None
    confidence: float | None


@dataclass(frozen=True, slots=True)
class Pictures:
    """Different images, what each must be answered, and what one costs: seconds of a core, on this machine, now."""

    images: tuple[bytes, ...]
    answers: tuple[Expected, ...]
    each_s: float


@dataclass(frozen=True, slots=True)
class Batch:
    """Many images: the distinct ones in an order of chance, so that an answer at a wrong place shows."""

    pictures: Pictures
    order: tuple[int, ...]

    @property
    def images(self) -> list[bytes]:
        return [self.pictures.images[place] for place in self.order]

    @property
    def expected(self) -> dict[str, Expected]:
        """By the file's name, in the order of the archive."""
        return {name(at): self.pictures.answers[place] for at, place in enumerate(self.order)}

    def zipped(self) -> bytes:
        """All of them as a zip; PNGs do not pack, so they are stored."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
            for at, image in enumerate(self.images):
                archive.writestr(name(at), image)
        return buffer.getvalue()


def name(at: int) -> str:
    return f"{at:06}.png"


def draw_pictures(seed: int, count: int = DISTINCT) -> Pictures:
    """Draw ``count`` images and read them here, without any service."""
    drawings = draw_batch(load_design(DESIGN), [None] * count, np.random.default_rng(seed))
    images = tuple(encode_png(drawing.image) for drawing in drawings)
    solver = load_solver(MODEL)
    solver.solve_batch(images[:32])  # the first call is slow
    began = time.perf_counter()
    solutions = solver.solve_batch(images)
    each_s = (time.perf_counter() - began) / count
    answers = tuple(
        Expected(None, None) if solution.failure else Expected(solution.text, round(solution.confidence, 6))
        for solution in solutions
    )
    return Pictures(images, answers, each_s)


def batch(pictures: Pictures, count: int, rng: np.random.Generator) -> Batch:
    """``count`` images of ``pictures``, drawn with replacement."""
    return Batch(pictures, tuple(int(place) for place in rng.integers(0, len(pictures.images), count)))
