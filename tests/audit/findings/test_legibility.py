"""The legibility proxy: 1 for clear glyphs, less with clutter, less contrast and overlap, 0 for what left no trace."""

from dataclasses import replace

import numpy as np
import pytest

from captcha_solver.audit.findings.legibility import legibility, of_drawing
from captcha_solver.audit.subjects.variants import at
from captcha_solver.designs.drawing.draw import Drawing
from tests.audit.fake_attackers import tiny


def drawing(ink: int, paper: int, *, beside: int = 0) -> Drawing:
    """A square glyph on even paper; ``beside``: pixels of another one that touches it."""
    image = np.full((40, 60, 3), paper, np.uint8)
    owners = np.zeros((40, 60), np.uint8)
    image[10:30, 10:30], owners[10:30, 10:30] = ink, 1
    image[10:30, 30 : 30 + beside], owners[10:30, 30 : 30 + beside] = ink, 2
    return Drawing(image, "ab" if beside else "a", owners)


def test_an_even_glyph_on_even_paper_is_wholly_legible() -> None:
    assert of_drawing(drawing(0, 255)) == pytest.approx(1.0)
    assert of_drawing(drawing(100, 100)) == pytest.approx(0.0)  # ink that is not to be seen


def test_clutter_and_touching_neighbours_take_from_it() -> None:
    clear = drawing(0, 255)
    rng = np.random.default_rng(0)
    noisy = np.clip(clear.image.astype(int) + rng.integers(-90, 90, clear.image.shape), 0, 255).astype(np.uint8)
    assert of_drawing(replace(clear, image=noisy)) < 0.8
    assert of_drawing(drawing(0, 255, beside=20)) < 0.9
    assert of_drawing(replace(clear, text="ab")) == pytest.approx(0.5)  # the second glyph left no trace


def test_more_of_a_distortion_is_less_legible() -> None:
    texts = ["1234", "5678"] * 10
    means = [legibility(at(tiny(), [(0, severity)]).design, texts, 0).mean() for severity in (0, 3, 5)]
    assert means[0] > means[1] > means[2]
    assert np.array_equal(legibility(tiny(), texts, 0), legibility(tiny(), texts, 0))
