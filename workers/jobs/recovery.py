"""Looks after all jobs: lost chunks are queued again, old jobs expire, cut-off uploads give their room back."""

from workers import keys
from workers.connection import Client
from workers.jobs.store import JOBS, end
from workers.queue import ChunkQueue
from workers.recovery import may_sweep, recover


def sweep(redis: Client, queue: ChunkQueue) -> int:
    """Look after all jobs, once in a while. How many chunks were lost."""
    if not may_sweep(redis, keys.SWEEP_LOCK):
        return 0
    _drop_orphans(redis)
    lost = recover(redis, queue, JOBS, end)  # a worker may have died between the last answer and the end
    redis.hincrby(keys.STATISTICS, "chunks_requeued", lost)
    return lost


def _drop_orphans(redis: Client) -> None:
    """Give back the room of uploads that were cut off."""
    for job_id in [each.decode() for each in redis.hkeys(keys.STORED)]:
        if not redis.exists(keys.draft(job_id), keys.job(job_id)):
            redis.hdel(keys.STORED, job_id)
