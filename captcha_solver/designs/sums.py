"""Designs whose texts are small sums: how the TOML file states them, and what they are written with.

Tested in ``tests/designs/test_sums.py``.
"""

import numpy as np

from captcha_solver.arithmetic.expressions import ANSWERS, SIGNS, Expression, spelt_out
from captcha_solver.arithmetic.words import LANGUAGES
from captcha_solver.charset import DIGITS, charset_of
from captcha_solver.designs.design import Sums
from captcha_solver.designs.section import Section
from captcha_solver.symbols import characters

IN_DIGITS = "digits"
LONGEST_SUM = 20  # characters: what a text of a design may have
LARGEST = 99
TRIES = 50
KEYS = ("kind", "signs", "largest", "written", "endings", "spaced_probability", "label")


def sums_of(section: Section) -> Sums:
    """What the table [text] says of sums."""
    signs = section.strings("signs", ("+", "-", "×"))
    for sign in signs:
        if sign not in SIGNS:
            raise section.fail("signs", f"expected signs out of {' '.join(SIGNS)}, received {sign!r}")
    written = section.strings("written", (IN_DIGITS,))
    for way in written:
        if way not in (IN_DIGITS, *LANGUAGES):
            raise section.fail("written", f"expected {IN_DIGITS} or one of {', '.join(LANGUAGES)}, received {way!r}")
    endings = section.strings("endings", ("=?",))
    for ending in endings:
        if set(ending) - set("=?: "):
            raise section.fail("endings", f"expected = and ?, or nothing, received {ending!r}")
    label = section.string("label", ANSWERS[0])
    if label not in ANSWERS:
        raise section.fail("label", f"expected one of {', '.join(ANSWERS)}, received {label!r}")
    largest = int(section.number("largest", 20, 1, LARGEST))
    return Sums(signs, largest, written, endings, section.number("spaced_probability", 0, 0, 1), label)


def symbols_of(sums: Sums) -> str:
    """Every character that the sums can be written with."""
    texts = [*sums.endings]
    if sums.spaced_probability:
        texts.append(" ")
    for way in sums.written:
        if way == IN_DIGITS:
            texts += [DIGITS, *sums.signs]
        else:
            language = LANGUAGES[way]
            texts += [" ", *language.numbers[: sums.largest + 1], *(language.signs[SIGNS[sign]] for sign in sums.signs)]
    return charset_of(texts).symbols


def random_sum(sums: Sums, rng: np.random.Generator) -> str:
    """A sum as it is written: ``3+4=?``, ``12 - 5``, ``three plus four``; of at most ``LONGEST_SUM`` characters."""
    for _ in range(TRIES):
        text = _any_sum(sums, rng)
        if text is not None and len(characters(text)) <= LONGEST_SUM:
            return text
    return f"1{sums.signs[0]}1"  # where no word is short enough


def _any_sum(sums: Sums, rng: np.random.Generator) -> str | None:
    """None where its result is below 0, or a number has no word."""
    look = sums.signs[int(rng.integers(len(sums.signs)))]
    way = sums.written[int(rng.integers(len(sums.written)))]
    known = sums.largest if way == IN_DIGITS else min(sums.largest, len(LANGUAGES[way].numbers) - 1)
    left, right = rng.integers(known + 1, size=2).tolist()
    ending = sums.endings[int(rng.integers(len(sums.endings)))]
    blank = " " if rng.random() < sums.spaced_probability else ""
    found = Expression(left, SIGNS[look], right)
    if found.value < 0:
        return None
    text = f"{left}{blank}{look}{blank}{right}" if way == IN_DIGITS else spelt_out(found, way)
    return text + (blank + ending if ending else "")
