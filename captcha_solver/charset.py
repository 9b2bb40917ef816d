"""Text to class ids and back; owns id 0 ("nothing here") and how a charset is narrowed or named."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from captcha_solver.errors import OptionError

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
}


@dataclass(frozen=True, slots=True)
class Charset:
    """An ordered set of characters; character ``i`` has class id ``i + 1``."""

    symbols: str

    def __post_init__(self) -> None:
        if not self.symbols:
            raise OptionError("a charset needs at least one character, received none")
        repeated = sorted({c for c in self.symbols if self.symbols.count(c) > 1})
        if repeated:
            raise OptionError(f"a charset lists each character once, received {''.join(repeated)!r} repeatedly")

    @property
    def classes(self) -> int:
        """Number of classes: the characters and "nothing here"."""
        return len(self.symbols) + 1

    def encode(self, text: str) -> list[int]:
        """Class ids (1..K) of ``text``; raises ``OptionError`` for a character outside the charset."""
        unknown = sorted(set(text) - set(self.symbols))
        if unknown:
            raise OptionError(f"characters {''.join(unknown)!r} of {text!r} are not in the charset {self.symbols!r}")
        return [self.symbols.index(c) + 1 for c in text]

    def decode(self, ids: Sequence[int]) -> str:
        """Text of class ids, "nothing here" left out."""
        return "".join(self.symbols[i - 1] for i in ids if i != NOTHING)

    def ids_of(self, symbols: Iterable[str]) -> list[int]:
        """Sorted ids of those ``symbols`` that this charset has."""
        return sorted(self.symbols.index(c) + 1 for c in set(symbols) if c in self.symbols)


def parse_charset(spec: str) -> Charset:
    """A charset from a name (``digits``, ``lower+digits``, ``alnum``...) or from the literal characters."""
    if spec in NAMED:
        return Charset(NAMED[spec])
    parts = spec.split("+")
    if len(parts) > 1 and all(part in NAMED for part in parts):
        return Charset("".join(dict.fromkeys("".join(NAMED[part] for part in parts))))
    if not spec.isprintable() or any(c.isspace() for c in spec):
        raise OptionError(
            f"expected a charset name ({', '.join(NAMED)}) or printable characters without spaces, received {spec!r}"
        )
    return Charset("".join(dict.fromkeys(spec)))
