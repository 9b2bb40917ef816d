"""Jobs in Redis in, the same jobs going on out: what was lost is queued again, what has run out is dropped."""

import time
from collections.abc import Callable

from workers import keys
from workers.connection import Client, Pipe
from workers.jobs.record import Job
from workers.jobs.store import drop_images, end, fetch
from workers.queue import ChunkQueue, chunk_of, rq_id

SWEEP_EVERY_S = 3
LOST_AFTER_S = 6  # a chunk that is neither queued nor running for so long is queued again


def sweep(redis: Client, queue: ChunkQueue) -> int:
    """Look after all jobs, at most once in ``SWEEP_EVERY_S`` however many workers ask. How many chunks were lost.

    RQ runs a chunk again whose worker died. It does not see a chunk that was popped and never begun (for a minute), one
    that has failed as often as it may, or one whose place in the queue Redis forgot in a crash. What is true is the set
    of chunks without an answer; this compares it with the queue.
    """
    if not redis.set(keys.SWEEP_LOCK, 1, nx=True, ex=SWEEP_EVERY_S):
        return 0
    _expire(redis)
    _drop_orphans(redis)
    drop_failed(redis, queue, keys.chunks)
    return _requeue(redis, queue)


def _requeue(redis: Client, queue: ChunkQueue) -> int:
    ids = [each.decode() for each in redis.zrange(keys.OPEN, 0, -1)]
    if not ids:
        redis.delete(keys.SUSPECTS)
        return 0
    with redis.pipeline(transaction=False) as pipe:
        for job_id in ids:
            pipe.smembers(keys.chunks(job_id))
        unanswered = {
            job_id: {int(each) for each in chunks} for job_id, chunks in zip(ids, pipe.execute(), strict=True)
        }
    known = queue.known()
    missing = {
        rq_id(job_id, chunk): (job_id, chunk)
        for job_id, chunks in unanswered.items()
        for chunk in chunks
        if rq_id(job_id, chunk) not in known
    }
    lost = [missing[name] for name in suspected_long(redis, set(missing), keys.SUSPECTS)]
    jobs = {job.id: job for job, _ in fetch(redis, ids)}
    for job_id in ids:
        if job_id not in jobs:
            redis.zrem(keys.OPEN, job_id)
        elif not unanswered[job_id]:
            end(redis, jobs[job_id])
    with redis.pipeline() as pipe:
        for job_id, chunk in lost:
            if job_id in jobs:
                pipe.lrem(queue.rq.intermediate_queue_key, 0, rq_id(job_id, chunk))
                queue.forget(rq_id(job_id, chunk), pipe)
                queue.enqueue(jobs[job_id], [chunk], pipe)
                pipe.zrem(keys.SUSPECTS, rq_id(job_id, chunk))
        pipe.hincrby(keys.STATISTICS, "chunks_requeued", len(lost))
        pipe.execute()
    return len(lost)


def suspected_long(redis: Client, missing: set[str], suspects: str) -> list[str]:
    """Those of the missing chunks that were missing for some time; a chunk just popped is missing for a moment.

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


def _expire(redis: Client) -> None:
    """Drop the images and answers of jobs whose time has run out; the job itself stays for a while, as expired."""
    due = [each.decode() for each in redis.zrangebyscore(keys.EXPIRY, "-inf", time.time())]
    found = {job.id: job for job, _ in fetch(redis, due)}
    for job_id in due:
        if job_id in found:
            _expire_job(redis, found[job_id])
        redis.zrem(keys.EXPIRY, job_id)


def _expire_job(redis: Client, job: Job) -> None:
    def write(pipe: Pipe) -> None:
        exists = pipe.exists(keys.job(job.id))  # its owner may have removed it meanwhile
        pipe.multi()
        if exists:
            _write_expired(pipe, job)

    redis.transaction(write, keys.job(job.id))


def _write_expired(pipe: Pipe, job: Job) -> None:
    pipe.hset(keys.job(job.id), "expired", 1)
    pipe.hsetnx(keys.job(job.id), "finished_at", repr(time.time()))
    drop_images(pipe, job)
    pipe.unlink(keys.results(job.id), keys.attempts(job.id))
    pipe.xadd(keys.events(job.id), {"event": "finished"})


def _drop_orphans(redis: Client) -> None:
    """Give back the room of uploads that were cut off."""
    for job_id in [each.decode() for each in redis.hkeys(keys.STORED)]:
        if not redis.exists(keys.draft(job_id), keys.job(job_id)):
            redis.hdel(keys.STORED, job_id)


def drop_failed(redis: Client, queue: ChunkQueue, pending: Callable[[str], str]) -> None:
    """Forget RQ's failures of what is done all the same: by another try, or by the one that died late.

    ``pending``: the key of the set of what is not done, by the id of the job or the audit.
    """
    with redis.pipeline() as pipe:
        for name in queue.failed():
            place = chunk_of(name)
            if place is None or not redis.sismember(pending(place[0]), place[1]):
                queue.forget(name, pipe)
        pipe.execute()
