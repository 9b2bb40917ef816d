"""Settings in, the ASGI application out: routes, errors, limits, and what they share."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI

from api import problems
from api.access import Rates
from api.auth import KeyRing
from api.metrics import Metrics
from api.middleware import Around
from api.routes import jobs, results, solve, state
from api.schemas import JobRequest, SolveRequest
from api.service import make_service
from api.uploads import Gate
from captcha_solver import __version__
from captcha_solver.errors import SetupError
from workers.settings import Settings

DESCRIPTION = """Reads text CAPTCHA images by the thousand, for those who own or study a design: submit images, watch,
fetch the answers. It works on what it is sent and fetches nothing."""
SMALL_UPLOADS = 64  # single images received at once


def create_app(settings: Settings) -> FastAPI:
    """The service on the Redis that ``settings`` name."""
    if settings.redis_url is None:
        raise SetupError("expected REDIS_URL, received none; make serve starts a server, workers and the API together")
    service = make_service(settings, settings.redis_url, KeyRing(settings.api_keys))

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        await service.waiting.aclose()
        service.redis.close()

    app = FastAPI(
        title="captcha-solver",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
        max_body_size=settings.max_body,
        license_info={"name": "MIT"},
        redoc_url=None,
    )
    app.state.service = service
    app.state.rates = Rates(settings.rate, settings.redis_url)
    app.state.gate = Gate(settings.max_uploads)
    app.state.small_gate = Gate(SMALL_UPLOADS)
    app.state.metrics = Metrics(service)
    app.add_middleware(Around, metrics=app.state.metrics)
    problems.install(app)
    for each in (solve, jobs, results, state):
        app.include_router(each.router)
    _document(app, settings)
    return app


def _document(app: FastAPI, settings: Settings) -> None:
    """Add to the OpenAPI document what FastAPI cannot know: bodies that the routes read themselves, and the models."""
    generated = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = generated()
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            for model in (problems.ProblemDetail, JobRequest, SolveRequest):
                made = model.model_json_schema(ref_template="#/components/schemas/{model}")
                schemas |= made.pop("$defs", {})
                schemas[model.__name__] = made
            for name in ("JobRequest", "SolveRequest"):
                schemas[name]["properties"]["model"] = {"type": "string", "enum": list(settings.models)}
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
