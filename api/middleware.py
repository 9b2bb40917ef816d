"""Around each request: an id, careful headers, an answer whatever happens, its time, and one line in the log.

Tested in ``tests/api/test_problems.py``.
"""

import re
import secrets
import time
from typing import Any

import structlog
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.metrics import Metrics
from api.problems import Problem, unexpected

GIVEN_ID = re.compile(r"[A-Za-z0-9_.-]{8,64}")
SECURITY = {
    b"x-content-type-options": b"nosniff",
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    b"referrer-policy": b"no-referrer",
    b"cache-control": b"no-store",
}
FILES = "files"  # in a request's state: what holds its body, closed when it is answered
QUIET = {"/healthz", "/readyz", "/metrics"}

log = structlog.get_logger("api")


class Around:
    """ASGI middleware. ``metrics`` counts what passes; bodies have at most ``max_body`` bytes."""

    def __init__(self, app: ASGIApp, metrics: Metrics, max_body: int) -> None:
        self._app = app
        self._metrics = metrics
        self._max_body = max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        state: dict[str, Any] = scope.setdefault("state", {})
        state["request_id"] = request_id
        began = time.perf_counter()
        status = 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                more = dict(SECURITY)
                more[b"x-request-id"] = request_id.encode()
                more |= {name.lower().encode(): value.encode() for name, value in state.get("headers", {}).items()}
                present = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *((n, v) for n, v in more.items() if n not in present)]
                self._metrics.observe(scope["method"], _route(scope), status, time.perf_counter() - began)
            await send(message)

        try:
            await self._app(scope, _limited(scope, receive, self._max_body), sending)
        except Exception as error:
            if status:  # the answer has started: it can only be cut off
                raise
            await unexpected(Request(scope), error)(scope, receive, sending)
        finally:
            for file in state.get(FILES, ()):
                file.close()
            if scope["path"] not in QUIET:
                ms = round((time.perf_counter() - began) * 1000, 2)
                log.info(
                    "request", method=scope["method"], path=scope["path"], status=status, ms=ms, request_id=request_id
                )


def _limited(scope: Scope, receive: Receive, most: int) -> Receive:
    """``receive`` that raises ``Problem`` 413 where the body is larger; Starlette's own limit answers in plain text."""
    declared = int(dict(scope["headers"]).get(b"content-length", b"0"))
    size = 0

    async def receiving() -> Message:
        nonlocal size
        message = {} if declared > most else await receive()
        size += len(message.get("body", b""))
        if max(declared, size) > most:
            raise Problem(413, "too_large", f"expected a body of at most {most:,} bytes, received more")
        return message

    return receiving


def _request_id(scope: Scope) -> str:
    given = dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1")
    return given if GIVEN_ID.fullmatch(given) else secrets.token_hex(12)


def _route(scope: Scope) -> str:
    """The route's pattern: a path would be a label for each job."""
    route = scope.get("route")
    return getattr(route, "path", "none")
