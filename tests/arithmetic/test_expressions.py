"""Sums in digits, signs and words: what they are, what they give, and which of them give a result."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from captcha_solver.arithmetic.expressions import (
    OPERATIONS,
    Expression,
    answer_of,
    expressions_giving,
    parse_answer,
    parse_expression,
    spelt_out,
    truth_of,
)
from captcha_solver.arithmetic.words import LANGUAGES
from captcha_solver.errors import OptionError

NUMBERS = st.integers(0, 20)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3+4=?", 7),
        ("12 - 5 =", 7),
        ("6×7", 42),
        ("6x7?", 42),
        ("6 X 7", 42),
        ("6*7=", 42),
        ("3\u22125", -2),
        ("three plus four", 7),
        ("SeventeenMinus2=?", 15),
        ("six x two", 12),
        ("drei mal zwölf", 36),
        ("dix-neuf plus un", 20),
        ("dos por dieciséis", 32),
        ("семь минус 9", -2),
        ("٣+٤", 7),
        ("0+0", 0),
    ],
)
def test_expressions_and_what_they_give(text: str, value: int) -> None:
    found = parse_expression(text)
    assert found is not None
    assert found.value == value
    assert answer_of(text, "result") == str(value)


@pytest.mark.parametrize("text", ["", "7", "3+", "+4", "3+4+5", "3/4", "abc", "3 4", "three", "1234+1", "a+b", "=?"])
def test_what_is_no_expression(text: str) -> None:
    assert parse_expression(text) is None
    assert answer_of(text, "result") is None
    assert answer_of(text, "expression") is None
    assert answer_of(text, None) == text


@given(NUMBERS, st.sampled_from(list(OPERATIONS)), NUMBERS, st.sampled_from(list(LANGUAGES)))
def test_what_is_written_is_read(left: int, sign: str, right: int, language: str) -> None:
    expression = Expression(left, sign, right)
    assert parse_expression(str(expression)) == expression
    assert parse_expression(spelt_out(expression, language)) == expression


def test_a_word_means_one_number_in_all_languages() -> None:
    meanings: dict[str, set[int]] = {}
    for language in LANGUAGES.values():
        assert len(language.numbers) == 21
        for number, word in enumerate(language.numbers):
            meanings.setdefault(word, set()).add(number)
    assert {word: found for word, found in meanings.items() if len(found) > 1} == {}


@given(st.integers(-99, 300))
def test_the_expressions_of_a_result_are_all_and_each_once(result: int) -> None:
    found = expressions_giving(result, 30)
    assert all(each.value == result for each in found)
    every = [Expression(a, sign, b) for sign in OPERATIONS for a in range(31) for b in range(31)]
    assert set(found) == {each for each in every if each.value == result}
    assert len(set(found)) == len(found)


@pytest.mark.parametrize(
    ("label", "answer", "truth"),
    [
        ("3+4=?", "result", "7"),
        ("7", "result", "7"),
        (" 07", "result", "7"),
        ("3 plus 4", "expression", "3+4"),
        ("3+4=?", None, "3+4=?"),
        ("seven", "result", "seven"),
    ],
)
def test_labels_may_be_expressions_or_results(label: str, answer: str | None, truth: str) -> None:
    assert truth_of(label, answer) == truth


def test_other_answers_are_refused() -> None:
    assert parse_answer("result") == "result"
    assert parse_answer(None) is None
    with pytest.raises(OptionError, match="expression, result"):
        parse_answer("sum")
    with pytest.raises(OptionError, match="up to 20"):
        spelt_out(Expression(21, "+", 1), "en")
