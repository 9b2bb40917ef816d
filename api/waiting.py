"""Wait for news of a job or an audit on its event stream, and tell its state: once, or as server-sent events.

Tested in ``tests/api/test_events.py``.
"""

import asyncio
import hashlib
import re
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from fastapi import Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from fastapi.sse import format_sse_event
from redis.exceptions import RedisError

from api.service import BLOCK_S, Service

FROM_START = "0-0"
EVENT_ID = re.compile(r"([0-9]{1,20})-([0-9]{1,20})")
LARGEST_ID = 2**64  # of each part of the id of an event in Redis


@dataclass(frozen=True, slots=True)
class State:
    """What is told of a job or an audit: JSON, its ETag, whether it is finished, and what counts as a change of it."""

    body: str
    tag: str
    finished: bool
    progress: object


@dataclass(frozen=True, slots=True)
class Asking:
    """How long a request waits for the end, in seconds, and which states it knows (``If-None-Match``)."""

    wait: float = 0
    if_none_match: str | None = None


def tag_of(*told: object) -> str:
    """An ETag that changes whenever what is ``told`` does."""
    return '"' + hashlib.sha256(repr(told).encode()).hexdigest()[:32] + '"'


async def until_finished(service: Service, stream: str, within_s: float) -> bool:
    """Wait until what tells its progress on ``stream`` is finished, at most so long. Whether it is."""
    deadline = time.monotonic() + within_s
    last = FROM_START
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        for entry, event in await news(service, stream, last, min(left, BLOCK_S)):
            last = entry
            if event == "finished":
                return True


async def news(service: Service, stream: str, after: str, within_s: float) -> list[tuple[str, str]]:
    """Events of a stream later than ``after``, as (id, event); none where nothing happens in time."""
    block_ms = max(int(within_s * 1000), 1)
    replies = await service.waiting.xread({stream: after}, block=block_ms)
    return [(entry.decode(), fields[b"event"].decode()) for _, entries in replies or [] for entry, fields in entries]


async def tell_state(
    service: Service, stream: str, look: Callable[[], State], asked: Asking, *, retry_after_s: int
) -> Response:
    """The state that ``look`` finds, once it is finished or ``asked.wait`` seconds are over; 304 where it is known."""
    state = await run_in_threadpool(look)
    if asked.wait and not state.finished:
        await until_finished(service, stream, asked.wait)
        state = await run_in_threadpool(look)
    headers = {"ETag": state.tag, "Cache-Control": "private, no-cache"}
    known = [each.strip().removeprefix("W/") for each in (asked.if_none_match or "").split(",")]
    if state.tag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    if not state.finished:
        headers["Retry-After"] = str(retry_after_s)
    return Response(state.body, media_type="application/json", headers=headers)


def events_of(service: Service, stream: str, look: Callable[[], State | None], after: str) -> Response:
    """Server-sent events: the state that ``look`` finds, then each change of its progress, until it is finished."""
    told = _changes(service, stream, look, after)
    return StreamingResponse(told, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


async def _changes(service: Service, stream: str, look: Callable[[], State | None], after: str) -> AsyncIterator[bytes]:
    """Ends when what is watched is finished or gone. Redis may be away for a while."""
    last, told = after, None
    while True:
        try:
            state = await run_in_threadpool(look)
            if state is None:
                return
            if state.progress != told or state.finished:
                told = state.progress
                name = "finished" if state.finished else "progress"
                yield format_sse_event(data_str=state.body, event=name, id=last)
                if state.finished:
                    return
            heard = await news(service, stream, last, BLOCK_S)
            last = heard[-1][0] if heard else last
            if not heard:
                yield format_sse_event(comment="waiting")
        except RedisError:
            yield format_sse_event(comment="waiting")
            await asyncio.sleep(1.0)


def heard_last(event_id: str) -> str:
    """``event_id`` where it can be one of ours; a client that sends another hears everything from the start."""
    match = EVENT_ID.fullmatch(event_id)
    return event_id if match and max(map(int, match.groups())) < LARGEST_ID else FROM_START


def event_of(model: str) -> dict[str, Any]:
    """The schema of a server-sent event whose data is a ``model``."""
    data = {
        "type": "string",
        "contentMediaType": "application/json",
        "contentSchema": {"$ref": f"#/components/schemas/{model}"},
    }
    kinds = {"enum": ["progress", "finished"]}
    properties = {"event": kinds, "id": {"type": "string"}, "data": data}
    return {"type": "object", "properties": properties, "required": ["event", "id", "data"]}
