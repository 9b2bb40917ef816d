"""Answers a single image by the lane that workers serve (``workers.jobs.lane``).

Tested in ``tests/api/routes/test_solve.py``.
"""

import time

from fastapi.concurrency import run_in_threadpool

from api.service import Service
from workers import keys
from workers.jobs.single import HELD_S, Single
from workers.jobs.store import StoreFullError

PATIENCE_S = 4.0  # then an ordinary job is made of an image whose worker was killed, or to which none came


async def ask(service: Service, single: Single, within_s: float) -> str | None:
    """The result item (JSON) of ``single``; None where no worker is ready, or none has answered in time.

    ``StoreFullError`` where Redis holds as many waiting images as it may.
    """
    if not await _laid_down(service, single):
        return None
    deadline = time.monotonic() + within_s
    while (left_s := deadline - time.monotonic()) > 0:
        found = await service.waiting.blpop([keys.single_answer(single.id)], timeout=min(left_s, PATIENCE_S))
        if found is not None:
            answer: str = found[1].decode()
            return answer
        if not await _in_line(service, single):
            break
    await _taken_back(service, single)
    return None


async def _laid_down(service: Service, single: Single) -> bool:
    """Put the image where workers look, and call one where it takes one. False: no worker is ready."""
    now = time.time()
    async with service.waiting.pipeline() as pipe:
        pipe.hset(keys.single(single.id), mapping=single.to_redis())
        pipe.expire(keys.single(single.id), HELD_S)
        pipe.rpush(keys.LANE, single.id)
        pipe.expire(keys.LANE, HELD_S)
        pipe.zcount(keys.LANE_SERVED, now, "+inf")
        pipe.zcount(keys.WORKERS, now, "+inf")
        pipe.hvals(keys.STORED)
        _, _, waiting, _, serving, ready, stored = await pipe.execute()
    held = waiting + sum(map(int, stored))
    if held > service.settings.max_stored or not ready:
        await _taken_back(service, single)
    if held > service.settings.max_stored:
        raise StoreFullError(f"expected room for 1 image, received a store with {held - 1:,} waiting")
    if serving < ready:
        await run_in_threadpool(service.store.queue.call)
    return bool(ready)


async def _in_line(service: Service, single: Single) -> bool:
    """Whether the image waits for its turn: workers serve, and none has taken it."""
    async with service.waiting.pipeline(transaction=False) as pipe:
        pipe.lpos(keys.LANE, single.id)
        pipe.zcount(keys.LANE_SERVED, time.time(), "+inf")
        place, serving = await pipe.execute()
    return place is not None and serving > 0


async def _taken_back(service: Service, single: Single) -> None:
    async with service.waiting.pipeline() as pipe:
        pipe.lrem(keys.LANE, 1, single.id)
        pipe.unlink(keys.single(single.id))
        await pipe.execute()
