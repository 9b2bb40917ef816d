"""``/v1/jobs/{id}/results`` and ``/events``: answers as JSON, NDJSON or CSV, and progress as it happens."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from api import waiting
from api.access import Owner
from api.problems import Problem, documented
from api.requests.schemas import ResultPage
from api.resources import LastEventId
from api.routes.jobs import JOBS, JobId
from api.service import Service, service_of
from workers.jobs.record import Job

JSON, NDJSON, CSV = "application/json", "application/x-ndjson", "text/csv"
USUAL_PAGE, LARGEST_PAGE = 100, 1000
FIELDS = (
    "index",
    "id",
    "status",
    "text",
    "confidence",
    "elapsed_ms",
    "views",
    "frames",
    "error",
    "expected",
    "correct",
)
FORMULA = ("=", "+", "-", "@", "\t", "\r")


router = APIRouter(prefix="/v1/jobs", tags=["jobs"])


@router.get(
    "/{job_id}/results",
    response_model=ResultPage,
    responses={
        **documented(404, 406, 410),
        200: {
            "description": "Answers so far, by index",
            "content": {NDJSON: {"schema": {"type": "string"}}, CSV: {"schema": {"type": "string"}}},
        },
    },
)
def results(
    request: Request,
    owner: Owner,
    job_id: JobId,
    limit: Annotated[int | None, Query(ge=1, le=LARGEST_PAGE, description="JSON: 100 if not given, else all")] = None,
    cursor: Annotated[int, Query(ge=0, le=2**31, description="next_cursor of the page before")] = 0,
) -> Response:
    """The answers that there are, also while the job runs. As NDJSON or CSV all of them at once, unless limited."""
    service = service_of(request)
    found, _ = JOBS.find(service, owner, job_id)
    if found.expired:
        raise Problem(410, "job_expired", "the answers of this job have run out: they are kept for a limited time")
    media = chosen(",".join(request.headers.getlist("accept")))
    if media == JSON:
        return _page(service, found, cursor, limit or USUAL_PAGE)
    items = _items(service, found, cursor, limit)
    body = _ndjson(items) if media == NDJSON else _csv(items)
    return StreamingResponse(body, media_type=media if media == NDJSON else f"{CSV}; charset=utf-8")


@router.get(
    "/{job_id}/events",
    response_class=StreamingResponse,
    responses={**documented(404), 200: {"content": {"text/event-stream": {"schema": waiting.event_of("JobOut")}}}},
)
async def events(
    request: Request,
    owner: Owner,
    job_id: JobId,
    last_event_id: LastEventId = waiting.FROM_START,
) -> Response:
    """Progress as server-sent events: the job's state first, then each change, until it is finished."""
    return await JOBS.watch(service_of(request), owner, job_id, last_event_id)


def chosen(accept: str, offered: Sequence[str] = (JSON, NDJSON, CSV)) -> str:
    """The media type that ``Accept`` likes best (RFC 9110: quality, then the more exact); 406 where it takes none."""
    best = ("", 0.0, -1)
    for media in offered:
        quality, exactness = _quality(accept or "*/*", media)
        if quality > 0 and (quality, exactness) > best[1:]:
            best = (media, quality, exactness)
    if not best[0]:
        known = f"{', '.join(offered[:-1])} or {offered[-1]}"
        raise Problem(406, "not_acceptable", f"expected Accept to take {known}, received {accept[:80]!r}")
    return best[0]


def _quality(accept: str, media: str) -> tuple[float, int]:
    """How well ``media`` is liked, 0-1, by the most exact range that covers it, and how exact that is."""
    found = (0.0, -1)
    for part in accept.split(","):
        fields = [field.strip().lower() for field in part.split(";")]
        exactness = {"*/*": 0, media.split("/")[0] + "/*": 1, media: 2}.get(fields[0], -1)
        if exactness > found[1]:
            weight = next((field[2:] for field in fields[1:] if field.startswith("q=")), "1")
            try:
                found = (float(weight), exactness)
            except ValueError:
                found = (0.0, exactness)
    return found


def _page(service: Service, job: Job, start: int, limit: int) -> Response:
    items = service.store.items(job, start, limit)
    end = start + limit
    cursor = str(end) if end < job.total else None
    body = '{"items":[' + ",".join(items) + '],"next_cursor":' + json.dumps(cursor) + "}"
    headers = {"Link": f'</v1/jobs/{job.id}/results?cursor={end}&limit={limit}>; rel="next"'} if cursor else {}
    return Response(body, media_type=JSON, headers=headers)


def _items(service: Service, job: Job, start: int, limit: int | None) -> Iterator[str]:
    end = job.total if limit is None else min(start + limit, job.total)
    for at in range(start, end, LARGEST_PAGE):
        yield from service.store.items(job, at, min(LARGEST_PAGE, end - at))


def _ndjson(items: Iterator[str]) -> Iterator[str]:
    for item in items:
        yield item + "\n"


def _csv(items: Iterator[str]) -> Iterator[str]:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(FIELDS)
    for item in items:
        fields: dict[str, Any] = {"views": 1, "frames": 1} | json.loads(item)  # an older answer is of one view
        fields["error"] = fields["error"]["detail"] if fields["error"] else None
        writer.writerow([_cell(fields.get(name)) for name in FIELDS])
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue()


def _cell(value: Any) -> Any:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
