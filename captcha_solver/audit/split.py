"""Labelled images in, two parts that share none out: those an attacker may learn from, and those he is tested on."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from captcha_solver.audit.subject import Subject
from captcha_solver.errors import DatasetError, ImageError
from captcha_solver.image import read_image
from captcha_solver.types import Sample

FEWEST_TESTED = 30  # with fewer, a 95 % interval says next to nothing
TEST_SHARE = 0.4  # of a folder, at most ``tested``
LABEL_SEED, TEST_SEED = 1, 2  # of images that are drawn: apart, whatever the audit's own seed


@dataclass(frozen=True, slots=True)
class Split:
    """``pool``: what labels are taken from, in order; ``tested``: what is scored; ``flags``: what to mind."""

    pool: tuple[Sample, ...]
    tested: tuple[Sample, ...]
    duplicates: int
    flags: tuple[str, ...]

    def labelled(self, count: int) -> tuple[Sample, ...]:
        """The first ``count`` of the pool: what more labels buy is always added to the fewer."""
        return self.pool[:count]


def split(subject: Subject, *, labels: int, tested: int, seed: int) -> Split:
    """Images for at most ``labels`` labels and ``tested`` tests; ``DatasetError`` where there are too few to conclude.

    An image whose pixels are those of one in the pool is taken out of the tested ones, and counted.
    """
    if subject.available is None:
        pool = subject.samples(labels, part_seed(seed, LABEL_SEED)) if labels else []
        test = subject.samples(tested, part_seed(seed, TEST_SEED))
    else:
        everything = subject.samples(0, seed)
        held = min(tested, max(round(len(everything) * TEST_SHARE), FEWEST_TESTED))
        test, pool = everything[:held], everything[held:]
    _check_variety(subject, [*pool, *test])
    known = {_pixels(each) for each in pool}
    kept = [each for each in test if _pixels(each) not in known]
    if len(kept) < FEWEST_TESTED:
        raise DatasetError(
            f"{subject.name}: expected at least {FEWEST_TESTED} images to test on that no label is of, received "
            f"{len(kept)}; {FEWEST_TESTED + round(FEWEST_TESTED / TEST_SHARE)} images and more allow a conclusion"
        )
    duplicates = len(test) - len(kept)
    return Split(tuple(pool), tuple(kept), duplicates, _flags(pool, kept, duplicates))


def _flags(pool: Sequence[Sample], tested: Sequence[Sample], duplicates: int) -> tuple[str, ...]:
    flags = []
    if duplicates:
        flags.append(f"{duplicates} images of the tested part are also in the labelled part: taken out")
    texts = Counter(each.text for each in (*pool, *tested))
    repeated = sum(count for count in texts.values() if count > 1)
    if repeated > (len(pool) + len(tested)) / 2:
        flags.append(f"{repeated} images share their text with another: an attacker may learn the texts by heart")
    missing = set("".join(e.text for e in tested)) - set("".join(e.text for e in pool))
    if pool and missing:
        flags.append(f"characters {''.join(sorted(missing))!r} are tested and are in no label")
    return tuple(flags)


def _check_variety(subject: Subject, samples: Sequence[Sample]) -> None:
    if len(samples) > 1 and len({_pixels(each) for each in samples}) == 1:
        raise DatasetError(
            f"{subject.name}: expected images that differ, received {len(samples)} that are all the same"
        )


def _pixels(sample: Sample) -> bytes:
    """A hash of what is seen: files that differ and show the same are the same."""
    try:
        image = read_image(sample.image)
    except ImageError:
        return hashlib.sha256(sample.image).digest()
    return hashlib.sha256(repr(image.shape).encode() + np.ascontiguousarray(image).tobytes()).digest()


def part_seed(seed: int, part: int) -> int:
    """The seed of one part of an audit's images."""
    return seed * 10 + part
