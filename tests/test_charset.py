import pytest

from captcha_solver.charset import NAMED, NOTHING, Charset, charset_of, parse_charset, shown, spelt
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
    latin = [symbols for symbols in NAMED.values() if symbols.isascii() and symbols.isalnum()]
    assert len(latin) == 8
    assert all(set(symbols) <= set(NAMED["alnum"]) for symbols in latin)


def test_named_charsets_of_other_scripts_are_whole() -> None:
    assert len(Charset(NAMED["cyrillic"]).characters) == 66
    assert len(Charset(NAMED["greek"]).characters) == 48
    assert len(Charset(NAMED["hebrew"]).characters) == 27
    for name in ("arabic-digits", "persian-digits", "devanagari-digits"):
        assert [int(digit) for digit in NAMED[name]] == list(range(10))
    assert set("+-\u2212×*÷/=?") == set(NAMED["math"]) - set(NAMED["digits"])


def test_a_base_and_its_marks_are_one_character() -> None:
    charset = Charset("x\u0301y\u0301e\u0301")
    assert charset.characters == ("x\u0301", "\u00fd", "\u00e9")
    assert charset.classes == 4
    assert charset.encode("ýx\u0301") == [2, 1]
    assert charset.decode([1, 0, 3]) == "x\u0301é"
    with pytest.raises(OptionError, match="begins with a character"):
        Charset("\u0301a")


def test_right_to_left_texts_are_encoded_as_they_stand_and_decoded_as_they_are_read() -> None:
    charset = Charset("אבגד0123456789abc")
    assert charset.encode("אבגד") == [4, 3, 2, 1]
    assert charset.encode("אב12") == [6, 7, 2, 1]
    assert charset.encode("12ab") == [6, 7, 15, 16]
    for text in ("אבגד", "אב12", "1ב2", "abc", "12", "א12ב"):
        assert charset.decode(charset.encode(text)) == text


def test_a_charset_of_texts_and_one_with_more() -> None:
    assert charset_of(["b1", "жB", "été"]).symbols == "1Bbtéж"
    more = Charset("ab").with_more("abца")
    assert more.symbols == "abац"
    assert Charset("ab").with_more("ba") == Charset("ab")
    assert Charset("ab").lacks("ябa") == "бя"


def test_a_blank_can_be_meant_literally() -> None:
    assert parse_charset("=ab ").symbols == "ab "
    assert parse_charset(spelt(" ab")).symbols == " ab"
    assert parse_charset(" ab ").symbols == "ab"


def test_long_charsets_are_shown_in_part() -> None:
    assert shown("abc") == "abc"
    assert shown("".join(chr(0x4E00 + i) for i in range(3000)), 2) == "一丁... (3,000 characters)"


@pytest.mark.parametrize("spec", ["digits+digits", "cyrillic+Digits+digits"])
def test_an_alphabet_given_twice_is_refused(spec: str) -> None:
    with pytest.raises(OptionError, match=r"each part of a charset once, received digits repeatedly"):
        parse_charset(spec)


@pytest.mark.parametrize("spec", ["", "a b", "a\n", "\0", "= ", "=a\tb"])
def test_impossible_specs(spec: str) -> None:
    with pytest.raises(OptionError):
        parse_charset(spec)
