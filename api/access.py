"""Who sent a request: checks the bearer token, then how many requests its owner made lately.

Tested in ``tests/api/test_limits.py``.
"""

import math
import time
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from limits import RateLimitItem, parse
from limits.aio.storage import RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from api.problems import Problem
from api.service import ANSWER_S, service_of
from captcha_solver.errors import OptionError

BEARER = HTTPBearer(auto_error=False, description="An API key: make serve prints one")


class Rates:
    """Counts the requests of each owner in Redis, so that several API processes count together."""

    def __init__(self, rate: str, url: str) -> None:
        try:
            self._rate: RateLimitItem = parse(rate)
        except ValueError as error:
            raise OptionError(f"expected CAPTCHA_RATE as in 100/second, received {rate!r}") from error
        address = url.replace("unix://", "redis+unix://", 1)
        storage = RedisStorage(
            address, implementation="redispy", socket_connect_timeout=ANSWER_S, socket_timeout=ANSWER_S
        )
        self._limiter = SlidingWindowCounterRateLimiter(storage)

    async def check(self, owner: str) -> dict[str, str]:
        """Count one request; the headers that tell how many are left. ``Problem`` 429 where none is."""
        allowed = await self._limiter.hit(self._rate, owner)
        window = await self._limiter.get_window_stats(self._rate, owner)
        reset_s = max(math.ceil(window.reset_time - time.time()), 1)
        headers = {
            "RateLimit-Limit": str(self._rate.amount),
            "RateLimit-Remaining": str(max(window.remaining, 0)),
            "RateLimit-Reset": str(reset_s),
        }
        if not allowed:
            detail = f"expected at most {self._rate}, received more: wait {reset_s} s"
            raise Problem(429, "rate_limited", detail, headers={**headers, "Retry-After": str(reset_s)})
        return headers


async def owner_of(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)]
) -> str:
    """The owner of the request's key; ``Problem`` 401 where there is none."""
    owner = service_of(request).keys.owner(credentials.credentials) if credentials else None
    if owner is None:
        given = "none" if credentials is None else "one that is not known"
        raise Problem(
            401,
            "unauthorized",
            f"expected Authorization: Bearer KEY, received {given}",
            headers={"WWW-Authenticate": "Bearer"},
        )
    rates: Rates = request.app.state.rates
    request.state.headers = await rates.check(owner)
    return owner


Owner = Annotated[str, Depends(owner_of)]
