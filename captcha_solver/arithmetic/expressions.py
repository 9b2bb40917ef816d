"""Reads small sums such as ``3+4=?`` or ``three plus four``, computes them, and lists those that give a result."""

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from captcha_solver.arithmetic.words import LANGUAGES
from captcha_solver.errors import OptionError
from captcha_solver.symbols import composed
from captcha_solver.texts import folded

OPERATIONS: dict[str, Callable[[int, int], int]] = {"+": operator.add, "-": operator.sub, "×": operator.mul}
LIKE = {"+": "+＋", "-": "-\u2212\u2013\u2010－", "×": "×x*·✕✖⋅"}  # what each sign may look like
SIGNS = {look: sign for sign, looks in LIKE.items() for look in looks}
ENDING = re.compile(r"[=?:\s]*$")  # "=?", "=", "?": what asks for the result
DIGITS = r"\d{1,3}"
ANSWERS = ("expression", "result")
LARGEST_OPERAND = 99


@dataclass(frozen=True, slots=True)
class Expression:
    """One operation on two whole numbers; ``sign`` is ``+``, ``-`` or ``×``."""

    left: int
    sign: str
    right: int

    @property
    def value(self) -> int:
        return OPERATIONS[self.sign](self.left, self.right)

    def __str__(self) -> str:
        return f"{self.left}{self.sign}{self.right}"


def parse_expression(text: str) -> Expression | None:
    """The expression that ``text`` is, in digits and signs or in words of a listed language; None where it is none.

    Case, blanks and what asks for the result (``=``, ``=?``, ``?``) do not matter.

    >>> parse_expression("Three PLUS 4 =?")
    Expression(left=3, sign='+', right=4)
    """
    plain = ENDING.sub("", "".join(composed(text).casefold().split()))
    for language in LANGUAGES:
        match = _pattern(language).fullmatch(plain)
        if match:
            known = _meanings(language)
            return Expression(_number(match[1], known), _sign(match[2], language), _number(match[3], known))
    return None


def answer_of(text: str, answer: str | None) -> str | None:
    """What a text that was read answers: itself, the ``expression`` in one form, or its ``result``.

    None where an expression was asked for and ``text`` is none.
    """
    if answer is None:
        return text
    found = parse_expression(text)
    if found is None:
        return None
    return str(found) if answer == "expression" else str(found.value)


def truth_of(label: str, answer: str | None) -> str:
    """What answers to an image with that label are compared with. A label may be the expression or its result."""
    if answer is None:
        return label
    told = answer_of(label, answer)
    if told is not None:
        return told
    number = "".join(label.split())
    return str(int(number)) if re.fullmatch(r"[-\u2212]?\d{1,6}", number) else label


def parse_answer(answer: str | None) -> str | None:
    """``answer``, where it is one; ``OptionError`` lists the valid ones."""
    if answer is not None and answer not in ANSWERS:
        raise OptionError(f"expected an answer ({', '.join(ANSWERS)}), received {answer!r}")
    return answer


def expressions_giving(result: int, largest: int = LARGEST_OPERAND) -> list[Expression]:
    """Every expression of two numbers 0 to ``largest`` with that result, in order of sign and first number."""
    numbers = range(largest + 1)
    found = [Expression(left, "+", result - left) for left in numbers if result - left in numbers]
    found += [Expression(result + right, "-", right) for right in numbers if result + right in numbers]
    products = [(left, result // left) for left in numbers if left and result % left == 0 and result // left in numbers]
    if result == 0:
        products += [(0, right) for right in numbers]
    return found + [Expression(left, "×", right) for left, right in products]


def spelt_out(expression: Expression, language: str) -> str:
    """In words: ``three plus four``; ``OptionError`` for a number that the language has no word for here."""
    numbers = LANGUAGES[language].numbers
    largest = max(expression.left, expression.right)
    if largest >= len(numbers):
        raise OptionError(f"expected numbers up to {len(numbers) - 1} in words of {language!r}, received {largest}")
    return f"{numbers[expression.left]} {LANGUAGES[language].signs[expression.sign]} {numbers[expression.right]}"


def _plain(word: str) -> str:
    return folded(composed(word), fold_case=True)


@cache
def _meanings(language: str) -> dict[str, int]:
    return {_plain(word): number for number, word in enumerate(LANGUAGES[language].numbers)}


@cache
def _pattern(language: str) -> re.Pattern[str]:
    words = sorted(_meanings(language), key=len, reverse=True)
    signs = [*map(_plain, LANGUAGES[language].signs.values()), *SIGNS]
    number = f"({DIGITS}|{'|'.join(map(re.escape, words))})"
    return re.compile(f"{number}({'|'.join(map(re.escape, signs))}){number}")


def _number(text: str, known: dict[str, int]) -> int:
    return known[text] if text in known else int(text)


def _sign(text: str, language: str) -> str:
    in_words = {_plain(word): sign for sign, word in LANGUAGES[language].signs.items()}
    return in_words.get(text) or SIGNS[text]
