"""What labelled images look like to an attacker: the hash of their pixels, and whether the label can be read.

Tested in ``tests/audit/subjects/test_split.py``.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from captcha_solver.attempt import attempt
from captcha_solver.charset import NAMED
from captcha_solver.errors import DatasetError
from captcha_solver.image import read_image, read_picture
from captcha_solver.sliding.strip import SlideSettings, levelled
from captcha_solver.training.tasks.sliding import COLUMNS_PER_STEP, LONGEST_LABEL, cut_to_text, fits
from captcha_solver.types import Rgb, Sample

KNOWN = frozenset(NAMED["alnum"])  # what the shipped models can write
MOST = 0.5  # the share of labels that cannot be right, above which the labels as a whole are not


@dataclass(frozen=True, slots=True)
class Look:
    """A labelled image: ``pixels`` is a hash of what is seen, so that files that show the same are the same.

    ``room``: how many characters the sliding network can write of it; None where it cannot be read as an image.
    ``frames``: how many frames that differ it has.
    """

    sample: Sample
    pixels: bytes
    room: int | None
    fits: bool
    frames: int = 1


def pixels_of(sample: Sample, image: Rgb | None) -> bytes:
    """A hash of what is seen: of the pixels, or of the file where ``image`` is None."""
    if image is None:
        return hashlib.sha256(sample.image).digest()
    return hashlib.sha256(repr(image.shape).encode() + np.ascontiguousarray(image).tobytes()).digest()


def apart(samples: Sequence[Sample], others: Sequence[Sample]) -> list[Sample]:
    """Those of ``samples`` that show what none of ``others`` shows."""
    known = {pixels_of(each, attempt(read_image, each.image).value) for each in others}
    return [each for each in samples if pixels_of(each, attempt(read_image, each.image).value) not in known]


def look_at(samples: Sequence[Sample]) -> list[Look]:
    """One look a sample, in order."""
    looks = []
    settings = SlideSettings()
    for sample in samples:
        picture = attempt(read_picture, sample.image).value
        pixels = pixels_of(sample, None if picture is None else picture.pixels)
        if picture is None:
            looks.append(Look(sample, pixels, None, fits=False))
            continue
        width_px = levelled([cut_to_text(picture.pixels)], settings)[0].pixels.shape[1]
        room = min(width_px // COLUMNS_PER_STEP, LONGEST_LABEL)
        looks.append(Look(sample, pixels, room, fits(sample.text, width_px), picture.frames))
    return looks


def check(name: str, looks: Sequence[Look]) -> None:
    """``DatasetError`` where nothing can be concluded from images like these."""
    readable = [each for each in looks if each.room is not None]
    if looks and not readable:
        raise DatasetError(f"{name}: expected images, received {len(looks)} files none of which can be read as one")
    if len(looks) > 1 and len({each.pixels for each in looks}) == 1:
        raise DatasetError(f"{name}: expected images that differ, received {len(looks)} that are all the same")
    long = [each for each in readable if not each.fits]
    if len(long) > MOST * len(readable):
        worst = max(long, key=lambda each: len(each.sample.text) - (each.room or 0))
        raise DatasetError(
            f"{name}: expected labels that fit into their images, received {len(long)} of {len(readable)} with more "
            f"characters than there is room for, such as {_short(worst.sample.text)} ({len(worst.sample.text)} "
            f"characters) of {worst.sample.id}, where a network that reads it whole has room for {worst.room}"
        )


def remarks(looks: Sequence[Look]) -> list[str]:
    """What to mind of images that an audit was made on all the same."""
    broken = [each for each in looks if each.room is None]
    long = [each for each in looks if each.room is not None and not each.fits]
    moving = [each for each in looks if each.frames > 1]
    unknown = sorted(set("".join(each.sample.text for each in looks)) - KNOWN)
    told = []
    if broken:
        told.append(
            f"{len(broken)} files cannot be read as images, such as {broken[0].sample.id}: they count as unsolved"
        )
    if long:
        told.append(
            f"{len(long)} labels have more characters than their image has room for, such as "
            f"{_short(long[0].sample.text)} of {long[0].sample.id}: no attacker learns from them"
        )
    if moving:
        told.append(
            f"{len(moving)} images are animations whose frames differ, such as {moving[0].sample.id}: each was read as "
            "one picture, in which letters that come one by one are put together"
        )
    if unknown:
        with_them = sum(bool(set(each.sample.text) & set(unknown)) for each in looks)
        told.append(
            f"characters {''.join(unknown)!r} are known to none of the shipped models: "
            f"the {with_them} images with them can be solved by stock OCR alone"
        )
    return told


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:40]}...")
