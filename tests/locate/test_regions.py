"""Regions: text is found whatever lies about it, one region a line, and nothing found means the whole image."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from captcha_solver.designs.drawing.draw import Drawing, draw_batch
from captcha_solver.designs.load import load_design
from captcha_solver.image import encode_png
from captcha_solver.locate.regions import LocatedText, locate, regions
from captcha_solver.locate.textmap import TextMap
from captcha_solver.solver import load_solver
from captcha_solver.types import Box, Rgb

INK = (40, 40, 90)


def text(size: tuple[int, int], at: tuple[int, int], height: int = 22, words: str = "7hK3pw") -> Rgb:
    """A canvas of ``size`` (H, W) with letters of ``height`` whose upper left corner is ``at`` (x, y)."""
    image = np.full((*size, 3), 240, np.uint8)
    scale = cv2.getFontScaleFromHeight(cv2.FONT_HERSHEY_SIMPLEX, height, 2)
    cv2.putText(image, words, (at[0], at[1] + height), cv2.FONT_HERSHEY_SIMPLEX, scale, INK, 2, cv2.LINE_AA)
    return image


def ink(image: Rgb) -> Box:
    rows, columns = (np.flatnonzero((image != 240).any(axis=2).any(axis=axis)) for axis in (1, 0))
    return Box(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)


def holds(outer: Box, inner: Box) -> bool:
    across = outer.left_px <= inner.left_px and outer.right_px >= inner.right_px
    return across and outer.top_px <= inner.top_px and outer.bottom_px >= inner.bottom_px


def plain(image: Rgb) -> Rgb:
    return image


def negated(image: Rgb) -> Rgb:
    return 255 - image


def lined(image: Rgb) -> Rgb:
    """Thin lines across the whole canvas."""
    for share, colour in ((0.1, (200, 90, 90)), (0.5, (90, 160, 90)), (0.85, (90, 90, 200))):
        y = int(share * len(image))
        cv2.line(image, (0, y), (image.shape[1], len(image) - 1 - y), colour, 1)
    return image


def framed(image: Rgb) -> Rgb:
    cv2.rectangle(image, (0, 0), (image.shape[1] - 1, len(image) - 1), (60, 60, 60), 2)
    return image


def gridded(image: Rgb) -> Rgb:
    image[::9] = np.minimum(image[::9], 200)
    image[:, ::9] = np.minimum(image[:, ::9], 200)
    return image


def ellipses(image: Rgb) -> Rgb:
    for x in range(20, image.shape[1], 60):
        cv2.ellipse(image, (x, len(image) // 3), (25, 12), 20, 0, 360, (160, 190, 220), 1)
    return image


def specked(image: Rgb) -> Rgb:
    rng = np.random.default_rng(0)
    image[rng.random(image.shape[:2]) < 0.02] = 90
    return image


def barred(image: Rgb) -> Rgb:
    image[:6] = 0
    image[-6:] = 0
    return image


def shaded(image: Rgb) -> Rgb:
    slope = np.linspace(0, 70, image.shape[1])[None, :, None]
    return np.asarray(np.clip(image - slope, 0, 255), np.uint8)


def pale(image: Rgb) -> Rgb:
    return np.asarray(240 - (240 - image.astype(int)) * 0.3, np.uint8)


@pytest.mark.parametrize("worn", [plain, negated, lined, framed, gridded, ellipses, specked, barred, shaded, pale])
def test_text_is_found_and_little_else(worn: object) -> None:
    assert callable(worn)
    clean = text((70, 200), (30, 24))
    (box,) = locate(worn(clean.copy())).lines
    assert holds(box, ink(clean))
    assert box.height_px < 2 * ink(clean).height_px


def test_small_text_on_a_large_canvas_is_found() -> None:
    clean = text((300, 400), (130, 170), height=20)
    box = locate(clean).whole
    assert holds(box, ink(clean))
    assert box.height_px < 50
    assert box.width_px < 200


@pytest.mark.parametrize("at", [(0, 0), (96, 38)])
def test_text_at_the_edge_is_found_to_the_edge(at: tuple[int, int]) -> None:
    clean = text((60, 200), at)
    assert holds(locate(clean).whole, ink(clean))


def test_letters_far_apart_are_all_found() -> None:
    clean = np.full((100, 300, 3), 240, np.uint8)
    for place, letter in enumerate("Tk4wR"):
        cv2.putText(clean, letter, (12 + 60 * place, 40 + 13 * (place % 3)), cv2.FONT_HERSHEY_SIMPLEX, 1, INK, 2)
    assert holds(locate(clean).whole, ink(clean))


@pytest.mark.parametrize("size", [(40, 160), (1, 1), (5, 300), (300, 5)])
def test_nothing_to_find_means_the_whole_image(size: tuple[int, int]) -> None:
    whole = Box(0, 0, size[1], size[0])
    assert locate(np.full((*size, 3), 128, np.uint8)) == LocatedText(whole, (whole,))


def banded(*bands: tuple[int, int]) -> TextMap:
    """A map, two image pixels a spot, that is sure of text in each band of rows."""
    glyphs: NDArray[np.float32] = np.zeros((60, 80), np.float32)
    for top, bottom in bands:
        glyphs[top:bottom, 10:70] = 0.9
    return TextMap(glyphs, 2.0, 2.0)


@pytest.mark.parametrize("bands", [[(20, 30)], [(8, 24), (30, 46)], [(4, 16), (20, 32), (36, 48)]])
def test_there_is_a_region_a_line_from_top_to_bottom(bands: list[tuple[int, int]]) -> None:
    found = regions(banded(*bands), (120, 160))
    assert len(found.lines) == len(bands)
    for box, (top, bottom) in zip(found.lines, bands, strict=True):
        assert 2 * top - 6 <= box.top_px <= 2 * top
        assert 2 * bottom <= box.bottom_px <= 2 * bottom + 6
    assert found.whole.top_px <= found.lines[0].top_px
    assert found.whole.bottom_px >= found.lines[-1].bottom_px


def test_lines_of_unlike_height_are_one_region() -> None:
    assert len(regions(banded((4, 34), (38, 42)), (120, 160)).lines) == 1  # a mark beneath is no second line


def test_a_spot_that_no_other_supports_is_no_text() -> None:
    speck = banded((20, 30))
    speck.glyphs[55, 75] = 0.9
    faint = banded((20, 30))
    faint.glyphs[50:56, 10:70] = 0.2
    alone = regions(banded((20, 30)), (120, 160))
    assert regions(speck, (120, 160)) == alone
    assert regions(faint, (120, 160)) == alone


@pytest.mark.parametrize("name", ["plain", "classic", "tilted", "crowded", "outline"])
def test_drawn_designs_of_one_line_stay_in_one(name: str) -> None:
    drawings = draw_batch(load_design(name), [None] * 60, np.random.default_rng(4))
    assert sum(len(locate(each.image).lines) > 1 for each in drawings) <= 1


def test_most_of_what_is_drawn_lies_inside() -> None:
    drawings = draw_batch(load_design("wild"), [None] * 120, np.random.default_rng(8), owners=True)
    assert np.mean([inside(each) > 0.99 for each in drawings]) > 0.85


def inside(drawing: Drawing) -> float:
    assert drawing.owners is not None
    box = locate(drawing.image).whole
    within = drawing.owners[box.top_px : box.bottom_px, box.left_px : box.right_px]
    return int((within > 0).sum()) / max(1, int((drawing.owners > 0).sum()))


def test_two_rows_are_read_top_to_bottom() -> None:
    drawings = draw_batch(load_design("double-deck"), [None] * 60, np.random.default_rng(2))
    solutions = load_solver("sliding").solve_batch([encode_png(each.image) for each in drawings])
    solved = [s.text.casefold() == d.text.casefold() for s, d in zip(solutions, drawings, strict=True)]
    assert np.mean(solved) > 0.4  # 0 where both rows are taken for one
