"""Pictures with transparency are laid over a colour from which all of their inks stand out."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from captcha_solver.designs.fonts import load_font
from captcha_solver.imaging.backdrop import backdrop, flattened, over
from captcha_solver.solver import load_solver
from tests.fakes import encoded

Colour = tuple[int, int, int]
WHITE, BLACK, RED, GREY = (255, 255, 255), (0, 0, 0), (220, 20, 20), (128, 128, 128)
TEXT = "7KQ4"


def blocks(*inks: Colour, alpha: int = 255) -> NDArray[np.uint8]:
    """A block of each ink, 10 x 10, on transparency whose hidden colour is black."""
    image = np.zeros((14, 14 * len(inks), 4), np.uint8)
    for index, ink in enumerate(inks):
        image[2:12, 14 * index + 2 : 14 * index + 12] = (*ink, alpha)
    return image


@pytest.mark.parametrize(
    ("inks", "colour"),
    [
        ([BLACK], WHITE),
        ([RED], WHITE),
        ([WHITE], BLACK),
        ([(250, 245, 200)], BLACK),
        ([WHITE, GREY], BLACK),
        ([BLACK, GREY], WHITE),
        ([WHITE, RED], BLACK),
        ([(255, 255, 0)], BLACK),
    ],
)
def test_white_is_taken_where_it_serves_and_black_where_white_does_not(inks: list[Colour], colour: Colour) -> None:
    assert tuple(backdrop(blocks(*inks)).tolist()) == colour


@pytest.mark.parametrize(
    "inks",
    [
        [WHITE, BLACK],
        [WHITE, BLACK, RED],
        [WHITE, (20, 60, 20)],
        [BLACK, (255, 255, 0)],
        [(40, 40, 40), (230, 230, 230)],
    ],
)
def test_every_ink_stands_out(inks: list[Colour]) -> None:
    picture = blocks(*inks)
    image = flattened(picture)
    ground = image[0, 0].astype(int)
    for index, ink in enumerate(inks):
        assert tuple(image[6, 14 * index + 6].tolist()) == ink
        assert abs((image[6, 14 * index + 6] - ground) @ np.array([0.299, 0.587, 0.114])) > 50


def test_a_rare_speck_decides_nothing() -> None:
    picture = np.tile(blocks(BLACK), (5, 5, 1))
    picture[0, 0] = (255, 255, 255, 255)
    assert tuple(backdrop(picture).tolist()) == WHITE


@pytest.mark.parametrize("card", [WHITE, BLACK, (30, 60, 160)])
def test_a_drawing_on_a_card_is_laid_over_the_cards_colour(card: Colour) -> None:
    picture = np.zeros((40, 60, 4), np.uint8)
    picture[10:30, 10:50] = (*card, 255)
    picture[15:25, 20:40] = (128, 200, 128, 255)
    assert tuple(backdrop(picture).astype(int).tolist()) == card


@pytest.mark.parametrize("alpha", [0, 10])
def test_what_cannot_be_seen_is_laid_over_white(alpha: int) -> None:
    assert tuple(backdrop(blocks(WHITE, alpha=alpha)).tolist()) == WHITE


def test_more_colours_than_any_is_common() -> None:
    rng = np.random.default_rng(1)
    picture = rng.integers(0, 256, (30, 30, 4), dtype=np.uint8)
    assert flattened(picture).shape == (30, 30, 3)


def test_half_transparent_ink_is_mixed() -> None:
    picture = np.full((2, 2, 4), (0, 0, 0, 128), np.uint8)
    assert over(picture, np.full(3, 255.0)).tolist() == [[[127] * 3] * 2] * 2


def lettering(inks: list[Colour], line: Colour | None) -> Image.Image:
    image = Image.new("RGBA", (160, 60), (0, 0, 0, 0))
    pen = ImageDraw.Draw(image)
    for index, (char, ink) in enumerate(zip(TEXT, inks, strict=True)):
        pen.text((14 + 34 * index, 6), char, font=load_font("open-sans-bold", 38), fill=(*ink, 255))
    if line is not None:
        pen.line((0, 44, 160, 20), fill=(*line, 255), width=2)
    return image


@pytest.mark.parametrize("model", ["sliding", "segmented"])
@pytest.mark.parametrize(
    ("inks", "line"),
    [
        ([WHITE] * 4, (150, 150, 150)),
        ([BLACK] * 4, WHITE),
        ([WHITE, BLACK, BLACK, BLACK], None),
        ([BLACK, WHITE, BLACK, WHITE], None),
        ([RED, WHITE, (0, 0, 200), (0, 110, 0)], None),
        ([(255, 240, 0), BLACK, WHITE, (120, 0, 160)], None),
    ],
)
def test_letters_of_all_inks_are_read(model: str, inks: list[Colour], line: Colour | None) -> None:
    assert load_solver(model).solve(encoded(lettering(inks, line))).text == TEXT
