"""How people write a charset: names in any case, ranges, several joined; and what a slip is answered with."""

import string

import pytest

from captcha_solver.charset import DIGITS, LOWER, UPPER, both_cases, parse_charset, spelt
from captcha_solver.errors import OptionError

MEANT = {
    "Digits": DIGITS,
    "LOWER+digits": DIGITS + LOWER,
    "Alnum": DIGITS + UPPER + LOWER,
    " hex ": DIGITS + "abcdef",
    "a-z0-9": LOWER + DIGITS,
    "A-F0-9": "ABCDEF" + DIGITS,
    "lower+2-9": LOWER + "23456789",
    "a-f+0-9": "abcdef" + DIGITS,
    "digits+abc": DIGITS + "abc",
    "alnum+!?": DIGITS + UPPER + LOWER + "!?",
    "a-cx": "abcx",
    "-abc": "-abc",
    "abc-": "abc-",
    "+-*/": "+-*/",
    "0-9+-*": DIGITS + "+-*",
    "a+b": "a+b",
    "\u0430-\u0433": "\u0430\u0431\u0432\u0433",
    "\u03b1-\u03b4": "\u03b1\u03b2\u03b3\u03b4",
    "=digits": "digts",
    "=a-z": "a-z",
    "=": "=",
    "[abc]": "[abc]",
    "a,b": "a,b",
    **{text: "".join(dict.fromkeys(text)) for text in (
        "acdefghjkmnpqrtuvwxy34678", "ABCDEFGHJKLMNPQRSTUVWXYZ23456789", "bcdfghjkmnpqrtvwxy", "aeiou", "word", "test",
        "alph#\u00e9", "etaoin", "qwertyuiop", "23456789", "aAbB", "rstln", string.punctuation.replace("=", ""),
    )},
}  # fmt: skip


@pytest.mark.parametrize("spec", list(MEANT))
def test_what_is_meant(spec: str) -> None:
    assert parse_charset(spec).symbols == MEANT[spec]


SLIPS = {
    "digit": "digits",
    "DIGITZ": "digits",
    "numeric": "digits",
    "lowr+digits": "lower+digits",
    "letters+digit": "letters+digits",
    "digits+lowr+abc": "digits+lower+abc",
    "uper": "upper",
    "alphanum": "alnum",
    "hexx": "hex",
    "lower-digits": "lower+digits",
    "lower_digits": "lower+digits",
    "lower,digits": "lower+digits",
    "lower digits": "lower+digits",
    "lowerdigits": "lower+digits",
    "Uppercase+Digits": "upper+Digits",
    "digits+": "digits",
    "A-Z 0-9": "A-Z0-9",
    "A-Z,0-9": "A-Z0-9",
    "[a-z0-9]": "a-z0-9",
}


@pytest.mark.parametrize("spec", list(SLIPS))
def test_a_slip_gets_a_hint_that_works(spec: str) -> None:
    with pytest.raises(OptionError) as caught:
        parse_charset(spec)
    message = str(caught.value)
    assert message.startswith(f"expected a charset, received {spec!r}: did you mean {SLIPS[spec]}?")
    parse_charset(SLIPS[spec])
    if " " not in spec:
        assert f"(={spec} stands for its characters)" in message
        assert set(parse_charset(f"={spec}").symbols) == set(spec)


@pytest.mark.parametrize("spec", ["z-a", "9-0", "a-Z", "A-z", "0-z", "a-\u044f", "\u0430-z", "lower+z-a"])
def test_a_range_that_is_none(spec: str) -> None:
    with pytest.raises(OptionError, match="expected a range within digits, small or capital letters") as caught:
        parse_charset(spec)
    assert repr(spec) in str(caught.value)


@pytest.mark.parametrize("symbols", ["abc", "digts", "a-z", "=", "=x", "z-a", "+-0123456789", "lower", "x y"])
def test_any_characters_can_be_written(symbols: str) -> None:
    unique = "".join(dict.fromkeys(symbols.replace(" ", "")))
    assert parse_charset(spelt(unique)).symbols == unique


def test_both_cases_of_letters_that_have_one_character_for_each() -> None:
    assert both_cases("a1B-") == "aA1Bb-"
    assert both_cases("\u0434\u03b4") == "\u0434\u0414\u03b4\u0394"
    assert both_cases("\u00df\u00e9") == "\u00df\u00e9\u00c9"  # the capital of sharp s is two letters
    assert both_cases(DIGITS) == DIGITS
