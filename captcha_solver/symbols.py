"""Splits texts into characters and puts them in the order in which they stand in an image, whatever their script.

A character is what people count as one: a base with the marks that combine with it, in Unicode's composed form (NFC).
"""

import unicodedata
from collections.abc import Sequence

FIRST_RIGHT_TO_LEFT = "\u0590"  # no character below it is written from right to left
RIGHT_TO_LEFT = frozenset(("R", "AL"))  # of Unicode's directions: Hebrew and Arabic letters, not their digits
FIRST_MARK = "\u0300"  # no character below it is a combining mark


def composed(text: str) -> str:
    """``text`` in the form that texts are compared in (NFC): an accented letter is one code point if there is one."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def characters(text: str) -> tuple[str, ...]:
    """The characters of ``text`` in reading order: a base and its combining marks are one.

    >>> characters("x\\u0301ya\\u0301")
    ('x́', 'y', 'á')
    """
    if max(text, default="") < FIRST_MARK:
        return tuple(text)
    found: list[str] = []
    for each in composed(text):
        if found and is_mark(each):
            found[-1] += each
        else:
            found.append(each)
    return tuple(found)


def is_mark(char: str) -> bool:
    """Whether ``char`` only ever stands on a character before it."""
    return unicodedata.category(char).startswith("M")


def reading_order(symbols: Sequence[str]) -> list[int]:
    """Where each character of a text that is read stands among ``symbols``, its characters from left to right.

    The other way round it is the same: with ``symbols`` in reading order, these are their places from left to right.
    A text with a right-to-left letter runs from right to left; all else in it, such as a number, from left to right.
    """
    places = list(range(len(symbols)))
    if max(symbols, default="") < FIRST_RIGHT_TO_LEFT:
        return places
    turned = [unicodedata.bidirectional(symbol[0]) in RIGHT_TO_LEFT for symbol in symbols]
    if not any(turned):
        return places
    runs: list[list[int]] = []
    for place in places:
        if runs and not turned[place] and not turned[place - 1]:
            runs[-1].append(place)
        else:
            runs.append([place])
    return [place for run in reversed(runs) for place in run]


def left_to_right(text: str) -> tuple[str, ...]:
    """The characters of ``text`` as they stand in an image, from left to right."""
    symbols = characters(text)
    return tuple(symbols[place] for place in reading_order(symbols))


def as_read(symbols: Sequence[str]) -> str:
    """The text of ``symbols``, its characters from left to right in an image."""
    return "".join(symbols[place] for place in reading_order(symbols))
