"""Makes an error of one clear line of an HTTP answer that refuses.

Tested in ``tests/client/test_service.py``.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from captcha_solver.errors import ServiceError

if TYPE_CHECKING:
    import httpx

MOST_PLACES = 3


def refusal(response: "httpx.Response") -> ServiceError:
    """What the service says in its ``application/problem+json`` (RFC 9457), or that this is not the service."""
    media = response.headers.get("content-type", "").split(";")[0]
    try:
        body: Any = response.json() if media == "application/problem+json" else None
    except ValueError:
        body = None
    if not isinstance(body, dict):
        place = response.headers.get("location")
        what = f"a redirect to {place[:200]}" if place else media or "nothing more"
        return ServiceError(
            f"expected an answer of captcha-solver's service at {response.request.url}, "
            f"received {response.status_code} {response.reason_phrase} with {what}"
        )
    return ServiceError(one_line(response.status_code, body))


def one_line(status: int, problem: Mapping[str, Any]) -> str:
    """``the detail: where, why (429 rate_limited, request 0123)``."""
    detail = str(problem.get("detail") or problem.get("title") or "no reason given")
    places = problem.get("errors")
    wrong = [_place(each) for each in places[:MOST_PLACES]] if isinstance(places, list) else []
    about = f"{status} {problem.get('code', '')}".strip()
    request = f", request {problem['request_id']}" if problem.get("request_id") else ""
    return " ".join(f"{': '.join([detail, *(['; '.join(wrong)] if wrong else [])])} ({about}{request})".split())


def _place(error: Any) -> str:
    if not isinstance(error, dict):
        return str(error)
    location = error.get("location")
    where = ".".join(map(str, location)) if isinstance(location, list) else ""
    return f"{where}: {error.get('message', '')}" if where else str(error.get("message", ""))
