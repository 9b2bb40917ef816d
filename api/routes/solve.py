"""``POST /v1/solve``: answers one image by a lane beside the queue; with a job, where no answer comes in time."""

import json
import re
import time
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from api import lane, waiting
from api.access import Owner
from api.document import ACCEPTED, IMAGE, SOLVE_FORM, body
from api.problems import Problem, documented
from api.requests import uploads
from api.requests.schemas import JobOut, SolveOut, SolveRequest
from api.routes.jobs import JOBS, make_job, reading_options
from api.service import service_of
from workers import keys
from workers.jobs.record import Job
from workers.jobs.single import new_single
from workers.jobs.store import Store

USUAL_WAIT_S, LONGEST_WAIT_S = 10.0, 60.0
SOLVE_TTL_S = 600  # an answer that was not waited for can be fetched so long

router = APIRouter(prefix="/v1", tags=["solve"])


@router.post(
    "/solve",
    response_model=SolveOut,
    responses={**documented(400, 408, 413, 415), 202: {**ACCEPTED, "model": JobOut}},
    openapi_extra=body(SolveRequest, **{uploads.RAW: IMAGE, uploads.MULTIPART: SOLVE_FORM}),
)
async def solve(
    request: Request, owner: Owner, prefer: Annotated[str | None, Header(description="wait=N: seconds to wait")] = None
) -> Response:
    """Read one image: its file (as ``image/*``, too), a form, or JSON with base64.

    Waits up to ``Prefer: wait=N`` seconds for its answer, else answers 202 with the job to ask.
    """
    service = service_of(request)
    gate: uploads.Gate = request.app.state.small_gate
    async with gate.through():
        intake = await uploads.read_one(request, service.settings)
    wait_s = _wait(prefer)
    reading = reading_options(service, intake)
    single = new_single(next(iter(intake)), reading, service.bundles[reading.model].sha256)
    began = time.monotonic()
    item = await lane.ask(service, single, wait_s) if wait_s else None
    if item is None:
        job = await run_in_threadpool(make_job, service, owner, intake, ttl_s=SOLVE_TTL_S, ahead=True)
        left_s = wait_s - (time.monotonic() - began)
        if left_s <= 0 or not await waiting.until_finished(service, keys.events(job.id), left_s):
            return await JOBS.accepted(service, owner, job.id)
        item = await run_in_threadpool(_taken, service.store, job)
    if item is None:
        raise Problem(500, "internal_error", "the image has no answer")
    body: dict[str, Any] = json.loads(item)
    body["model"] = {"name": reading.model, "sha256": single.model_sha256}
    headers = {"Preference-Applied": f"wait={wait_s:g}"} if prefer else {}
    return JSONResponse(body, headers=headers)


def _taken(store: Store, job: Job) -> str | None:
    """The answer of a job of one image, which is then removed: nobody else knows of it."""
    items = store.items(job, 0, 1)
    if items:
        store.forget(job)
    return items[0] if items else None


def _wait(prefer: str | None) -> float:
    match = re.search(r"(?:^|[,;\s])wait\s*=\s*([0-9]{1,4})(?:$|[,;\s])", prefer or "")
    return min(float(match[1]), LONGEST_WAIT_S) if match else USUAL_WAIT_S
