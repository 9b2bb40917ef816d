"""Run a step on values that may fail one by one: each becomes a result, or a failure in its place.

Tested in ``tests/test_solver.py``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Generic, TypeVar

from captcha_solver.errors import BundleError, CaptchaSolverError, OptionError, SetupError

A = TypeVar("A")
B = TypeVar("B")

SYSTEMATIC = (BundleError, OptionError, SetupError)
"""What is wrong with the set-up, not with one value, and would fail every value alike: never caught here."""


@dataclass(frozen=True, slots=True)
class Attempt(Generic[A]):
    """A value or, where ``failure`` says why, none; ``elapsed_ms`` is the time spent on it so far."""

    value: A | None
    failure: str | None
    elapsed_ms: float

    def then(self, step: Callable[[A], B]) -> "Attempt[B]":
        """The next step on the value; a failure stays what it is."""
        if self.value is None:
            return Attempt(None, self.failure, self.elapsed_ms)
        return attempt(step, self.value, self.elapsed_ms)


def attempt(step: Callable[[A], B], value: A, spent_ms: float = 0.0) -> Attempt[B]:
    """``step(value)``, its exceptions turned into a failure."""
    start = perf_counter()
    try:
        result, failure = step(value), None
    except SYSTEMATIC:
        raise
    except Exception as error:  # an odd value may break anything below: it must not take its neighbours along
        return Attempt(None, _reason(error), spent_ms + _since_ms(start))
    return Attempt(result, failure, spent_ms + _since_ms(start))


def together(step: Callable[[Sequence[A]], Sequence[B]], attempts: Sequence[Attempt[A]]) -> list[Attempt[B]]:
    """``step`` on all values at once, its time shared equally; where that fails, on each value alone."""
    values = [each.value for each in attempts if each.value is not None]
    start = perf_counter()
    try:
        results = iter(_one_each(step, values)) if values else iter(())
    except SYSTEMATIC:
        raise
    except Exception:  # one of them is odd: find out which
        return [each.then(lambda value: _one_each(step, [value])[0]) for each in attempts]
    share_ms = _since_ms(start) / max(len(values), 1)
    return [
        Attempt(None, each.failure, each.elapsed_ms)
        if each.value is None
        else Attempt(next(results), None, each.elapsed_ms + share_ms)
        for each in attempts
    ]


def _one_each(step: Callable[[Sequence[A]], Sequence[B]], values: Sequence[A]) -> Sequence[B]:
    results = step(values)
    if len(results) != len(values):
        raise ValueError(f"expected {len(values)} results, received {len(results)}")
    return results


def _since_ms(start: float) -> float:
    return (perf_counter() - start) * 1e3


def _reason(error: Exception) -> str:
    """One line on what went wrong; errors that were not raised on purpose also say their kind."""
    text = " ".join(str(error).split())[:300]
    if isinstance(error, CaptchaSolverError):
        return text
    return f"could not be read ({type(error).__name__}: {text})"
