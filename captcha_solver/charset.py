"""Text to class ids and back; owns id 0 ("nothing here") and how a charset is narrowed or named."""

import difflib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from captcha_solver.errors import OptionError
from captcha_solver.symbols import as_read, characters, composed, is_mark, left_to_right

NOTHING = 0  # CTC blank, background between glyphs, junk segment: the same id in every model

DIGITS = "0123456789"
LOWER = "abcdefghijklmnopqrstuvwxyz"
UPPER = LOWER.upper()

NAMED = {
    "digits": DIGITS,
    "lower": LOWER,
    "upper": UPPER,
    "letters": UPPER + LOWER,
    "hex": DIGITS + "abcdef",
    "lower+digits": DIGITS + LOWER,
    "upper+digits": DIGITS + UPPER,
    "alnum": DIGITS + UPPER + LOWER,
    "math": DIGITS + "+-\u2212×*÷/=?",
    "cyrillic": "АБВГДЕЁЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯ" + "абвгдеёжзийклмнопрстуфхцчшщъыьэюя",
    "greek": "ΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩ" + "αβγδεζηθικλμνξοπρστυφχψω",
    "hebrew": "אבגדהוזחטיךכלםמןנסעףפץצקרשת",
    "arabic-digits": "٠١٢٣٤٥٦٧٨٩",
    "persian-digits": "۰۱۲۳۴۵۶۷۸۹",
    "devanagari-digits": "०१२३४५६७८९",
}

LITERAL = "="  # before characters that could be taken for a name or a range
MOST_OF_A_RANGE = 65_536  # characters between the ends: the largest alphabet is one of Chinese
OTHER_WORDS = {
    **dict.fromkeys(("digit", "num", "nums", "number", "numbers", "numeric", "numerical", "numerals"), "digits"),
    **dict.fromkeys(("low", "lowercase", "lowers", "small", "minuscules"), "lower"),
    **dict.fromkeys(("uppercase", "uppers", "capital", "capitals", "caps", "majuscules"), "upper"),
    **dict.fromkeys(("letter", "alpha", "alphabet", "alphabetic"), "letters"),
    **dict.fromkeys(
        ("all", "any", "ascii", "alphanum", "alphanumeric", "alphanumerical", "alphanumerics", "alphadigits"), "alnum"
    ),
    **dict.fromkeys(("hexa", "hexdigits", "hexadecimal"), "hex"),
}
KNOWN_WORDS = {name: name for name in NAMED if name.isalpha()} | OTHER_WORDS
BETWEEN = re.compile(r"[\s,;|&/]+")  # what people put between parts
RANGES = re.compile(r"(?:\w-\w)+")


@dataclass(frozen=True, slots=True)
class Charset:
    """An ordered set of characters of any script; character ``i`` of ``characters`` has class id ``i + 1``.

    ``symbols`` holds them one after the other, in Unicode's composed form (NFC).
    """

    symbols: str
    characters: tuple[str, ...] = field(init=False, repr=False, compare=False)
    _ids: Mapping[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.symbols:
            raise OptionError("a charset needs at least one character, received none")
        if is_mark(self.symbols[0]):
            raise OptionError(
                f"a charset begins with a character, received the mark {self.symbols[0]!r}, which stands on one"
            )
        object.__setattr__(self, "symbols", composed(self.symbols))
        object.__setattr__(self, "characters", characters(self.symbols))
        object.__setattr__(self, "_ids", {c: i for i, c in enumerate(self.characters, 1)})
        if len(self._ids) < len(self.characters):
            repeated = sorted(c for c, count in Counter(self.characters).items() if count > 1)
            raise OptionError(f"a charset lists each character once, received {''.join(repeated)!r} repeatedly")

    @property
    def classes(self) -> int:
        """Number of classes: the characters and "nothing here"."""
        return len(self.characters) + 1

    def encode(self, text: str) -> list[int]:
        """Class ids (1..K) of ``text`` as it stands in an image, from left to right.

        Raises ``OptionError`` for a character outside the charset.
        """
        unknown = self.lacks(text)
        if unknown:
            raise OptionError(f"characters {unknown!r} of {text!r} are not in the charset {shown(self.symbols)!r}")
        return [self._ids[c] for c in left_to_right(text)]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of class ids from left to right, "nothing here" left out."""
        return as_read([self.characters[i - 1] for i in ids if i != NOTHING])

    def lacks(self, text: str) -> str:
        """The characters of ``text`` that this charset does not have, sorted."""
        return "".join(sorted(set(characters(text)) - self._ids.keys()))

    def ids_of(self, text: str) -> list[int]:
        """Sorted ids of those characters of ``text`` that this charset has."""
        return sorted(self._ids[c] for c in set(characters(text)) if c in self._ids)

    def with_more(self, text: str) -> "Charset":
        """This charset, and behind it those characters of ``text`` that it lacks, sorted."""
        more = self.lacks(text)
        return Charset(self.symbols + more) if more else self


def charset_of(texts: Iterable[str]) -> Charset:
    """The characters of ``texts``: digits, capital and small Latin letters first, all else as Unicode orders it."""
    found = {c for text in texts for c in characters(text)}
    latin = [c for c in NAMED["alnum"] if c in found]
    return Charset("".join([*latin, *sorted(found - set(latin))]))


def shown(symbols: str, most: int = 80) -> str:
    """``symbols`` for people: the first of them, where they are many."""
    each = characters(symbols)
    return symbols if len(each) <= most else f"{''.join(each[:most])}... ({len(each):,} characters)"


def parse_charset(spec: str) -> Charset:
    """A charset as people write it: a name, characters, ranges of them, or several of these joined by ``+``.

    ``digits``, ``Lower+Digits`` (a name in any case), ``abc``, ``a-z0-9``, ``upper+2-9``. A ``+`` joins where one of
    its parts is a name, a ``-`` makes a range between two digits, two small or two capital letters of one alphabet;
    else both are characters. After ``=`` everything is a character: ``=digits`` is d, g, i, s and t. ``OptionError``
    for anything else, and for what looks like a name that is misspelt.
    """
    spec = composed(spec).lstrip(" ")
    if spec.startswith(LITERAL) and len(spec) > 1:
        return _of(_visible(spec[len(LITERAL) :], spec, blank=True))
    spec = spec.rstrip(" ")
    if spec.casefold() in NAMED:
        return Charset(NAMED[spec.casefold()])
    parts = spec.split("+")
    joined = all(parts) and (
        any(part.casefold() in NAMED for part in parts) or all(RANGES.fullmatch(part) for part in parts)
    )
    meant = (
        "+".join(part if part.casefold() in NAMED else _meant(part) or part for part in parts)
        if joined
        else _meant(spec)
    )
    if meant not in (None, spec):
        stands = "" if any(c.isspace() for c in spec) else f" ({LITERAL}{spec} stands for its characters)"
        raise OptionError(f"expected a charset, received {spec!r}: did you mean {meant}?{stands}")
    if joined:
        _check_once(parts, spec)
        return _of("".join(NAMED.get(part.casefold()) or _written(part, spec) for part in parts))
    return _of(_written(_visible(spec, spec), spec))


def spelt(symbols: str) -> str:
    """How to write the characters ``symbols`` so that ``parse_charset`` gives them, whatever they are."""
    try:
        plain = parse_charset(symbols).symbols == symbols
    except OptionError:
        plain = False
    return symbols if plain else LITERAL + symbols


def both_cases(symbols: str) -> str:
    """``symbols`` and, of each letter, the other case, where that is one character too."""
    cases = (composed(case) for c in characters(symbols) for case in (c, c.lower(), c.upper()))
    return "".join(dict.fromkeys(case for case in cases if len(characters(case)) == 1))


def _of(symbols: str) -> Charset:
    return Charset("".join(dict.fromkeys(characters(symbols))))


def _check_once(parts: Sequence[str], spec: str) -> None:
    twice = [part for part, count in Counter(part.casefold() for part in parts).items() if count > 1]
    if twice:
        raise OptionError(f"expected each part of a charset once, received {', '.join(twice)} repeatedly in {spec!r}")


def _written(text: str, spec: str) -> str:
    """The characters of ``text``, its ranges written out."""
    symbols, at = "", 0
    while at < len(text):
        if text[at + 1 : at + 2] == "-" and text[at].isalnum() and text[at + 2 : at + 3].isalnum():
            symbols += _range(text[at], text[at + 2], spec)
            at += 3
        else:
            symbols += text[at]
            at += 1
    return symbols


def _range(first: str, last: str, spec: str) -> str:
    """All characters from ``first`` to ``last`` that are letters or digits of their kind."""
    kind = unicodedata.category(first)
    size = ord(last) - ord(first)
    if kind != unicodedata.category(last) or not 0 <= size < MOST_OF_A_RANGE or _script(first) != _script(last):
        raise OptionError(
            f"expected a range within digits, small or capital letters, as in a-z0-9, received "
            f"{first}-{last} in {spec!r}"
        )
    between = map(chr, range(ord(first), ord(last) + 1))
    return "".join(c for c in between if unicodedata.category(c) == kind)


def _script(char: str) -> str:
    """The alphabet that a letter is of, as its Unicode name begins."""
    return unicodedata.name(char, "").split(" ")[0] if char.isalpha() else ""


def _visible(text: str, spec: str, *, blank: bool = False) -> str:
    """``text``, if all of it can be seen; the space between words may be among what is meant literally."""
    unseen = any(c.isspace() and not (blank and c == " ") for c in text)
    if not text.strip() or not text.isprintable() or unseen:
        raise OptionError(
            f"expected a charset name ({', '.join(NAMED)}) or printable characters without spaces, received {spec!r}"
        )
    return text


def _meant(spec: str) -> str | None:
    """The charset that ``spec`` seems to be a slip for; None where it looks like characters."""
    pieces = [piece for piece in BETWEEN.split(spec.strip("[]")) if piece]
    if (len(pieces) > 1 or spec[0:1] == "[") and all(p.casefold() in NAMED or RANGES.fullmatch(p) for p in pieces):
        return "+".join(pieces) if any(p.casefold() in NAMED for p in pieces) else "".join(pieces)
    words = [word for word in re.split(r"[^a-z]+", spec.casefold()) if word]
    nothing_else = re.fullmatch(r"[A-Za-z\s+_.,;:|&/-]*", spec) is not None
    meant = [_names_like(word) if nothing_else else _known(word) for word in words]
    return "+".join(dict.fromkeys(name for names in meant for name in names)) if words and all(meant) else None


def _known(word: str) -> list[str]:
    """The names that ``word`` means: one, or two that are run together; none where it is no word for one."""
    if word in KNOWN_WORDS:
        return [KNOWN_WORDS[word]]
    for cut in range(3, len(word) - 2):
        if word[:cut] in KNOWN_WORDS and word[cut:] in KNOWN_WORDS:
            return [KNOWN_WORDS[word[:cut]], KNOWN_WORDS[word[cut:]]]
    return []


def _names_like(word: str) -> list[str]:
    """As ``_known``, and the name that ``word`` seems to be a slip for."""
    likely = [known for known in KNOWN_WORDS if len(known) > 3 and abs(len(known) - len(word)) < 3]
    close = difflib.get_close_matches(word, likely if len(word) > 3 else [], 1, 0.75)
    return _known(word) or [KNOWN_WORDS[each] for each in close]
