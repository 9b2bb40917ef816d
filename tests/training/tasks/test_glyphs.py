"""Crops are labelled by who owns their pixels, and drawn the same for a seed."""

import re
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from captcha_solver.charset import NOTHING, Charset, parse_charset
from captcha_solver.designs.drawing.draw import Drawing
from captcha_solver.errors import DatasetError, OptionError
from captcha_solver.segmented.gray import to_gray
from captcha_solver.segmented.lattice import SegmentSettings, find_lattice
from captcha_solver.training.tasks.align import UNSURE
from captcha_solver.training.tasks.fragments import beside, font_crop, junk_crop
from captcha_solver.training.tasks.glyphs import GlyphTask, label, overlap

CHARSET = Charset("ab")
SETTINGS = SegmentSettings()


def drawing(lefts: list[int], text: str) -> Drawing:
    """Black rings of 28 x 40 on white at ``lefts``; the i-th glyph owns the i-th ring, later ones on top."""
    owners: NDArray[np.uint8] = np.zeros((60, 160), np.uint8)
    for number, left in enumerate(lefts, 1):
        for part in (np.s_[10:16, left : left + 28], np.s_[44:50, left : left + 28]):
            owners[part] = number
        for part in (np.s_[10:50, left : left + 6], np.s_[10:50, left + 22 : left + 28]):
            owners[part] = number
    image = np.where(owners[:, :, None] > 0, np.uint8(0), np.uint8(255)).repeat(3, axis=2)
    return Drawing(image, text, owners)


def labelled(drawn: Drawing) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Labels (N,), and the columns (N, 2) of the image each candidate lies between."""
    lattice = find_lattice(to_gray(drawn.image, SETTINGS), SETTINGS)
    assert lattice is not None
    bounds, scale = lattice.bounds, lattice.ink.scale
    columns = [(bounds[first, 0] / scale, bounds[last - 1, 2] / scale) for first, last in lattice.edges]
    return label(lattice, drawn, CHARSET), np.array(columns)


def test_whole_glyphs_are_labelled_halves_and_pairs_are_not_glyphs() -> None:
    labels, columns = labelled(drawing([20, 80], "ab"))
    for glyph, left in ((1, 20), (2, 80)):
        whole = np.abs(columns - [left, left + 28]).max(axis=1) < 2
        assert whole.any()
        assert set(labels[whole]) == {glyph}
        half = (columns[:, 0] >= left - 1) & (columns[:, 1] <= left + 18)
        assert set(labels[half]) <= {NOTHING}
    pair = (columns[:, 0] < 30) & (columns[:, 1] > 100)
    assert set(labels[pair]) <= {NOTHING}


def test_between_whole_and_half_a_candidate_is_left_out() -> None:
    labels, columns = labelled(drawing([60], "a"))
    kinds = {int(name) for name in labels}
    assert 1 in kinds
    assert kinds <= {UNSURE, NOTHING, 1}
    whole = columns[labels == 1]
    assert (whole[:, 1] - whole[:, 0]).min() > 25
    unsure = columns[labels == UNSURE]
    assert ((unsure[:, 1] - unsure[:, 0] < 27) & (unsure[:, 1] - unsure[:, 0] > 8)).all()


def test_overlapping_glyphs_each_have_a_candidate() -> None:
    labels, _ = labelled(drawing([40, 62], "ab"))
    assert {1, 2} <= set(labels.tolist())


def test_characters_outside_the_charset_are_left_out() -> None:
    labels, _ = labelled(drawing([20, 80], "a?"))
    assert 1 in labels
    assert 2 not in labels


def test_overlap_counts_pixels_of_each_glyph() -> None:
    drawn = drawing([20, 80], "ab")
    assert drawn.owners is not None
    lattice = find_lattice(to_gray(drawn.image, SETTINGS), SETTINGS)
    assert lattice is not None
    held, ink = overlap(lattice, drawn)
    ring = int((drawn.owners == 1).sum())
    assert held.shape == (len(lattice.edges), 2)
    assert held.max() == pytest.approx(ring, rel=0.06)
    assert np.array_equal(held.sum(axis=1), ink)  # every pixel of ink is of a glyph


@pytest.mark.parametrize("glyph_px", [28, 32])
def test_font_and_junk_crops(glyph_px: int) -> None:
    rng = np.random.default_rng(5)
    for char in "agMW17ij":
        pixels = font_crop(rng, char, glyph_px)
        assert pixels.shape == (glyph_px, glyph_px)
        assert 0.0 <= pixels.min() <= pixels.max() <= 1.0
        assert pixels.max() > 0.3
    for _ in range(30):
        pixels = junk_crop(rng, "abcXYZ", glyph_px)
        assert pixels.shape == (glyph_px, glyph_px)
        assert pixels.max() > 0.0


def test_beside_overlaps_and_parts() -> None:
    one, other = np.ones((4, 3), np.float32), np.full((2, 2), 0.5, np.float32)
    assert beside(one, other, 1).tolist() == [
        [1, 1, 1, 0, 0, 0],
        [1, 1, 1, 0, 0.5, 0.5],
        [1, 1, 1, 0, 0.5, 0.5],
        [1, 1, 1, 0, 0, 0],
    ]
    assert beside(one, other, -1).shape == (4, 4)


def test_batches_are_the_same_for_a_seed_and_hold_every_kind() -> None:
    task = GlyphTask(["plain", "classic"], workers=0, batch=128)
    first, again = (next(task.batches(3, 0)) for _ in range(2))
    other = next(task.batches(3, 1))
    assert np.array_equal(first[0], again[0])
    assert np.array_equal(first[1], again[1])
    assert not np.array_equal(first[0], other[0])
    pixels, labels = first
    assert pixels.shape == (128, 32, 32, 1)
    assert pixels.dtype == np.uint8
    assert labels.dtype == np.int32
    assert 0.3 < (labels == NOTHING).mean() < 0.45
    assert len(set(labels.tolist())) > 12


def test_accuracy_folds_the_case() -> None:
    task = GlyphTask(["plain"], charset=parse_charset("alnum"), workers=0)
    ids = task.charset.encode("cCx0")
    logits = np.zeros((4, 63), np.float32)
    logits[np.arange(4), task.charset.encode("Ccyo")] = 1.0
    assert task.accuracy(logits, np.array(ids, np.int32)) == 0.5


def test_sources_that_do_not_know_their_glyphs_cannot_be_learnt_from(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="external-pypi-captcha"):
        GlyphTask(["plain", "external-pypi-captcha"])
    with pytest.raises(DatasetError, match=re.escape(str(tmp_path))):
        GlyphTask(["plain", str(tmp_path)])


def test_the_card_names_its_sources() -> None:
    task = GlyphTask(["plain", "classic:3"])
    assert [(s["source"], s["weight"]) for s in task.data["sources"]] == [("plain", 1.0), ("classic", 3.0)]
    assert task.settings["glyph_px"] == 32
