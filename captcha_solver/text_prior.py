"""What the answers to many images of one design tell of its texts: which characters, and how long.

An explicit choice, since one image's answer then depends on its neighbours: an attacker has many images of one design.

Tested in ``tests/test_text_prior.py``.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from captcha_solver.charset import NAMED, spelt
from captcha_solver.types import Reading

FEWEST = 10  # answers, below which nothing is concluded
COVERED = 0.97  # of all that was read, by confidence: what is left over are slips
FLOOR = 0.02  # of a length that was never read, over the commonest one
ALPHABETS = ("digits", "lower", "upper", "hex", "lower+digits", "upper+digits", "letters", "alnum")


@dataclass(frozen=True, slots=True)
class TextPrior:
    """``charset``: what the texts are written with, as ``parse_charset`` takes it; None where nothing was concluded.

    ``lengths``: of each length, how often it was read over the commonest one, 0-1.
    """

    charset: str | None = None
    lengths: Mapping[int, float] = field(default_factory=dict)

    def weight(self, reading: Reading) -> float:
        """How probable a text of that length is, over one of the commonest length, 0-1."""
        if not self.lengths:
            return 1.0
        return (self.lengths.get(len(reading.characters), 0.0) + FLOOR) / (1 + FLOOR)

    def told(self) -> str:
        """For people: ``4 characters of lower+digits``."""
        usual = sorted(length for length, share in self.lengths.items() if share > 3 * FLOOR)
        if not usual:
            return "nothing: too few answers"
        span = f"{usual[0]}" if usual[0] == usual[-1] else f"{usual[0]}-{usual[-1]}"
        return f"{span} characters of {self.charset or 'any kind'}"


def prior_from(readings: Sequence[Reading]) -> TextPrior:
    """What ``readings``, the answers to images of one design, have in common; each counts by its confidence.

    The smallest usual alphabet that has nearly all characters; where none has, those that were read themselves.
    """
    lengths: dict[int, float] = defaultdict(float)
    read: dict[str, float] = defaultdict(float)
    answered = [each for each in readings if each.characters]
    if len(answered) < FEWEST:
        return TextPrior()
    for each in answered:
        lengths[len(each.characters)] += each.confidence
        for character in each.characters:
            read[character.char] += each.confidence * character.confidence
    most = max(lengths.values())
    if not most > 0:
        return TextPrior()
    return TextPrior(_alphabet(read), {length: share / most for length, share in sorted(lengths.items())})


def _alphabet(read: Mapping[str, float]) -> str:
    wanted = COVERED * sum(read.values())
    for name in sorted(ALPHABETS, key=lambda name: len(NAMED[name])):
        if sum(read.get(char, 0.0) for char in NAMED[name]) >= wanted:
            return name
    return spelt("".join(sorted(read)))
