"""The ASGI application: routes, errors, limits, and what they share."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from api import problems
from api.access import Rates
from api.auth import KeyRing
from api.document import document
from api.metrics import Metrics
from api.middleware import Around
from api.requests.uploads import Gate
from api.routes import audits, documentation, jobs, results, solve, state
from api.service import make_service
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
        redirect_slashes=False,
        license_info={"name": "MIT"},
        docs_url=None,  # FastAPI's pages load scripts from elsewhere
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.service = service
    app.state.rates = Rates(settings.rate, settings.redis_url)
    app.state.gate = Gate(settings.max_uploads)
    app.state.small_gate = Gate(SMALL_UPLOADS)
    app.state.metrics = Metrics(service)
    app.add_middleware(Around, metrics=app.state.metrics, max_body=settings.max_body)
    routers = [each.router for each in (solve, jobs, results, audits, state, documentation)]
    for router in routers:
        app.include_router(router)
    problems.install(app, [*app.routes, *(route for router in routers for route in router.routes)])
    document(app, settings)
    return app
