"""Errors as ``application/problem+json`` (RFC 9457): one shape for all that goes wrong."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field, ValidationError
from redis.exceptions import RedisError
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Route

from captcha_solver.errors import CaptchaSolverError
from workers.audits.store import TooManyAuditsError
from workers.jobs.store import StoreFullError, TooManyJobsError
from workers.records import KeyReusedError

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 5
LONGEST_ECHO = 200  # characters of what was sent that an error repeats
CODES = {  # what is told where Starlette or FastAPI raise the error
    400: "bad_request",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_media_type",
    422: "invalid_request",
}

log = structlog.get_logger("api")


class ProblemDetail(BaseModel):
    """What every error looks like."""

    type: str = Field(description="What kind of problem: about:blank, told apart by code")
    title: str = Field(description="The status in words")
    status: int
    detail: str = Field(description="What was expected, what was received, what to do")
    instance: str = Field(description="The path that was asked for")
    code: str = Field(description="What went wrong, for programs")
    request_id: str = Field(description="Also in the header X-Request-ID and in the log")
    errors: list[dict[str, Any]] | None = Field(default=None, description="Where a request is invalid")


class Problem(Exception):  # noqa: N818 - its name in RFC 9457
    """An error with the status and the code that the client is to get."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        errors: Sequence[Any] = (),
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = dict(headers or {})
        self.errors = list(errors)


def later(status: int, code: str, detail: str, after_s: int = RETRY_AFTER_S) -> Problem:
    """A problem that goes away: with the header Retry-After."""
    return Problem(status, code, detail, headers={"Retry-After": str(after_s)})


def invalid(error: ValidationError, where: str) -> Problem:
    """The problem of a body or a field that does not hold what it should."""
    return Problem(
        422,
        "invalid_request",
        f"{where} is not as described in the API's schema",
        errors=_places(error.errors(include_url=False, include_context=False, include_input=False)),
    )


def render(request: Request, problem: Problem) -> Response:
    request_id = getattr(request.state, "request_id", "")
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
        "instance": request.url.path,
        "code": problem.code,
        "request_id": request_id,
    }
    if problem.errors:
        body["errors"] = problem.errors
    return JSONResponse(body, problem.status, headers=problem.headers, media_type=MEDIA_TYPE)


def unexpected(request: Request, error: Exception) -> Response:
    """The answer to an error that nobody thought of: it is told in the log, not to the client."""
    log.error("unexpected", exc_info=error, request_id=getattr(request.state, "request_id", ""))
    return render(request, Problem(500, "internal_error", "an error of ours: it is in the log under this request_id"))


def install(app: FastAPI, routes: Sequence[BaseRoute]) -> None:
    """Make ``app`` answer every error as a problem. ``routes``: all that it has, for the header Allow."""

    def of_problem(request: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)
        return render(request, error)

    def of_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        code = CODES.get(error.status_code, "http_error")
        headers = {"Allow": _allowed(request, routes)} if error.status_code == 405 else error.headers
        return render(request, Problem(error.status_code, code, str(error.detail), headers=headers))

    def of_validation(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        detail = "the request is not as described in the API's schema"
        return render(request, Problem(422, "invalid_request", detail, errors=_places(error.errors())))

    def of_redis(request: Request, error: Exception) -> Response:
        log.warning("Redis is away", error=str(error))
        return render(request, later(503, "queue_unavailable", "the queue does not answer now: try again in a moment"))

    def of_ours(request: Request, error: Exception) -> Response:
        kinds: dict[type[Exception], Problem] = {
            StoreFullError: later(503, "store_full", str(error)),
            TooManyJobsError: later(429, "too_many_jobs", str(error)),
            TooManyAuditsError: later(429, "too_many_audits", str(error)),
            KeyReusedError: Problem(409, "idempotency_key_reused", str(error)),
        }
        return render(request, kinds.get(type(error), Problem(422, "invalid_request", str(error))))

    for kind, handler in (
        (Problem, of_problem),
        (HTTPException, of_http),
        (RequestValidationError, of_validation),
        (RedisError, of_redis),
        (CaptchaSolverError, of_ours),
    ):
        app.add_exception_handler(kind, handler)


def _allowed(request: Request, routes: Sequence[BaseRoute]) -> str:
    """All methods of the path that was asked for; Starlette names those of the first route alone."""
    here = [each for each in routes if isinstance(each, Route) and each.path_regex.match(request.scope["path"])]
    return ", ".join(sorted({method for each in here for method in each.methods or ()}))


def _places(errors: Sequence[Any]) -> list[dict[str, Any]]:
    """Where a request is wrong, without repeating what was sent in full."""
    return [
        {
            "location": [part if isinstance(part, int) else str(part)[:LONGEST_ECHO] for part in each["loc"]],
            "message": str(each["msg"])[:LONGEST_ECHO],
        }
        for each in errors[:20]
    ]


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of a route: these statuses, each a problem; and those that any route may have."""
    schema = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDetail"}}}
    return {
        status: {"description": HTTPStatus(status).phrase, "content": schema}
        for status in sorted({*statuses, 401, 422, 429, 500, 503})
    }
