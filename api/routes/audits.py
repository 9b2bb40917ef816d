"""``/v1/audits``: begin one, list them, watch it, fetch its report, cancel it, remove it."""

import hashlib
import io
import zipfile
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from redis.exceptions import RedisError

from api import waiting
from api.access import Owner
from api.document import AUDIT_ACCEPTED, AUDIT_QUERY, SUBJECT, body
from api.problems import Problem, documented, later
from api.requests import uploads
from api.requests.audit_schemas import AUDIT_ID, AuditOut, AuditPageOut, AuditRequest
from api.requests.audits import Asked, read_audit
from api.routes.results import JSON, NDJSON, chosen, event_of, heard_last
from api.service import Service, audit_out, service_of
from captcha_solver.report_files import BADGE_FILE, HTML_FILE, JSON_FILE, MARKDOWN_FILE, TRIALS
from workers import keys
from workers.audits.record import Audit, CellCounts, new_audit
from workers.jobs.store import Idempotency

USUAL_PAGE, LARGEST_PAGE = 50, 200
LONGEST_WAIT_S = 60.0
RETRY_AFTER_S = 5
HTML, MARKDOWN, SVG = "text/html", "text/markdown", "image/svg+xml"
REPORTS = {JSON: JSON_FILE, HTML: HTML_FILE, MARKDOWN: MARKDOWN_FILE}
# The page has styles and pictures of its own and nothing else; it was made from what a client has sent.
PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; sandbox"
TEXT: dict[str, Any] = {"schema": {"type": "string"}}
BYTES: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}
AuditId = Annotated[str, Path(pattern=AUDIT_ID, description="An audit's id")]

router = APIRouter(prefix="/v1/audits", tags=["audits"])


@router.post(
    "",
    status_code=202,
    response_model=AuditOut,
    responses={**documented(400, 408, 409, 413, 415), 202: AUDIT_ACCEPTED},
    openapi_extra=body(AuditRequest, AUDIT_QUERY, **{uploads.RAW: SUBJECT}),
)
async def begin_audit(
    request: Request,
    owner: Owner,
    idempotency_key: Annotated[
        str | None,
        Header(pattern=r"^[!-~]{1,255}$", description="The same key and request again: the same audit, made once"),
    ] = None,
) -> Response:
    """Audit a stored design (JSON), a design of your own (TOML), or labelled images (a zip with a labels.csv).

    The latter two are told by content; ``application/toml`` and ``application/zip`` are taken, too.
    """
    service = service_of(request)
    if not await run_in_threadpool(service.audits.workers):
        raise later(503, "audits_not_served", "expected an audit worker, none is ready: python -m workers --audits")
    gate: uploads.Gate = request.app.state.gate
    async with gate.through():
        asked = await read_audit(request, service.settings)
        audit = await run_in_threadpool(_made, service, owner, asked, idempotency_key)
    state = state_of(*await run_in_threadpool(find, service, owner, audit.id))
    headers = {"Location": f"/v1/audits/{audit.id}", "Retry-After": str(RETRY_AFTER_S), "ETag": state.tag}
    return Response(state.body, 202, headers, "application/json")


@router.get("", response_model=AuditPageOut, responses=documented())
def audits(
    request: Request,
    owner: Owner,
    limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE)] = USUAL_PAGE,
    cursor: Annotated[str | None, Query(pattern=AUDIT_ID)] = None,
) -> AuditPageOut:
    """Your audits, newest first."""
    page = service_of(request).audits.page(owner, limit, cursor)
    return AuditPageOut(items=[audit_out(*each) for each in page.audits], next_cursor=page.next_cursor)


@router.get(
    "/{audit_id}",
    response_model=AuditOut,
    responses={**documented(404), 304: {"description": "As the ETag in If-None-Match has it"}},
)
async def audit(
    request: Request,
    owner: Owner,
    audit_id: AuditId,
    wait: Annotated[float, Query(ge=0, le=LONGEST_WAIT_S, description="Seconds to wait for its end")] = 0,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """How far an audit is; with ``wait``, as soon as it is finished, or after so many seconds."""
    service = service_of(request)
    asked = waiting.Asking(wait, if_none_match)
    return await waiting.tell_state(
        service,
        keys.audit_events(audit_id),
        lambda: state_of(*find(service, owner, audit_id)),
        asked,
        retry_after_s=RETRY_AFTER_S,
    )


@router.get(
    "/{audit_id}/report",
    response_class=Response,
    responses={**documented(404, 406, 409, 410), 200: {"content": {JSON: {}, HTML: TEXT, MARKDOWN: TEXT}}},
)
def report(request: Request, owner: Owner, audit_id: AuditId) -> Response:
    """The report, as JSON, as a page or as Markdown, by ``Accept``."""
    media = chosen(",".join(request.headers.getlist("accept")), tuple(REPORTS))
    headers = {"Content-Security-Policy": PAGE_POLICY} if media == HTML else {}
    return _file(service_of(request), owner, audit_id, REPORTS[media], media, headers)


@router.get(
    "/{audit_id}/trials",
    response_class=Response,
    responses={**documented(404, 409, 410), 200: {"content": {NDJSON: TEXT}}},
)
def trials(request: Request, owner: Owner, audit_id: AuditId) -> Response:
    """Every image in every cell: what it says and what was read, as NDJSON."""
    return _file(service_of(request), owner, audit_id, TRIALS, NDJSON)


@router.get(
    "/{audit_id}/badge.svg",
    response_class=Response,
    responses={**documented(404, 409, 410), 200: {"content": {SVG: TEXT}}},
)
def badge(request: Request, owner: Owner, audit_id: AuditId) -> Response:
    """The verdict at a glance."""
    return _file(service_of(request), owner, audit_id, BADGE_FILE, SVG)


@router.get(
    "/{audit_id}/files",
    response_class=Response,
    responses={**documented(404, 409, 410), 200: {"content": {uploads.ZIP: BYTES}}},
)
def files(request: Request, owner: Owner, audit_id: AuditId) -> Response:
    """All files of the report in a zip: what ``captcha-solver report`` can compute it from again."""
    service = service_of(request)
    found = _with_report(service, owner, audit_id)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in service.audits.files(found).items():
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return Response(packed.getvalue(), media_type=uploads.ZIP)


@router.get(
    "/{audit_id}/events",
    response_class=StreamingResponse,
    responses={**documented(404), 200: {"content": {"text/event-stream": {"schema": event_of("AuditOut")}}}},
)
async def audit_events(
    request: Request,
    owner: Owner,
    audit_id: AuditId,
    last_event_id: Annotated[str, Header(description="The last event's id that was heard")] = waiting.FROM_START,
) -> Response:
    """Progress as server-sent events: the audit's state first, then each change, until it is finished."""
    service = service_of(request)
    await run_in_threadpool(find, service, owner, audit_id)

    def look() -> waiting.State | None:
        there = service.audits.find(owner, audit_id)
        return None if there is None else state_of(*there)

    return waiting.events_of(service, keys.audit_events(audit_id), look, heard_last(last_event_id))


@router.post("/{audit_id}/cancel", response_model=AuditOut, responses=documented(404, 409))
def cancel_audit(request: Request, owner: Owner, audit_id: AuditId) -> AuditOut:
    """Stop an audit. What it has measured so far is dropped."""
    service = service_of(request)
    found, _ = find(service, owner, audit_id)
    stopped = service.audits.cancel(found)
    found, counts = find(service, owner, audit_id)
    if not stopped and not found.cancelled:
        received = found.status(counts)
        raise Problem(409, "already_finished", f"expected an audit that is not finished, received one that {received}")
    return audit_out(found, counts)


@router.delete("/{audit_id}", status_code=204, responses=documented(404))
def remove_audit(request: Request, owner: Owner, audit_id: AuditId) -> Response:
    """Stop an audit and remove it with its report."""
    service = service_of(request)
    found, _ = find(service, owner, audit_id)
    service.audits.forget(found)
    return Response(status_code=204)


def find(service: Service, owner: str, audit_id: str) -> tuple[Audit, CellCounts]:
    """The owner's audit; ``Problem`` 404 where there is none, or it is another's."""
    found = service.audits.find(owner, audit_id)
    if found is None:
        raise Problem(404, "audit_not_found", f"expected an audit of yours, received {audit_id}: it may have run out")
    return found


def state_of(audit: Audit, counts: CellCounts) -> waiting.State:
    """What is told of an audit."""
    told = (audit.id, audit.status(counts), audit.stage, audit.started_at, audit.finished_at, counts)
    body = audit_out(audit, counts).model_dump_json()
    return waiting.State(body, waiting.tag_of(*told), audit.finished_at is not None, body)


def _made(service: Service, owner: str, asked: Asked, idempotency_key: str | None) -> Audit:
    """Store what is asked for and queue its planning; the audit made before, where the request is a repeated one."""
    store = service.audits
    idempotency = None
    if idempotency_key is not None:
        idempotency = Idempotency(hashlib.sha256(idempotency_key.encode()).hexdigest(), asked.fingerprint())
        if before := store.made_by(owner, idempotency):
            return before
    store.check_room(owner)
    begun = new_audit(asked.audit(owner), service.settings.audit_ttl_s)
    try:
        if asked.images is None:
            store.put_toml(begun, asked.toml)
        else:
            store.put_images(begun, asked.labelled())
        return store.commit(begun, idempotency)
    except RedisError:  # what nothing was heard of may have gone through: it stays, and runs out if it did not
        raise
    except BaseException:
        store.discard(begun)
        raise


def _with_report(service: Service, owner: str, audit_id: str) -> Audit:
    """The owner's audit where it has a report; ``Problem`` 409 or 410 where it has none yet, or no more."""
    found, counts = find(service, owner, audit_id)
    if found.expired:
        raise Problem(410, "audit_expired", "the report of this audit has run out: it is kept for a limited time")
    if found.finished_at is None or found.cancelled or found.error is not None:
        received = found.status(counts)
        raise Problem(409, "no_report", f"expected an audit that is finished, received one that is {received}")
    return found


def _file(
    service: Service, owner: str, audit_id: str, name: str, media: str, headers: dict[str, str] | None = None
) -> Response:
    data = service.audits.file(_with_report(service, owner, audit_id), name)
    if data is None:
        raise Problem(410, "audit_expired", "the report of this audit has run out: it is kept for a limited time")
    return Response(data, media_type=media, headers=headers)
