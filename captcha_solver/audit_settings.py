"""What an audit is asked to do, checked once.

Tested in ``tests/cli/test_audit.py``.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from captcha_solver.arithmetic.expressions import parse_answer
from captcha_solver.errors import OptionError

BUDGETS = (0, 20, 50, 100, 200, 500, 1000, 5000)
TESTED = 500
FEWEST_TESTED = 30  # with fewer, a 95 % interval says next to nothing
FEWEST_LABELS = 10  # that anything can be learnt from


class Scope(StrEnum):
    """How far an audit goes: all it can find out, or the attacks at each budget on the design as it is, and no more."""

    FULL = "full"
    LABELS = "labels"


@dataclass(frozen=True, slots=True)
class Prices:
    """What the attacker pays, in the user's currency."""

    core_hour: Annotated[float, Meta(ge=0, description="Of one core for an hour.")] = 0.05
    label: Annotated[float, Meta(ge=0, description="Of having one image typed in.")] = 0.002  # as services sell them
    attempt: Annotated[float, Meta(ge=0, description="Of one try besides computing: an address, an account.")] = 0.0


@dataclass(frozen=True, slots=True)
class AuditSettings:
    """``minutes`` bounds an audit: what does not fit in is left out, and named.

    ``answer``: the texts are sums, and what counts is the ``expression`` or its ``result``. ``infer``: models infer
    length and characters of the texts from their own answers to all tested images.
    """

    budgets: tuple[int, ...] = BUDGETS
    minutes: float | None = None
    tested: int = TESTED
    seed: int = 0
    fold_case: bool = True
    prices: Prices = field(default_factory=Prices)
    scope: Scope = Scope.FULL
    answer: str | None = None
    infer: bool = False

    def __post_init__(self) -> None:
        parse_answer(self.answer)
        if not self.budgets or min(self.budgets) < 0:
            raise OptionError(f"expected budgets of 0 labels and more, received {self.budgets}")
        if any(0 < labels < FEWEST_LABELS for labels in self.budgets):
            raise OptionError(f"expected budgets of 0, or of {FEWEST_LABELS} labels and more, received {self.budgets}")
        if self.minutes is not None and self.minutes <= 0:
            raise OptionError(f"expected minutes above 0, received {self.minutes}")
        if self.tested < 1:
            raise OptionError(f"expected at least 1 image to test on, received {self.tested}")


def parse_budgets(text: str) -> tuple[int, ...]:
    """``0,50,200`` -> (0, 50, 200), sorted, each once."""
    try:
        return tuple(sorted({int(part) for part in text.split(",") if part.strip()}))
    except ValueError as error:
        raise OptionError(f"expected numbers of labels by commas, as in 0,50,200, received {text!r}") from error
