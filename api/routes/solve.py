"""``POST /v1/solve``: one image in, its answer out, by the same queue as everything else."""

import json
import re
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from api import uploads, waiting
from api.access import Owner
from api.problems import Problem, documented
from api.routes.jobs import accepted, make_job
from api.schemas import JobOut, SolveOut, SolveRequest, body_of
from api.service import service_of

USUAL_WAIT_S, LONGEST_WAIT_S = 10.0, 60.0
SOLVE_TTL_S = 600  # an answer that was not waited for can be fetched so long
BINARY: dict[str, Any] = {"type": "string", "format": "binary"}
FORM: dict[str, Any] = {
    "type": "object",
    "properties": {
        "file": BINARY,
        "model": {"type": "string"},
        "charset": {"type": "string"},
        "length": {"type": "string"},
        "fold_case": {"type": "boolean"},
    },
    "required": ["file"],
}

router = APIRouter(prefix="/v1", tags=["solve"])


@router.post(
    "/solve",
    response_model=SolveOut,
    responses={**documented(400, 408, 413, 415), 202: {"model": JobOut, "description": "Not solved in time: a job"}},
    openapi_extra=body_of(SolveRequest, **{uploads.RAW: BINARY, "image/*": BINARY, uploads.MULTIPART: FORM}),
)
async def solve(
    request: Request, owner: Owner, prefer: Annotated[str | None, Header(description="wait=N: seconds to wait")] = None
) -> Response:
    """Read one image. Waits up to ``Prefer: wait=N`` seconds for its answer, else answers 202 with the job to ask."""
    service = service_of(request)
    gate: uploads.Gate = request.app.state.small_gate
    async with gate.through():
        intake = await uploads.read_one(request, service.settings)
    wait_s = _wait(prefer)
    job = await run_in_threadpool(make_job, service, owner, intake, ttl_s=SOLVE_TTL_S, at_front=True)
    finished = wait_s > 0 and await waiting.until_finished(service, job, wait_s)
    if not finished:
        return await accepted(service, owner, job)
    items = await run_in_threadpool(service.store.items, job, 0, 1)
    if not items:
        raise Problem(500, "internal_error", "the image has no answer")
    body: dict[str, Any] = json.loads(items[0])
    await run_in_threadpool(service.store.forget, job)
    body["model"] = {"name": job.options.model, "sha256": job.model_sha256}
    headers = {"Preference-Applied": f"wait={wait_s:g}"} if prefer else {}
    return JSONResponse(body, headers=headers)


def _wait(prefer: str | None) -> float:
    match = re.search(r"(?:^|[,;\s])wait\s*=\s*([0-9]{1,4})(?:$|[,;\s])", prefer or "")
    return min(float(match[1]), LONGEST_WAIT_S) if match else USUAL_WAIT_S
