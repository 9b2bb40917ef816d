"""Divide labelled images into those an attacker learns from and those they are tested on; no image is in both."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from captcha_solver.audit.subjects.duplicates import check, look_at, remarks
from captcha_solver.audit.subjects.subject import Subject
from captcha_solver.audit_settings import FEWEST_TESTED
from captcha_solver.dataset import Dataset
from captcha_solver.errors import DatasetError
from captcha_solver.statistics import trials_to_claim
from captcha_solver.types import Sample

TEST_SHARE = 0.4  # of a folder, at most ``tested``
TRIALS_FOR_1_PERCENT = trials_to_claim(0.01)
LABEL_SEED, TEST_SEED = 1, 2  # of images that are drawn: apart, whatever the audit's own seed


@dataclass(frozen=True, slots=True)
class Split:
    """``pool``: what labels are taken from, in order; ``tested``: what is scored; ``flags``: what to mind."""

    pool: tuple[Sample, ...]
    tested: tuple[Sample, ...]
    duplicates: int
    flags: tuple[str, ...]
    animated: int = 0  # tested images whose frames differ

    @property
    def sha256(self) -> str:
        """Hash of the tested images and their texts, in order: what the figures were measured on."""
        return Dataset("tested", self.tested, (), frozenset(), 0).sha256

    def labelled(self, count: int) -> tuple[Sample, ...]:
        """The first ``count`` of the pool: what more labels buy is always added to the fewer."""
        return self.pool[:count]


def split(subject: Subject, *, labels: int, tested: int, seed: int) -> Split:
    """Images for at most ``labels`` labels and ``tested`` tests; ``DatasetError`` where there are too few to conclude.

    An image whose pixels are those of one in the pool is taken out of the tested ones, and counted.
    """
    if subject.available is None:
        test = look_at(subject.samples(tested, part_seed(seed, TEST_SEED)))  # first, as a program may fail or hang
        pool = look_at(subject.samples(labels, part_seed(seed, LABEL_SEED)) if labels else [])
    else:
        everything = look_at(subject.samples(0, seed))
        held = min(tested, max(round(len(everything) * TEST_SHARE), FEWEST_TESTED))
        test, pool = everything[:held], everything[held:]
    check(subject.name, [*pool, *test])
    known = {each.pixels for each in pool}
    kept = [each for each in test if each.pixels not in known]
    if len(kept) < FEWEST_TESTED:
        raise DatasetError(f"{subject.name}: {_too_few(len(test), len(kept))}")
    flags = _flags([each.sample for each in pool], [each.sample for each in kept], len(test) - len(kept))
    return Split(
        tuple(each.sample for each in pool),
        tuple(each.sample for each in kept),
        len(test) - len(kept),
        (*flags, *remarks([*pool, *kept]), *subject.notes),
        sum(each.frames > 1 for each in kept),
    )


def _too_few(drawn: int, kept: int) -> str:
    same = f" ({drawn - kept} of {drawn} show what a labelled one shows)" if drawn > kept else ""
    return (
        f"expected at least {FEWEST_TESTED} images to test on, received {kept}{same}; {TRIALS_FOR_1_PERCENT} "
        f"are needed to say of an attack that solves none that it stays below 1 %"
    )


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


def part_seed(seed: int, part: int) -> int:
    """The seed of one part of an audit's images."""
    return seed * 10 + part
