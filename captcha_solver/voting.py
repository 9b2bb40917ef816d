"""How many views of an image are read, and how their readings are combined: a vote, and how sure it is.

Tested in ``tests/test_views.py``.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from captcha_solver.errors import OptionError
from captcha_solver.types import Reading

AUTO = "auto"
CANVAS = "canvas"  # the view of the image as it came, not cut to its text
USUAL = AUTO  # where nothing else is asked for
NAMES = ("region", "median", CANVAS, "wider", "narrower", "median-rows", "doubled")  # of the views, in their order
CHOICES = (AUTO, *(str(count) for count in range(1, len(NAMES) + 1)))  # how views are asked for
MOST_ODDS = 50.0  # log-odds; beyond, a probability is 0 or 1


@dataclass(frozen=True, slots=True)
class VoteFit:
    """What was fitted on drawn images: further views are worth their time below the confidence ``below`` (0-1).

    A bundle that was not fitted has 0: only where nothing is read it is worth looking again.
    The confidence of a vote is ``slope`` times the log-odds of its share plus ``offset``, as a probability
    (Platt 1999): a text on which half of the views agree is right more often than half of the time.
    """

    below: float = 0.0
    slope: float = 1.0
    offset: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.below <= 1:
            raise OptionError(f"expected a confidence in 0..1, received {self.below}")
        if not (0 < self.slope < math.inf and math.isfinite(self.offset)):
            raise OptionError(f"expected a slope above 0 and an offset, received {self.slope} and {self.offset}")

    def confidence(self, share: float) -> float:
        """How probably the text with that share (0-1) of the vote is right."""
        if not 0 < share < 1 or (self.slope, self.offset) == (1, 0):
            return share
        odds = self.slope * math.log(share / (1 - share)) + self.offset
        return 1 / (1 + math.exp(-min(max(odds, -MOST_ODDS), MOST_ODDS)))


@dataclass(frozen=True, slots=True)
class ViewSettings:
    """How many views an image is read in: ``most`` where the first is less sure than ``fit`` says, or ``always``."""

    most: int = 1
    fit: VoteFit = field(default_factory=VoteFit)
    always: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.most <= len(NAMES):
            raise OptionError(f"expected 1 to {len(NAMES)} views, received {self.most}")

    def wanted(self, reading: Reading, weight: float = 1.0) -> bool:
        """Whether an image whose first view was read as ``reading`` is to be read in the further views too.

        ``weight`` (0-1): how probable such a text is.
        """
        return self.most > 1 and (self.always or not reading.text or reading.confidence * weight < self.fit.below)


def parse_views(spec: str | int, fit: VoteFit) -> ViewSettings:
    """``1`` to ``7``: that many views of each image; ``auto``: all where the first is less sure than ``fit`` says."""
    if str(spec) not in CHOICES:
        raise OptionError(f"expected views {AUTO} or 1 to {len(NAMES)}, received {str(spec)!r}")
    return ViewSettings(len(NAMES), fit) if spec == AUTO else ViewSettings(int(spec), fit, always=True)


@dataclass(frozen=True, slots=True)
class Viewed:
    """What was read in one view of an image, and how far all views of the image support it.

    ``support`` (0-1): the mean, over the views, of the probability of that text.
    """

    reading: Reading
    support: float


def vote(views: Sequence[Viewed], fit: VoteFit, weight: Callable[[Reading], float] = lambda reading: 1.0) -> Reading:
    """The reading of the text that the views support most; of equal ones that of the earlier view.

    ``fit`` makes a confidence of the support, which is low where the views disagree. ``weight`` (0-1): how much each
    reading counts.
    """
    read = [each for each in views if each.reading.text]
    if not read:
        return views[0].reading
    best = max(read, key=lambda each: each.support * weight(each.reading))
    alike = [each.reading for each in read if each.reading.text == best.reading.text]
    surest = max(alike, key=lambda reading: reading.confidence)
    return replace(surest, confidence=fit.confidence(best.support))


def agreeing(views: Sequence[Viewed], text: str) -> float:
    """The share (0-1) of the views in which ``text`` is read; 0 where it is none."""
    return sum(bool(text) and each.reading.text == text for each in views) / len(views)


def shared(readings: Sequence[Reading]) -> list[Viewed]:
    """Readings whose scores cannot be compared: a text is supported by the confidences of those views that read it."""
    sums: dict[str, float] = defaultdict(float)
    for each in readings:
        if each.text:
            sums[each.text] += each.confidence
    return [Viewed(each, sums[each.text] / len(readings) if each.text else 0.0) for each in readings]
