"""Lines of its own through each glyph."""

import cv2
import numpy as np
from numpy.typing import NDArray

from captcha_solver.designs.drawing.draw import Drawing
from tests.designs.distortions.test_fills import drawn, spec

APART = spec("spread", 5, max_fraction=0.5)


def struck(drawing: Drawing) -> NDArray[np.bool_]:
    """What is neither canvas nor near a glyph's own pixels, (H, W) bool."""
    assert drawing.owners is not None
    glyphs = cv2.dilate((drawing.owners > 0).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    inked = np.abs(drawing.image.astype(int) - 240).max(axis=2) > 60
    return np.asarray(inked & ~glyphs)


def test_lines_are_added_and_glyphs_stay_what_they_were() -> None:
    for seed in range(5):
        plain, lined = (drawn(APART, spec("strikes", severity), seed=seed) for severity in (0, 4))
        assert plain.owners is not None
        assert lined.owners is not None
        np.testing.assert_array_equal(plain.owners, lined.owners)
        assert not struck(plain).any()
        assert struck(lined).sum() > 20
        assert (lined.image <= plain.image).all()


def test_every_glyph_is_struck_and_twice_as_often_where_asked() -> None:
    added = np.zeros((3, 20, 4))
    for seed in range(20):
        for row, count in enumerate((0, 1, 2)):
            kind = spec("strikes", 3 if count else 0, strike_count=max(count, 1), reach_fraction=2)
            drawing = drawn(APART, kind, seed=seed, text="OOOO")
            added[row, seed] = [struck(drawing)[:, left : left + 50].sum() for left in range(0, 200, 50)]
    assert added[0].sum() == 0
    assert (added[1] > 0).mean() > 0.95
    assert 1.6 < added[2].sum() / added[1].sum() < 2.1


def test_lines_stay_near_their_glyph() -> None:
    for seed in range(10):
        lined = drawn(spec("strikes", 5, reach_fraction=0.5), seed=seed, text="O")
        assert lined.owners is not None
        rows, columns = np.nonzero(lined.owners)
        side = max(np.ptp(rows), np.ptp(columns)) + 7
        y, x = np.nonzero(struck(lined))
        far = np.hypot(y - rows.mean(), x - columns.mean())
        assert far.max(initial=0) <= side * (0.5 * 1.2 / 2 + 0.25 * 2**0.5) + 3


def test_a_line_has_its_glyphs_ink_or_another() -> None:
    for seed in range(4):
        plain = drawn(spec("glyph-colours", 5), APART, spec("strikes", 0), seed=seed)
        assert plain.owners is not None
        inks = {tuple(plain.image[plain.owners == glyph].min(axis=0).tolist()) for glyph in (1, 2, 3, 4)}
        for colour in ("own", "random"):
            kind = spec("strikes", 5, colour=colour, width_px=4)
            drawing = drawn(spec("glyph-colours", 5), APART, kind, seed=seed)
            colours, counts = np.unique(drawing.image[struck(drawing)], axis=0, return_counts=True)
            seen = {tuple(each.tolist()) for each in colours[counts > 20]}
            assert len(seen) >= 3
            assert seen <= inks if colour == "own" else not seen & inks
