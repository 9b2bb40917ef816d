"""Words cut between characters and put together anew keep their pixels and their labels together."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from captcha_solver.charset import NAMED, Charset
from captcha_solver.designs.drawing.draw import draw_batch
from captcha_solver.designs.load import parse_design
from captcha_solver.models.bundle import shipped_bundles
from captcha_solver.sliding.strip import SlideSettings, levelled
from captcha_solver.training.tasks import recombine
from captcha_solver.training.tasks.recombine import Labelled, boundaries, reader_of, recombined
from captcha_solver.training.tasks.sliding import COLUMNS_PER_STEP, cut_to_text

SLIDING = shipped_bundles()["sliding"]
ALNUM = Charset(NAMED["alnum"])
WIDE = """
[text]
charset = "ABKTXZ"
length = 4
[fonts]
faces = ["open-sans-bold"]
"""


def drawn(count: int) -> list[tuple[Labelled, list[float]]]:
    """Strips of plain words with their ids, and where each gap between two glyphs is, in strip columns."""
    found = []
    for drawing in draw_batch(parse_design(WIDE, "wide"), [None] * count, np.random.default_rng(4), owners=True):
        assert drawing.owners is not None
        inked = [np.flatnonzero((drawing.owners == glyph).any(axis=0)) for glyph in range(1, 5)]
        left = int(inked[0][0])
        strip = levelled([cut_to_text(drawing.image)], SlideSettings())[0].pixels
        scale = strip.shape[1] / (inked[-1][-1] - left + 1)
        gaps = [((a[-1] + b[0]) / 2 - left) * scale for a, b in pairwise(inked)]
        found.append(((strip, ALNUM.encode(drawing.text)), gaps))
    return found


def test_boundaries_lie_between_the_glyphs() -> None:
    pairs = drawn(12)
    errors = [
        abs(cut - gap)
        for (pixels, ids), gaps in pairs
        for cut, gap in zip(boundaries(pixels, ids, reader_of(SLIDING), COLUMNS_PER_STEP), gaps, strict=True)
    ]
    width = np.mean([pixels.shape[1] / 4 for (pixels, _), _ in pairs])
    assert np.median(errors) < 0.2 * width


def test_characters_that_the_reader_does_not_know_are_found_too() -> None:
    (pixels, ids), _ = drawn(1)[0]
    known = boundaries(pixels, ids, reader_of(SLIDING), COLUMNS_PER_STEP)
    unknown = boundaries(pixels, [900, *ids[1:]], reader_of(SLIDING), COLUMNS_PER_STEP)
    assert np.abs(np.subtract(known, unknown)).max() <= 8


def strip(level: int, length: int) -> Labelled:
    return np.full((4, 10 * length, 3), level, np.uint8), [level] * length


def evenly(pixels: NDArray[np.uint8], ids: list[int], *given: object) -> list[int]:
    return [10 * at for at in range(1, len(ids))]


def test_heads_and_tails_of_words_of_one_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recombine, "boundaries", evenly)
    monkeypatch.setattr(recombine, "reader_of", lambda path: None)
    strips = [strip(level, 4) for level in range(1, 9)] + [strip(20, 2)]
    made = recombined(strips, Path("x"), 4, (1.0, np.random.default_rng(0)))
    assert len(made) == len(strips)
    assert made[-1][1] == [20, 20], "there is no other word of its length"
    for (pixels, ids), (_, before) in zip(made[:-1], strips, strict=False):
        assert len(ids) == 4
        assert ids[0] == before[0]
        assert ids[-1] != ids[0]
        assert pixels[0, ::10, 0].tolist() == ids


def test_a_share_of_none_changes_nothing() -> None:
    strips = [strip(1, 3), strip(2, 3)]
    same = recombined(strips, Path("x"), 4, (0.0, np.random.default_rng(0)))
    assert all(a is b[0] for (a, _), b in zip(same, strips, strict=True))
