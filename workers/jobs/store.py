"""Jobs in Redis: room for one, its images, its answers; how it lives is in ``workers/records.py``."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import replace

from captcha_solver.errors import CaptchaSolverError
from workers import keys
from workers.connection import Client, Pipe
from workers.jobs.record import Counts, Job, Upload
from workers.queue import ChunkQueue
from workers.records import DRAFT_TTL_S, Idempotency, Records, RecordStore, new_id


class StoreFullError(CaptchaSolverError):
    """Redis holds as many waiting images as it may; try later."""


class TooManyJobsError(CaptchaSolverError):
    """The owner has as many unfinished jobs as a key may have."""


class Store(RecordStore[Job, Counts]):
    """What the API needs of Redis. ``max_stored`` images may wait in it, and ``max_jobs`` jobs an owner."""

    def __init__(self, redis: Client, queue: ChunkQueue, *, max_stored: int, max_jobs: int) -> None:
        super().__init__(redis, JOBS)
        self.queue = queue
        self.max_stored = max_stored
        self.max_jobs = max_jobs

    def begin(self, job: Job) -> Job:
        """Reserve room for a job's images; ``StoreFullError`` or ``TooManyJobsError`` where there is none.

        The job exists only after ``commit``; an upload that stops before leaves nothing behind but keys that run out.
        """
        if self.records.count_unfinished(self.redis, job.owner) >= self.max_jobs:
            raise TooManyJobsError(f"expected at most {self.max_jobs} unfinished jobs a key, received one more")
        with self.redis.pipeline() as pipe:
            pipe.hset(keys.STORED, job.id, job.total)
            pipe.set(keys.draft(job.id), 1, ex=DRAFT_TTL_S)
            pipe.hvals(keys.STORED)
            held = sum(map(int, pipe.execute()[-1]))
        if held > self.max_stored:
            self.discard(job)
            raise StoreFullError(
                f"expected room for {job.total:,} images, received a store with {held - job.total:,} of at most "
                f"{self.max_stored:,} waiting"
            )
        return job

    def put(self, job: Job, uploads: Iterable[Upload]) -> None:
        """Store a job's images, chunk after chunk, pipelined."""
        chunk: dict[str, bytes] = {}
        for index, upload in enumerate(uploads):
            chunk[str(index)] = upload.image
            chunk[f"{index}n"] = upload.name.encode("utf-8", "replace")
            if upload.label is not None:
                chunk[f"{index}l"] = upload.label.encode("utf-8", "replace")
            if upload.refused is not None:
                chunk[f"{index}r"] = upload.refused.encode("utf-8", "replace")
            if index + 1 == job.total or (index + 1) % job.chunk_size == 0:
                self._put_chunk(job, index // job.chunk_size, chunk)
                chunk = {}

    def _put_chunk(self, job: Job, chunk: int, fields: dict[str, bytes]) -> None:
        with self.redis.pipeline(transaction=False) as pipe:
            pipe.hset(keys.images(job.id, chunk), mapping=fields)
            pipe.expire(keys.images(job.id, chunk), DRAFT_TTL_S)
            pipe.expire(keys.draft(job.id), DRAFT_TTL_S)
            pipe.execute()

    def commit(self, job: Job, idempotency: Idempotency | None = None, *, at_front: bool = False) -> Job:
        """Make a job whose images are stored, and queue its chunks, all in one MULTI.

        Where the same request has made a job meanwhile, that job is returned and this one discarded.
        """
        made = self.records.create(self.redis, job, idempotency, lambda pipe: self._write(pipe, job, at_front=at_front))
        if made.id != job.id:
            self.discard(job)
        return made

    def _write(self, pipe: Pipe, job: Job, *, at_front: bool) -> None:
        """What a new job has besides its record: the sets of what has no answer, and its place in the queue."""
        until = self.records.until(job)
        for chunk in range(job.chunks):
            pipe.sadd(keys.pending(job.id, chunk), *job.indexes(chunk))
            for key in (keys.pending(job.id, chunk), keys.images(job.id, chunk)):
                pipe.expireat(key, until)
        pipe.sadd(keys.chunks(job.id), *range(job.chunks))
        pipe.expireat(keys.chunks(job.id), until)
        pipe.delete(keys.draft(job.id))
        self.queue.put(job.id, range(job.chunks), pipe, at_front=at_front)

    def discard(self, job: Job) -> None:
        """Forget a job that was started and not committed."""
        self.redis.hdel(keys.STORED, job.id)
        self.redis.unlink(keys.draft(job.id), *(keys.images(job.id, chunk) for chunk in range(job.chunks)))

    def items(self, job: Job, start: int, limit: int) -> list[str]:
        """Result items (JSON) of images ``start`` to ``start + limit - 1``, as far as they are answered."""
        indexes = range(start, min(start + limit, job.total))
        found = self.redis.hmget(keys.results(job.id), [str(index) for index in indexes]) if indexes else []
        return [each.decode() for each in found if each is not None]

    def cancel(self, job: Job) -> bool:
        """Stop a job that is not finished: its waiting images are dropped, its answers stay. False: it was finished."""
        return end(self.redis, job, cancelled=True)

    def forget(self, job: Job) -> None:
        """Remove a job and all that belongs to it."""
        super().forget(job)
        self.redis.zrem(keys.WEBHOOKS, job.id)  # last: a job that is gone cannot end, and be put on the list again

    def has_batches(self) -> bool:
        """Whether images of larger jobs wait: only then is a single image put before what is queued.

        Single images put before each other would be served the last one first.
        """
        return any(int(held) > 1 for held in self.redis.hvals(keys.STORED))

    def stored(self) -> int:
        """Images that wait in Redis."""
        return sum(map(int, self.redis.hvals(keys.STORED)))


def new_job(job: Job, ttl_s: int) -> Job:
    """``job`` under a new id, created now."""
    now = time.time()
    return replace(job, id=new_id("job"), created_at=now, expires_at=now + ttl_s)


def end(redis: Client, job: Job, *, cancelled: bool = False) -> bool:
    """Mark a job as finished, once: by its last answer, or by being cancelled.

    False where it was finished before; being cancelled, also where every image had its answer already.
    """

    def ending(pipe: Pipe) -> Mapping[str, str] | None:
        left = pipe.scard(keys.chunks(job.id))
        if left and not cancelled:
            return None
        return {"cancelled": "1"} if left else {}

    def call_webhook(pipe: Pipe) -> None:
        if job.webhook:
            pipe.zadd(keys.WEBHOOKS, {job.id: time.time()})

    ended = JOBS.end(redis, job, ending, call_webhook, keys.chunks(job.id))
    return ended is not None and (not cancelled or "cancelled" in ended)


def _drop_images(pipe: Pipe, job: Job) -> None:
    """Drop what is kept of a job only while it is unfinished."""
    for chunk in range(job.chunks):
        pipe.unlink(keys.images(job.id, chunk), keys.pending(job.id, chunk))
    pipe.unlink(keys.chunks(job.id))
    pipe.hdel(keys.STORED, job.id)


JOBS = Records(
    keys.JOB_KEYS,
    Job.from_redis,
    lambda job, numbers: Counts(job.total, **numbers),
    _drop_images,
    lambda job_id: (keys.results(job_id), keys.attempts(job_id), keys.prior(job_id)),
)
"""The life of jobs."""
