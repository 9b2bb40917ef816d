"""``/v1/audits``: begin one, list them, watch it, fetch its report, cancel it, remove it."""

import io
import zipfile
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
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
from api.resources import USUAL_PAGE, IfNoneMatch, LastEventId, Limit, Resource, Wait, key_header
from api.routes.results import JSON, NDJSON, chosen
from api.service import Service, audit_out, service_of
from captcha_solver.report_files import BADGE_FILE, HTML_FILE, JSON_FILE, MARKDOWN_FILE, TRIALS
from workers.audits.record import Audit, CellCounts, new_audit
from workers.records import Idempotency

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
    idempotency_key: Annotated[str | None, key_header("audit")] = None,
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
    return await AUDITS.accepted(service, owner, audit.id)


@router.get("", response_model=AuditPageOut, responses=documented())
def audits(
    request: Request,
    owner: Owner,
    limit: Limit = USUAL_PAGE,
    cursor: Annotated[str | None, Query(pattern=AUDIT_ID)] = None,
) -> AuditPageOut:
    """Your audits, newest first."""
    page = service_of(request).audits.page(owner, limit, cursor)
    return AuditPageOut(items=[audit_out(*each) for each in page.items], next_cursor=page.next_cursor)


@router.get(
    "/{audit_id}",
    response_model=AuditOut,
    responses={**documented(404), 304: {"description": "As the ETag in If-None-Match has it"}},
)
async def audit(
    request: Request,
    owner: Owner,
    audit_id: AuditId,
    wait: Wait = 0,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """How far an audit is; with ``wait``, as soon as it is finished, or after so many seconds."""
    return await AUDITS.tell(service_of(request), owner, audit_id, wait=wait, if_none_match=if_none_match)


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
    responses={**documented(404), 200: {"content": {"text/event-stream": {"schema": waiting.event_of("AuditOut")}}}},
)
async def audit_events(
    request: Request,
    owner: Owner,
    audit_id: AuditId,
    last_event_id: LastEventId = waiting.FROM_START,
) -> Response:
    """Progress as server-sent events: the audit's state first, then each change, until it is finished."""
    return await AUDITS.watch(service_of(request), owner, audit_id, last_event_id)


@router.post("/{audit_id}/cancel", response_model=AuditOut, responses=documented(404, 409))
def cancel_audit(request: Request, owner: Owner, audit_id: AuditId) -> AuditOut:
    """Stop an audit. What it has measured so far is dropped."""
    return audit_out(*AUDITS.cancel(service_of(request), owner, audit_id))


@router.delete("/{audit_id}", status_code=204, responses=documented(404))
def remove_audit(request: Request, owner: Owner, audit_id: AuditId) -> Response:
    """Stop an audit and remove it with its report."""
    return AUDITS.remove(service_of(request), owner, audit_id)


def state_of(audit: Audit, counts: CellCounts) -> waiting.State:
    """What is told of an audit."""
    told = (audit.id, audit.status(counts), audit.stage, audit.started_at, audit.finished_at, counts)
    body = audit_out(audit, counts).model_dump_json()
    return waiting.State(body, waiting.tag_of(*told), audit.finished_at is not None, body)


AUDITS = Resource(
    "an audit", "audit_not_found", "/v1/audits", lambda service: service.audits, Audit.status, state_of, retry_after_s=5
)


def _made(service: Service, owner: str, asked: Asked, idempotency_key: str | None) -> Audit:
    """Store what is asked for and queue its planning; the audit made before, where the request is a repeated one."""
    store = service.audits
    idempotency = None
    if idempotency_key is not None:
        idempotency = Idempotency.of(idempotency_key, asked.fingerprint())
        if before := store.made_by(owner, idempotency):
            return before
    store.check_room(owner)
    started = new_audit(asked.audit(owner), service.settings.audit_ttl_s)
    try:
        if asked.images is None:
            store.put_toml(started, asked.toml)
        else:
            store.put_images(started, asked.labelled())
        return store.commit(started, idempotency)
    except RedisError:  # what nothing was heard of may have gone through: it stays, and runs out if it did not
        raise
    except BaseException:
        store.discard(started)
        raise


def _with_report(service: Service, owner: str, audit_id: str) -> Audit:
    """The owner's audit where it has a report; ``Problem`` 409 or 410 where it has none yet, or no more."""
    found, counts = AUDITS.find(service, owner, audit_id)
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
