"""Turn images, truths and answers into one contact sheet: what was read correctly, and what was not."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from captcha_solver.designs.fonts import families
from captcha_solver.errors import ImageError
from captcha_solver.image import read_image
from captcha_solver.types import Rgb

Colour = tuple[int, int, int]

PAPER: Colour = (255, 255, 255)
FRAME: Colour = (205, 205, 205)
INK: Colour = (30, 30, 30)
FAINT: Colour = (120, 120, 120)
RIGHT: Colour = (0, 120, 50)
WRONG: Colour = (195, 20, 30)

IMAGE_WIDTH_PX, IMAGE_HEIGHT_PX = 220, 84
MARGIN_PX = 12
FACE = "jetbrains-mono"
WIDEST_FACE = "noto-sans-scripts"  # for texts that need more than Latin letters and digits
TEXT_PX = 16
LINE_PX = 22
LABEL_WIDTH_PX = 96
LARGEST_ZOOM = 2.0


@dataclass(frozen=True, slots=True)
class SheetAnswer:
    """What one recognizer read, and whether that is right."""

    recognizer: str
    text: str
    solved: bool


@dataclass(frozen=True, slots=True)
class SheetCell:
    """One image of the sheet: encoded bytes, the design it is from, its truth, and the answers."""

    image: bytes
    heading: str
    truth: str
    answers: tuple[SheetAnswer, ...]


def contact_sheet(cells: Sequence[SheetCell], *, columns: int = 4) -> Rgb:
    """A grid of cells, row by row, (H, W, 3) uint8: correct answers ticked green, wrong ones crossed red."""
    lines = 2 + max((len(cell.answers) for cell in cells), default=0)
    width_px = IMAGE_WIDTH_PX + 2 * MARGIN_PX
    height_px = IMAGE_HEIGHT_PX + lines * LINE_PX + 2 * MARGIN_PX
    rows = max(1, -(-len(cells) // columns))
    sheet = Image.new("RGB", (columns * width_px, rows * height_px), PAPER)
    for place, cell in enumerate(cells):
        row, column = divmod(place, columns)
        _draw_cell(sheet, cell, column * width_px + MARGIN_PX, row * height_px + MARGIN_PX)
    return np.array(sheet, dtype=np.uint8)


def _draw_cell(sheet: Image.Image, cell: SheetCell, left: int, top: int) -> None:
    pen = ImageDraw.Draw(sheet)
    _write(pen, (left, top), cell.heading, FAINT, IMAGE_WIDTH_PX)
    top += LINE_PX
    _paste(sheet, cell.image, left, top)
    pen.rectangle((left - 1, top - 1, left + IMAGE_WIDTH_PX, top + IMAGE_HEIGHT_PX), outline=FRAME)
    top += IMAGE_HEIGHT_PX + 4
    _write(pen, (left, top), "truth", FAINT, LABEL_WIDTH_PX)
    _write(pen, (left + LABEL_WIDTH_PX + 18, top), cell.truth, INK, IMAGE_WIDTH_PX - LABEL_WIDTH_PX - 18)
    for answer in cell.answers:
        top += LINE_PX
        colour = RIGHT if answer.solved else WRONG
        _write(pen, (left, top), answer.recognizer, FAINT, LABEL_WIDTH_PX)
        _mark(pen, left + LABEL_WIDTH_PX, top + 4, answer.solved)
        text_left = left + LABEL_WIDTH_PX + 18
        _write(pen, (text_left, top), answer.text or "(nothing)", colour, IMAGE_WIDTH_PX - LABEL_WIDTH_PX - 18)


def _paste(sheet: Image.Image, data: bytes, left: int, top: int) -> None:
    """The image at the middle of its frame, scaled to fit."""
    try:
        picture = Image.fromarray(read_image(data))
    except ImageError:
        _write(
            ImageDraw.Draw(sheet),
            (left + 8, top + IMAGE_HEIGHT_PX // 3),
            "cannot be read",
            WRONG,
            IMAGE_WIDTH_PX,
        )
        return
    zoom = min(IMAGE_WIDTH_PX / picture.width, IMAGE_HEIGHT_PX / picture.height, LARGEST_ZOOM)
    size = max(1, round(picture.width * zoom)), max(1, round(picture.height * zoom))
    scaled = picture.resize(size, Image.Resampling.LANCZOS)
    sheet.paste(scaled, (left + (IMAGE_WIDTH_PX - size[0]) // 2, top + (IMAGE_HEIGHT_PX - size[1]) // 2))


def _mark(pen: ImageDraw.ImageDraw, left: int, top: int, solved: bool) -> None:
    """A tick or a cross, so that the sheet does not rest on colour alone."""
    if solved:
        pen.line(((left, top + 6), (left + 4, top + 11), (left + 12, top)), RIGHT, 3)
    else:
        pen.line(((left, top), (left + 11, top + 11)), WRONG, 3)
        pen.line(((left + 11, top), (left, top + 11)), WRONG, 3)


@cache
def _font(face: str) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(families()[face].path), TEXT_PX)


def _write(pen: ImageDraw.ImageDraw, at: tuple[int, int], text: str, colour: Colour, width_px: int) -> None:
    """One line of text, cut to ``width_px``."""
    font = _font(FACE if not families()[FACE].lacks(text) else WIDEST_FACE)
    shown = text
    while shown and pen.textlength(shown, font=font) > width_px:
        shown = shown[:-1]
    if len(shown) < len(text):
        shown = shown[:-2] + "..."
    pen.text(at, shown, colour, font=font)
