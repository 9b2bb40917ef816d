"""Audits in Redis in, the same audits going on out: pieces that were lost are queued again.

Tested in ``tests/workers/audits/test_record.py``.
"""

from workers import keys
from workers.audits.queue import AuditQueue
from workers.audits.store import fetch
from workers.connection import Client
from workers.queue import rq_id
from workers.recovery import SWEEP_EVERY_S, drop_failed, suspected_long


def sweep_audits(redis: Client, queue: AuditQueue) -> int:
    """Look after all audits, at most once in ``SWEEP_EVERY_S``. How many pieces were lost.

    Lost is, as with chunks, a piece that is not done and for some time neither queued nor run by a worker that was
    heard of. What has run out needs no care: its keys carry the time themselves.
    """
    if not redis.set(keys.AUDIT_SWEEP_LOCK, 1, nx=True, ex=SWEEP_EVERY_S):
        return 0
    drop_failed(redis, queue, keys.audit_pending)
    ids = [each.decode() for each in redis.zrange(keys.AUDITS_OPEN, 0, -1)]
    audits = {audit.id: audit for audit, _ in fetch(redis, ids)}
    over = [audit_id for audit_id in ids if audit_id not in audits or audits[audit_id].expired]
    if over:
        redis.zrem(keys.AUDITS_OPEN, *over)
    known = queue.known()
    missing = {
        rq_id(audit_id, int(number)): (audit_id, int(number))
        for audit_id in set(audits) - set(over)
        for number in redis.smembers(keys.audit_pending(audit_id))
        if rq_id(audit_id, int(number)) not in known
    }
    lost = suspected_long(redis, set(missing), keys.AUDIT_SUSPECTS)
    with redis.pipeline() as pipe:
        for name in lost:
            audit_id, number = missing[name]
            pipe.lrem(queue.rq.intermediate_queue_key, 0, name)
            queue.forget(name, pipe)
            queue.put(audit_id, [number], pipe)
            pipe.zrem(keys.AUDIT_SUSPECTS, name)
        pipe.execute()
    return len(lost)
