"""Nothing is lost: what RQ forgot of a job or an audit is queued again, what has run out is dropped.

Tested in ``tests/workers/jobs/test_recovery.py``.
"""

import time
from collections.abc import Callable

from workers.connection import Client
from workers.queue import WorkQueue, chunk_of, rq_id
from workers.records import CountsT, Records, RecordT

SWEEP_EVERY_S = 3
LOST_AFTER_S = 6  # a part that is neither queued nor running for so long is queued again


def may_sweep(redis: Client, lock: str) -> bool:
    """Whether it is time to look after the records: once in ``SWEEP_EVERY_S``, however many workers ask."""
    return bool(redis.set(lock, 1, nx=True, ex=SWEEP_EVERY_S))


def recover(
    redis: Client,
    queue: WorkQueue,
    records: Records[RecordT, CountsT],
    when_nothing_pends: Callable[[Client, RecordT], object] = lambda *_: None,
) -> int:
    """Look after all records of a kind; how many of their parts were lost.

    RQ runs a part again whose worker died. It does not see a part that was popped and never started (for a minute), one
    that has failed as often as it may, or one whose place in the queue Redis forgot in a crash. What is true is the set
    of parts that are not done; this compares it with the queue.
    """
    records.expire_due(redis)
    _drop_failed(redis, queue, records.keys.pending)
    ids = [each.decode() for each in redis.zrange(records.keys.open, 0, -1)]
    found = {record.id: record for record, _ in records.fetch(redis, ids) if not record.expired}
    if over := [each for each in ids if each not in found]:
        redis.zrem(records.keys.open, *over)
    with redis.pipeline(transaction=False) as pipe:
        for record_id in found:
            pipe.smembers(records.keys.pending(record_id))
        pending = {
            record_id: {int(each) for each in numbers} for record_id, numbers in zip(found, pipe.execute(), strict=True)
        }
    for record_id, numbers in pending.items():
        if not numbers:
            when_nothing_pends(redis, found[record_id])
    known = queue.known()
    missing = {
        name: (record_id, number)
        for record_id, numbers in pending.items()
        for number in numbers
        if (name := rq_id(record_id, number)) not in known
    }
    lost = _suspected_long(redis, set(missing), records.keys.suspects)
    with redis.pipeline() as pipe:
        for name in lost:
            record_id, number = missing[name]
            pipe.lrem(queue.rq.intermediate_queue_key, 0, name)
            queue.forget(name, pipe)
            queue.put(record_id, [number], pipe)
            pipe.zrem(records.keys.suspects, name)
        pipe.execute()
    return len(lost)


def _suspected_long(redis: Client, missing: set[str], suspects: str) -> list[str]:
    """Those of the missing parts that were missing for some time; a part just popped is missing for a moment.

    ``suspects``: the key that keeps since when each is missing.
    """
    now = time.time()
    since = {name.decode(): when for name, when in redis.zrange(suspects, 0, -1, withscores=True)}
    found_again, new = set(since) - missing, missing - set(since)
    with redis.pipeline() as pipe:
        if found_again:
            pipe.zrem(suspects, *found_again)
        if new:
            pipe.zadd(suspects, dict.fromkeys(new, now))
        pipe.execute()
    return [name for name in missing & set(since) if now - since[name] >= LOST_AFTER_S]


def _drop_failed(redis: Client, queue: WorkQueue, pending: Callable[[str], str]) -> None:
    """Forget RQ's failures of what is done all the same: by another try, or by the one that died late."""
    with redis.pipeline() as pipe:
        for name in queue.failed():
            place = chunk_of(name)
            if place is None or not redis.sismember(pending(place[0]), place[1]):
                queue.forget(name, pipe)
        pipe.execute()
