"""A job in, news of it out: waits on the job's event stream, without asking again and again.

Tested in ``tests/api/test_events.py``.
"""

import asyncio
import time
from collections.abc import AsyncIterator

from fastapi.concurrency import run_in_threadpool
from redis.exceptions import RedisError

from api.service import BLOCK_S, Service
from workers import keys
from workers.jobs.record import Counts, Job

FROM_START = "0-0"


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


async def follow(
    service: Service, owner: str, job_id: str, after: str
) -> AsyncIterator[tuple[str, Job, Counts] | None]:
    """Each change of a job's progress as (event id, job, counts), the present state first; None now and then, between.

    Ends when the job is finished or gone. Redis may be away for a while.
    """
    last = after
    told: Counts | None = None
    while True:
        try:
            found = await run_in_threadpool(service.store.find, owner, job_id)
            if found is None:
                return
            job, counts = found
            over = job.finished_at is not None  # a moment after the last answer is counted
            if counts != told or over:
                told = counts
                yield last, job, counts
                if over:
                    return
            heard = await news(service, keys.events(job_id), last, BLOCK_S)
            last = heard[-1][0] if heard else last
            if not heard:
                yield None
        except RedisError:
            yield None
            await asyncio.sleep(1.0)
