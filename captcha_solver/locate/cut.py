"""Cut an image to its text: the one region, or the lines side by side as a reader of one line wants them."""

from collections.abc import Sequence

import numpy as np

from captcha_solver.locate.regions import LocatedText
from captcha_solver.types import Box, Rgb
from captcha_solver.views import View


def cut(image: Rgb, box: Box) -> View:
    """The pixels of an (H, W, 3) uint8 image inside ``box``."""
    return View(crop(image, box), left_px=float(box.left_px))


def crop(image: Rgb, box: Box) -> Rgb:
    return np.ascontiguousarray(image[box.top_px : box.bottom_px, box.left_px : box.right_px])


def in_one_line(image: Rgb, lines: Sequence[Box]) -> View:
    """The regions of ``lines``, one or more, side by side on the canvas' colour, the lower ones to the right."""
    height = max(box.height_px for box in lines)
    canvas = np.median(image.reshape(-1, 3), axis=0).astype(np.uint8)
    parts, pieces, at = [], [], 0
    for box in lines:
        part = np.empty((height, box.width_px, 3), np.uint8)
        part[:] = canvas
        above = (height - box.height_px) // 2
        part[above : above + box.height_px] = crop(image, box)
        parts.append(part)
        pieces.append((at, float(box.left_px)))
        at += box.width_px
    return View(np.concatenate(parts, axis=1), pieces=tuple(pieces))


def cuts(image: Rgb, found: LocatedText) -> list[View]:
    """What is to be read of an image: its text as a whole and, where it seems to have several lines, these in one."""
    whole = cut(image, found.whole)
    return [whole] if len(found.lines) < 2 else [whole, in_one_line(image, found.lines)]
