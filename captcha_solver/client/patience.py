"""How often and how long a request is tried again after something went wrong.

Tested in ``tests/client/test_service.py``.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from captcha_solver.errors import ServiceError

FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 15.0
FIRST_ANSWER_S = 10.0  # a service that has never answered is given up after this: its address may be wrong


class Patience:
    """Waits between tries, for at most ``retry_for_s`` a request. ``say`` is told why, once a request."""

    def __init__(
        self,
        retry_for_s: float,
        say: Callable[[str], None],
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.retry_for_s = retry_for_s
        self.say = say
        self.clock = clock
        self.sleep = sleep
        self._answered = False

    def answered(self) -> None:
        """The service is there: from now on its absence is a passing one."""
        self._answered = True

    @property
    def within_s(self) -> float:
        return self.retry_for_s if self._answered else min(self.retry_for_s, FIRST_ANSWER_S)

    def request(self) -> "Tries":
        return Tries(self)


class Tries:
    """The tries of one request."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._began = patience.clock()
        self._failed = 0

    def wait(self, cause: str, retry_after_s: float | None = None) -> None:
        """Wait until the next try; ``ServiceError`` where the time for it is up."""
        patience = self._patience
        wait_s = backoff_s(self._failed) if retry_after_s is None else retry_after_s
        spent_s = patience.clock() - self._began
        if spent_s + wait_s > patience.within_s:
            tried = f"gave up after {spent_s:.0f} s" if self._failed else "gave up at once"
            asked = f", to be asked again in {retry_after_s:.0f} s" if retry_after_s else ""
            raise ServiceError(f"{cause}{asked}; {tried} (tried again for up to {patience.within_s:.0f} s)")
        if self._failed == 0:
            patience.say(f"{cause}; trying again for up to {patience.within_s:.0f} s")
        self._failed += 1
        patience.sleep(wait_s)


def backoff_s(failed: int) -> float:
    """The wait after so many tries that failed before this one: twice as long each time, up to a limit."""
    return min(FIRST_WAIT_S * 2.0 ** min(failed, 16), LONGEST_WAIT_S)


def seconds_of(retry_after: str | None, now: datetime | None = None) -> float | None:
    """The header Retry-After (RFC 9110: seconds, or a date) as seconds from now; None where it says nothing."""
    if not retry_after:
        return None
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        moment = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max((moment - (now or datetime.now(UTC))).total_seconds(), 0.0)
