"""What an attack costs: money, attempts, and what a lock-out leaves."""

from dataclasses import dataclass

from captcha_solver.audit_settings import Prices

TRIES = (1, 3, 5, 10, 20)
MS_AN_HOUR = 3_600_000.0
S_AN_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Effort:
    """What an attack took, and how often it is right."""

    labels: int
    train_core_s: float
    ms_per_solve: float
    rate: float


@dataclass(frozen=True, slots=True)
class Cost:
    """``once``: labels and training; ``per_1000``: running cost of a thousand correct answers, or None."""

    once: float
    per_1000: float | None
    attempts: float | None
    lockout: tuple[tuple[int, float], ...]  # (tries before the lock-out, chance that one of them is right)

    def total(self, thousands: float = 1.0) -> float | None:
        """For so many thousand correct answers, what was paid once included."""
        return None if self.per_1000 is None else self.once + thousands * self.per_1000


def cost(effort: Effort, prices: Prices) -> Cost:
    """Tries are taken as independent: each fresh image is solved with the measured rate."""
    p = effort.rate
    once = max(effort.labels, 0) * prices.label + effort.train_core_s / S_AN_HOUR * prices.core_hour
    a_try = effort.ms_per_solve / MS_AN_HOUR * prices.core_hour + prices.attempt
    return Cost(
        once=once,
        per_1000=1000 * a_try / p if p else None,
        attempts=1 / p if p else None,
        lockout=tuple((tries, 1 - (1 - p) ** tries) for tries in TRIES),
    )
