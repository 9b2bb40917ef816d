"""Characters of every script: how texts are split into them, and in which order they stand in an image."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from captcha_solver.symbols import as_read, characters, composed, left_to_right, reading_order

MIXED = st.text(alphabet="ab12אבگ٣+Жé漢", max_size=12)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        ("aB9", ("a", "B", "9")),
        ("e\u0301x", ("é", "x")),
        ("x\u0301\u0323y", ("x\u0323\u0301", "y")),  # marks in their canonical order
        ("漢字", ("漢", "字")),
        ("\u0301a", ("\u0301", "a")),
        ("क\u093f", ("क\u093f",)),  # a vowel sign stands on its consonant
    ],
)
def test_a_text_is_split_into_what_people_count(text: str, expected: tuple[str, ...]) -> None:
    assert characters(text) == expected


@pytest.mark.parametrize(
    ("text", "stands"),
    [
        ("abc", "abc"),
        ("123", "123"),
        ("٣٤", "٣٤"),  # Arabic digits run from left to right
        ("אבג", "גבא"),
        ("אב12", "12בא"),
        ("1ב23ד", "ד23ב1"),
        ("ab+3", "ab+3"),
    ],
)
def test_right_to_left_letters_turn_the_text_and_not_its_numbers(text: str, stands: str) -> None:
    assert "".join(left_to_right(text)) == stands
    assert as_read(characters(stands)) == text


@given(MIXED)
def test_turning_twice_is_turning_not_at_all(text: str) -> None:
    assert as_read(left_to_right(text)) == composed(text)
    assert sorted(reading_order(characters(text))) == list(range(len(characters(text))))
