"""Labels that stand in file names: which part of the names is the label.

Tested in ``tests/labels/test_importing.py``.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from captcha_solver.errors import OptionError

GROUP = "label"
SEPARATORS = re.compile(r"[\s_.,;~#@=+()\[\]-]+")
COPY = re.compile(r"\s*(?:\(\d+\)|\[\d+\]| - copy)$", re.IGNORECASE)  # what desktops append to a second file of a name
HASH = re.compile(r"[0-9a-fA-F]{8,}")
MOST_DIGITS = 11  # more of them are a time or a number, hardly a label
WORD_OF_PLACE = 4  # parts looked at from either end


@dataclass(frozen=True, slots=True)
class NameRule:
    """How a file name gives a label: ``told`` says it in words, ``label_of`` gives None where it does not apply."""

    told: str
    label_of: Callable[[str], str | None]


def pattern_rule(pattern: str) -> NameRule:
    """The rule of a regular expression with a group ``label`` (or a single group), looked for in the file name.

    A pattern with a ``/`` in it is looked for in the path below the source. ``OptionError`` where it is none.
    """
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise OptionError(f"expected a regular expression as pattern, received {pattern!r}: {error}") from error
    if GROUP not in compiled.groupindex and compiled.groups != 1:
        raise OptionError(f"expected a pattern with a group (?P<{GROUP}>...), received {pattern!r}")
    group: str | int = GROUP if GROUP in compiled.groupindex else 1

    def label_of(name: str) -> str | None:
        found = compiled.search(name if "/" in pattern else PurePosixPath(name).name)
        return (found.group(group) or None) if found else None

    return NameRule(f"what the pattern {pattern} finds in the file names", label_of)


def likely_rule(names: Sequence[str]) -> NameRule:
    """The part of the names that looks most like labels; the whole name without its suffix where it has one part.

    A part that is the same everywhere, a running number, a hash or a time stamp is no label. Of two parts that could
    both be, the one whose lengths differ least is taken, and the first of such.
    """
    split = [_parts(name) for name in names]
    most = max(map(len, split), default=1)
    if most == 1:
        return NameRule("the file names without their suffixes", lambda name: _parts(name)[0])
    places = [*range(min(most, WORD_OF_PLACE)), *range(-1, -min(most, WORD_OF_PLACE) - 1, -1)]
    place = max(places, key=lambda each: (_likeness([_at(parts, each) for parts in split]), -places.index(each)))
    return NameRule(f"the {_ordinal(place)} part of the file names", lambda name: _at(_parts(name), place))


def _parts(name: str) -> list[str]:
    """``abcd_123.jpg`` is ``abcd`` and ``123``."""
    path = PurePosixPath(name)
    stem = COPY.sub("", path.stem if path.suffix else path.name)
    return [part for part in SEPARATORS.split(stem) if part] or [stem]


def _at(parts: Sequence[str], place: int) -> str | None:
    return parts[place] if -len(parts) <= place < len(parts) else None


def _likeness(values: Sequence[str | None]) -> tuple[float, float]:
    """How much the values of one place look like labels: the share that could be, then how alike their lengths are."""
    there = [value for value in values if value]
    if not there or (len(values) > 1 and len(set(there)) == 1) or _is_counter(there):
        return 0.0, 0.0
    could = [value for value in there if not _is_no_label(value)]
    usual = max((sum(len(value) == length for value in could) for length in {*map(len, could)}), default=0)
    return round(len(could) / len(values), 2), round(usual / len(values), 1)


def _is_no_label(value: str) -> bool:
    return HASH.fullmatch(value) is not None or (value.isdecimal() and len(value) > MOST_DIGITS)


def _is_counter(values: Sequence[str]) -> bool:
    """Whether these are numbers, each once, that lie close together: 1, 2, 3, or 0001, 0002."""
    if len(values) < 3 or not all(value.isdecimal() for value in values):
        return False
    numbers = sorted(map(int, values))
    return len(set(numbers)) == len(numbers) and numbers[-1] - numbers[0] < 3 * len(numbers)


def _ordinal(place: int) -> str:
    words = ("first", "second", "third", "fourth")
    return words[place] if place >= 0 else ("last" if place == -1 else f"{words[-place - 1]} to last")
