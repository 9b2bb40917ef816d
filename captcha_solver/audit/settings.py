"""What an audit is asked to do, checked once."""

from dataclasses import dataclass, field

from captcha_solver.audit.cost import Prices
from captcha_solver.errors import OptionError

BUDGETS = (0, 20, 50, 100, 200, 500, 1000)
TESTED = 500


@dataclass(frozen=True, slots=True)
class AuditSettings:
    """``minutes`` bounds an audit: what does not fit in is left out, and named."""

    budgets: tuple[int, ...] = BUDGETS
    minutes: float | None = None
    tested: int = TESTED
    seed: int = 0
    fold_case: bool = True
    prices: Prices = field(default_factory=Prices)

    def __post_init__(self) -> None:
        if not self.budgets or min(self.budgets) < 0:
            raise OptionError(f"expected budgets of 0 labels and more, received {self.budgets}")
        if any(0 < labels < 10 for labels in self.budgets):
            raise OptionError(f"expected budgets of 0, or of 10 labels and more, received {self.budgets}")
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
