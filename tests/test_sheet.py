import numpy as np
import pytest
from PIL import Image

from captcha_solver.sheet import FRAME, IMAGE_WIDTH_PX, MARGIN_PX, RIGHT, WRONG, SheetAnswer, SheetCell, contact_sheet
from captcha_solver.types import Rgb
from tests.fakes import encoded


def cell(*solved: bool, colour: str = "blue", truth: str = "7kP2") -> SheetCell:
    image = encoded(Image.new("RGB", (120, 40), colour))
    return SheetCell(image, "plain", truth, tuple(SheetAnswer(f"route {i}", "7kP2", s) for i, s in enumerate(solved)))


def count(sheet: Rgb, colour: tuple[int, int, int]) -> int:
    return int((sheet == np.array(colour)).all(axis=2).sum())


def test_right_is_green_and_wrong_is_red() -> None:
    green, red = contact_sheet([cell(True)]), contact_sheet([cell(False)])
    assert count(green, RIGHT) > 30
    assert count(green, WRONG) == 0
    assert count(red, WRONG) > 30
    assert count(red, RIGHT) == 0
    both = contact_sheet([cell(True, False)])
    assert min(count(both, RIGHT), count(both, WRONG)) > 30


@pytest.mark.parametrize(
    ("cells", "columns", "shape"), [(5, 4, (2, 4)), (4, 4, (1, 4)), (3, 1, (3, 1)), (0, 4, (1, 4))]
)
def test_the_grid(cells: int, columns: int, shape: tuple[int, int]) -> None:
    one = contact_sheet([cell(True)], columns=1)
    sheet = contact_sheet([cell(True)] * cells, columns=columns)
    assert sheet.dtype == np.uint8
    assert sheet.shape[1] == shape[1] * one.shape[1]
    if cells:
        assert sheet.shape[0] == shape[0] * one.shape[0]


def test_the_image_is_shown_whole_in_its_frame() -> None:
    sheet = contact_sheet([cell(True)], columns=1)
    blue = np.argwhere((sheet == (0, 0, 255)).all(axis=2))
    height, width = blue.max(axis=0) - blue.min(axis=0) + 1
    assert width == IMAGE_WIDTH_PX
    assert abs(width / height - 3) < 0.1
    assert blue.min(axis=0)[1] >= MARGIN_PX
    assert count(sheet, FRAME) > 2 * IMAGE_WIDTH_PX


def test_a_broken_image_and_long_texts_do_no_harm() -> None:
    whole = contact_sheet([cell(True)])
    broken = SheetCell(b"none", "design " * 30, "x" * 99, (SheetAnswer("r" * 99, "y" * 99, False),))
    sheet = contact_sheet([broken])
    assert sheet.shape == whole.shape
    assert count(sheet[:, -2:], (255, 255, 255)) == 2 * sheet.shape[0]
    assert count(contact_sheet([SheetCell(b"", "", "", (SheetAnswer("", "", False),))]), WRONG) > 0
