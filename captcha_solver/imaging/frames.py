"""Turn the frames of an animated picture, (N, H, W, 3) uint8, into the one picture in which all letters stand."""

import enum

import cv2
import numpy as np
from numpy.typing import NDArray

from captcha_solver.types import Rgb

Frames = NDArray[np.uint8]  # (N, H, W, 3)
Inked = NDArray[np.bool_]  # (N, H, W)

INK_LEVELS = 40  # 0-255: what differs from the canvas by more, in any channel, is ink
PLAIN_SHARE = 0.4  # of all pixels has the canvas' colour, where there is a canvas
LEVELS = 16  # width of a bin of colours
STEADY = 0.75  # of the frames: what is inked in so many stays
MOSTLY = 0.5
CLOSE_FRACTION = 0.12  # of the ink's height: new ink this near to old ink is the same, moved
SAME = 1.1  # times the ink of the fullest frame: what has more is smeared
LITTERED = 1.6  # times the ink of the fullest frame: what has more, where the text stays, is marks


class Way(enum.StrEnum):
    """How one picture was made of several frames."""

    FULLEST = "the fullest of them"
    TOGETHER = "all of them together"
    STEADY = "what more than one of them shows"


def one_picture(frames: Frames) -> tuple[Rgb, Way]:
    """One picture (H, W, 3) of frames that differ, and how it was made.

    Letters that come one by one, or blink, each at its own place, are put together. Where the text stays and marks
    change around it, what is seen once only is left out. Otherwise, as where the text moves, the frame with the most
    ink is taken.
    """
    canvas = _canvas(frames)
    if canvas is None:
        return frames[_sharpest(frames)], Way.FULLEST
    away = np.abs(frames.astype(np.int16) - canvas).max(axis=3)
    inked: Inked = away > INK_LEVELS
    counts, shown = inked.sum(axis=(1, 2)), inked.sum(axis=0)
    most, ever = int(counts.max()), int((shown > 0).sum())
    stays = len(frames) > 2 and (shown >= STEADY * len(frames)).sum() >= MOSTLY * most
    if _come_at_their_places(inked) and not (stays and ever > LITTERED * most):
        if ever > most:
            return _ranked(frames, away, 0), Way.TOGETHER
    elif stays and (shown >= 2).sum() <= SAME * most:
        return _ranked(frames, away, 1), Way.STEADY
    return frames[int(counts.argmax())], Way.FULLEST


def _canvas(frames: Frames) -> NDArray[np.int16] | None:
    """The colour (3,) of the canvas, or None where most pixels have others."""
    bins = (frames // LEVELS).astype(np.int64) @ np.array([256, 16, 1])
    common = int(np.bincount(bins.ravel()).argmax())
    here = bins == common
    if here.mean() < PLAIN_SHARE:
        return None
    return np.asarray(np.median(frames[here], axis=0), np.int16)


def _sharpest(frames: Frames) -> int:
    """The frame with the strongest edges: on a photograph, the one with the most letters."""
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames]
    return int(np.argmax([np.abs(cv2.Laplacian(each, cv2.CV_16S)).sum(dtype=np.int64) for each in grey]))


def _come_at_their_places(inked: Inked) -> bool:
    """Whether most ink that is new in a frame lies apart from the ink of the frames before: new letters do.

    A text that moves has its new ink close to where it was.
    """
    rows = np.flatnonzero(inked.any(axis=(0, 2)))
    if len(rows) == 0:
        return False
    reach = 2 * max(2, round(CLOSE_FRACTION * (rows[-1] - rows[0] + 1))) + 1
    before = inked[0].copy()
    new = close = 0
    for frame in inked[1:]:
        fresh = frame & ~before
        if before.any():
            near = cv2.dilate(before.astype(np.uint8), np.ones((reach, reach), np.uint8)) > 0
            new, close = new + int(fresh.sum()), close + int((fresh & near).sum())
        before |= frame
    return close <= MOSTLY * new


def _ranked(frames: Frames, away: NDArray[np.int16], rank: int) -> Rgb:
    """Of each pixel the value that is the ``rank``-th farthest from the canvas."""
    chosen = np.argsort(-away, axis=0, kind="stable")[rank]
    return np.asarray(np.take_along_axis(frames, chosen[None, :, :, None], axis=0)[0], np.uint8)
