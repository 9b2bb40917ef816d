"""``/v1/models``, ``/healthz``, ``/readyz`` and ``/metrics``: what is there, and whether it works."""

import json
import time

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from api.access import Owner
from api.problems import documented, later
from api.requests.schemas import Health, ModelOut, ModelPage, Readiness
from api.service import Service, service_of
from workers import keys

router = APIRouter()


@router.get("/v1/models", response_model=ModelPage, responses=documented(), tags=["models"])
def models(request: Request, owner: Owner) -> ModelPage:
    """The models that jobs may name."""
    service = service_of(request)
    loaded = ready_models(service)
    return ModelPage(
        items=[
            ModelOut(
                name=name,
                sha256=bundle.sha256,
                kind="sliding" if bundle.kind == "sliding" else "segmented",
                charset=bundle.alphabet or bundle.charset.symbols,
                length=bundle.length,
                usual=name == service.usual_model,
                workers=sum(each.get(name) == bundle.sha256 for each in loaded),
            )
            for name, bundle in service.bundles.items()
        ]
    )


@router.get("/healthz", response_model=Health, tags=["state"])
async def healthz() -> Health:
    """The process answers."""
    return Health()


@router.get("/readyz", response_model=Readiness, responses={503: documented()[503]}, tags=["state"])
def readyz(request: Request) -> Readiness:
    """Redis answers, a ready worker has the usual model as this process knows it, and there is room in the queue."""
    service = service_of(request)
    loaded = ready_models(service)
    expected = service.bundles[service.usual_model].sha256
    fit = sum(each.get(service.usual_model) == expected for each in loaded)
    stored = service.store.stored()
    if fit == 0:
        others = f"{len(loaded)} have another" if loaded else "none is ready"
        raise later(503, "no_worker", f"expected a worker with {service.usual_model} {expected[:12]}: {others}")
    if stored >= service.settings.max_stored:
        raise later(
            503, "store_full", f"expected fewer than {service.settings.max_stored:,} images waiting: {stored:,} are"
        )
    return Readiness(workers=fit, queued_chunks=len(service.store.queue), stored_images=stored)


@router.get("/metrics", response_class=PlainTextResponse, tags=["state"])
def metrics(request: Request) -> Response:
    """For Prometheus."""
    return Response(generate_latest(request.app.state.metrics.registry), media_type=CONTENT_TYPE_LATEST)


def ready_models(service: Service) -> list[dict[str, str]]:
    """The models (name -> SHA-256) of each worker that says it is ready."""
    names = [each.decode() for each in service.redis.zrangebyscore(keys.WORKERS, time.time(), "+inf")]
    with service.redis.pipeline(transaction=False) as pipe:
        for name in names:
            pipe.hget(keys.worker(name), "models")
        return [json.loads(each) for each in pipe.execute() if each]
