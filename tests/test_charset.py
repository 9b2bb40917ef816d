import pytest

from captcha_solver.charset import NAMED, NOTHING, Charset, parse_charset
from captcha_solver.errors import OptionError


def test_ids_start_after_nothing() -> None:
    charset = Charset("xyz")
    assert NOTHING == 0
    assert charset.classes == 4
    assert charset.encode("zxy") == [3, 1, 2]
    assert charset.decode([3, 0, 1, 0, 0, 2]) == "zxy"
    assert charset.decode(charset.encode("xxzy")) == "xxzy"


def test_unknown_characters_are_named() -> None:
    with pytest.raises(OptionError, match="'!é' of 'é!x' are not in the charset 'xyz'"):
        Charset("xyz").encode("é!x")


@pytest.mark.parametrize("symbols", ["", "aba"])
def test_impossible_charsets(symbols: str) -> None:
    with pytest.raises(OptionError):
        Charset(symbols)


def test_narrowing_keeps_what_is_known() -> None:
    assert Charset("abcd").ids_of("dxbd") == [2, 4]
    assert Charset("abcd").ids_of("") == []


@pytest.mark.parametrize(
    ("spec", "symbols"),
    [
        ("digits", "0123456789"),
        ("hex", "0123456789abcdef"),
        ("lower+digits", "0123456789abcdefghijklmnopqrstuvwxyz"),
        ("digits+lower", "0123456789abcdefghijklmnopqrstuvwxyz"),
        ("hex+digits", "0123456789abcdef"),
        ("abc", "abc"),
        ("aab", "ab"),
        ("a+b", "a+b"),
        ("é#", "é#"),
    ],
)
def test_charsets_by_name_or_characters(spec: str, symbols: str) -> None:
    assert parse_charset(spec).symbols == symbols


def test_the_largest_named_charset_has_every_letter_and_digit() -> None:
    assert len(NAMED["alnum"]) == 62
    assert all(set(symbols) <= set(NAMED["alnum"]) for symbols in NAMED.values())


@pytest.mark.parametrize("spec", ["", "a b", "a\n", "\0"])
def test_impossible_specs(spec: str) -> None:
    with pytest.raises(OptionError):
        parse_charset(spec)
