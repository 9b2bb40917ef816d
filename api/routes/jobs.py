"""``/v1/jobs``: make one, list them, ask one, watch it, cancel it, remove it."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from redis.exceptions import RedisError

from api import waiting
from api.access import Owner
from api.document import ACCEPTED, ARCHIVE, JOB_FORM, JOB_QUERY, body
from api.problems import documented
from api.requests import uploads
from api.requests.schemas import JOB_ID, JobOut, JobPage, JobRequest
from api.resources import USUAL_PAGE, IfNoneMatch, Limit, Resource, Wait, key_header
from api.service import Service, job_out, service_of
from captcha_solver.decoding.decode import Constraints, allowed_ids, parse_length
from workers.jobs import webhooks
from workers.jobs.record import Counts, Job, StoredOptions, chunk_size
from workers.jobs.store import new_job
from workers.records import Idempotency

JobId = Annotated[str, Path(pattern=JOB_ID, description="A job's id")]

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])


@router.post(
    "",
    status_code=202,
    response_model=JobOut,
    responses={**documented(400, 408, 409, 413, 415), 202: ACCEPTED},
    openapi_extra=body(JobRequest, JOB_QUERY, **{uploads.MULTIPART: JOB_FORM, uploads.RAW: ARCHIVE}),
)
async def submit(
    request: Request,
    owner: Owner,
    idempotency_key: Annotated[str | None, key_header("job")] = None,
) -> Response:
    """Queue images: multipart ``files[]`` (at most 1,000; more as a zip), a zip, or JSON with base64.

    A zip may be called ``application/zip``, too.
    """
    service = service_of(request)
    gate: uploads.Gate = request.app.state.gate
    async with gate.through():
        intake = await uploads.read_job(request, service.settings)
        job = await run_in_threadpool(make_job, service, owner, intake, idempotency_key=idempotency_key)
    return await JOBS.accepted(service, owner, job.id)


@router.get("", response_model=JobPage, responses=documented())
def jobs(
    request: Request,
    owner: Owner,
    limit: Limit = USUAL_PAGE,
    cursor: Annotated[str | None, Query(pattern=JOB_ID)] = None,
) -> JobPage:
    """Your jobs, newest first."""
    page = service_of(request).store.page(owner, limit, cursor)
    return JobPage(items=[job_out(*each) for each in page.items], next_cursor=page.next_cursor)


@router.get(
    "/{job_id}",
    response_model=JobOut,
    responses={**documented(404), 304: {"description": "As the ETag in If-None-Match has it"}},
)
async def job(
    request: Request,
    owner: Owner,
    job_id: JobId,
    wait: Wait = 0,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """How far a job is; with ``wait``, as soon as it is finished, or after so many seconds."""
    return await JOBS.tell(service_of(request), owner, job_id, wait=wait, if_none_match=if_none_match)


@router.post("/{job_id}/cancel", response_model=JobOut, responses=documented(404, 409))
def cancel(request: Request, owner: Owner, job_id: JobId) -> JobOut:
    """Stop a job: its waiting images are dropped, its answers stay."""
    return job_out(*JOBS.cancel(service_of(request), owner, job_id))


@router.delete("/{job_id}", status_code=204, responses=documented(404))
def remove(request: Request, owner: Owner, job_id: JobId) -> Response:
    """Stop a job and remove it with its answers."""
    return JOBS.remove(service_of(request), owner, job_id)


def make_job(
    service: Service,
    owner: str,
    intake: uploads.Intake,
    *,
    idempotency_key: str | None = None,
    ttl_s: int | None = None,
    ahead: bool = False,
) -> Job:
    """Store the images and queue their chunks; the job that was made before, where the request is a repeated one.

    ``ahead``: before the chunks of larger jobs.
    """
    options, settings, store = intake.options, service.settings, service.store
    reading = reading_options(service, intake)
    webhook = webhooks.check_url(options.webhook, settings) if options.webhook else None
    idempotency = None
    if idempotency_key is not None:
        idempotency = Idempotency.of(idempotency_key, intake.fingerprint())
        if before := store.made_by(owner, idempotency):
            return before
    total = len(intake.images)
    blank = Job(
        id="",
        owner=owner,
        total=total,
        chunk_size=chunk_size(total),
        options=reading,
        model_sha256=service.bundles[reading.model].sha256,
        created_at=0.0,
        expires_at=0.0,
        webhook=webhook,
        metadata=options.metadata or {},
        label_use=intake.label_use,
    )
    started = store.begin(new_job(blank, ttl_s or settings.ttl_s))
    try:
        store.put(started, intake)
        return store.commit(started, idempotency, at_front=ahead and store.has_batches())
    except RedisError:  # what nothing was heard of may have gone through: the images stay, and run out if it did not
        raise
    except BaseException:
        store.discard(started)
        raise


def reading_options(service: Service, intake: uploads.Intake) -> StoredOptions:
    """The options as workers get them, checked: what cannot be read must not be queued."""
    options = intake.options
    model = options.model or service.usual_model
    uploads.check_model(model, service.settings)
    shortest, longest = (None, None) if options.length is None else parse_length(options.length)
    constraints = Constraints(options.charset, shortest, longest, options.fold_case, options.answer)
    allowed_ids(service.bundles[model].charset, constraints)
    return StoredOptions(
        model, options.charset, options.length, options.fold_case, options.views, options.answer, options.infer
    )


def state_of(job: Job, counts: Counts) -> waiting.State:
    """What is told of a job."""
    told = (job.id, job.status(counts), job.finished_at, counts.done, counts.failed, counts.correct)
    body = job_out(job, counts).model_dump_json()
    return waiting.State(body, waiting.tag_of(*told), job.finished_at is not None, counts)


JOBS = Resource(
    "a job", "job_not_found", "/v1/jobs", lambda service: service.store, Job.status, state_of, retry_after_s=1
)
