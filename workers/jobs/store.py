"""Jobs in Redis: begin one, store its images, read how far it is and what it found, cancel it, forget it."""

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from captcha_solver.errors import CaptchaSolverError
from workers import keys
from workers.connection import Client, Pipe
from workers.jobs.record import Counts, Job, Upload, new_job_id
from workers.queue import ChunkQueue

DRAFT_TTL_S = 900  # images of an upload that was cut off are gone after this
EVENTS_KEPT = 1000
REMEMBERED_S = 7 * 24 * 3600  # an expired job can be asked for so much longer: it says that it has expired


class StoreFullError(CaptchaSolverError):
    """Redis holds as many waiting images as it may; try later."""


class TooManyJobsError(CaptchaSolverError):
    """The owner has as many unfinished jobs as a key may have."""


class KeyReusedError(CaptchaSolverError):
    """An Idempotency-Key was used before, for another request."""


@dataclass(frozen=True, slots=True)
class Idempotency:
    """A request that may come twice: the hash of its key, and the hash of all that it asks for."""

    key_sha256: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class JobsPage:
    """Some jobs, newest first, and where the next page begins."""

    jobs: Sequence[tuple[Job, Counts]]
    next_cursor: str | None


class Store:
    """What the API needs of Redis. ``max_stored`` images may wait in it, and ``max_jobs`` jobs an owner."""

    def __init__(self, redis: Client, queue: ChunkQueue, *, max_stored: int, max_jobs: int) -> None:
        self.redis = redis
        self.queue = queue
        self.max_stored = max_stored
        self.max_jobs = max_jobs

    def begin(self, job: Job) -> Job:
        """Reserve room for a job's images; ``StoreFullError`` or ``TooManyJobsError`` where there is none.

        The job exists only after ``commit``; an upload that stops before leaves nothing behind but keys that run out.
        """
        if self.redis.scard(keys.active_of(job.owner)) >= self.max_jobs:
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
        watched = [keys.job(job.id)]
        watched += [keys.idempotency(job.owner, idempotency.key_sha256)] if idempotency else []

        def write(pipe: Pipe) -> Job:
            if pipe.exists(keys.job(job.id)):  # a first try went through, although nothing was heard of it
                pipe.multi()
                return job
            if idempotency and (before := self._made_by(pipe, job.owner, idempotency)):
                pipe.multi()
                return before
            pipe.multi()
            self._write_job(pipe, job)
            if idempotency:
                note = json.dumps({"job": job.id, "fingerprint": idempotency.fingerprint})
                pipe.set(watched[1], note, exat=round(job.expires_at))
            self.queue.enqueue(job, range(job.chunks), pipe, at_front=at_front)
            return job

        made: Job = self.redis.transaction(write, *watched, value_from_callable=True)
        if made.id != job.id:
            self.discard(job)
        return made

    def _write_job(self, pipe: Pipe, job: Job) -> None:
        until = round(job.expires_at) + REMEMBERED_S
        pipe.hset(keys.job(job.id), mapping=job.to_redis())
        pipe.expireat(keys.job(job.id), until)
        for chunk in range(job.chunks):
            pipe.sadd(keys.pending(job.id, chunk), *job.indexes(chunk))
            for key in (keys.pending(job.id, chunk), keys.images(job.id, chunk)):
                pipe.expireat(key, until)
        pipe.sadd(keys.chunks(job.id), *range(job.chunks))
        pipe.expireat(keys.chunks(job.id), until)
        pipe.zadd(keys.OPEN, {job.id: job.created_at})
        pipe.zadd(keys.EXPIRY, {job.id: job.expires_at})
        pipe.zadd(keys.jobs_of(job.owner), {job.id: 0})
        pipe.sadd(keys.active_of(job.owner), job.id)
        pipe.delete(keys.draft(job.id))
        add_event(pipe, job, "queued")

    def made_by(self, owner: str, idempotency: Idempotency) -> Job | None:
        """The job that the same request made before; ``KeyReusedError`` where another request used the key."""
        return self._made_by(self.redis, owner, idempotency)

    def _made_by(self, redis: Client | Pipe, owner: str, idempotency: Idempotency) -> Job | None:
        note = redis.get(keys.idempotency(owner, idempotency.key_sha256))
        if note is None:
            return None
        before = json.loads(note)
        if before["fingerprint"] != idempotency.fingerprint:
            raise KeyReusedError("this Idempotency-Key was used for another request: take a new key for a new request")
        record = redis.hgetall(keys.job(before["job"]))
        return Job.from_redis(record) if record else None

    def discard(self, job: Job) -> None:
        """Forget a job that was begun and not committed."""
        self.redis.hdel(keys.STORED, job.id)
        self.redis.unlink(keys.draft(job.id), *(keys.images(job.id, chunk) for chunk in range(job.chunks)))

    def find(self, owner: str, job_id: str) -> tuple[Job, Counts] | None:
        """A job of ``owner`` and how far it is; None where there is none, or it is another's."""
        found = fetch(self.redis, [job_id])
        return found[0] if found and found[0][0].owner == owner else None

    def page(self, owner: str, limit: int, cursor: str | None = None) -> JobsPage:
        """The owner's jobs, newest first, from behind ``cursor`` on."""
        start = f"({cursor}" if cursor else "+"
        ids = [
            each.decode() for each in self.redis.zrevrangebylex(keys.jobs_of(owner), start, "-", start=0, num=limit + 1)
        ]
        jobs = fetch(self.redis, ids[:limit])
        gone = set(ids[:limit]) - {job.id for job, _ in jobs}
        if gone:
            self.redis.zrem(keys.jobs_of(owner), *gone)
        return JobsPage(jobs, ids[limit - 1] if len(ids) > limit else None)

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
        with self.redis.pipeline() as pipe:
            drop_images(pipe, job)
            pipe.unlink(
                keys.job(job.id), keys.counts(job.id), keys.results(job.id), keys.events(job.id), keys.attempts(job.id)
            )
            pipe.zrem(keys.EXPIRY, job.id)
            pipe.zrem(keys.jobs_of(job.owner), job.id)
            pipe.zrem(keys.WEBHOOKS, job.id)
            pipe.execute()

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
    return replace(job, id=new_job_id(), created_at=now, expires_at=now + ttl_s)


def fetch(redis: Client, job_ids: Sequence[str]) -> list[tuple[Job, Counts]]:
    """Jobs and how far they are, in order; those that are gone are left out."""
    with redis.pipeline(transaction=False) as pipe:
        for job_id in job_ids:
            pipe.hgetall(keys.job(job_id))
            pipe.hgetall(keys.counts(job_id))
        replies = pipe.execute()
    found = []
    for record, numbers in zip(replies[::2], replies[1::2], strict=True):
        if record:
            job = Job.from_redis(record)
            found.append((job, Counts(job.total, **{name.decode(): int(number) for name, number in numbers.items()})))
    return found


def end(redis: Client, job: Job, *, cancelled: bool = False) -> bool:
    """Mark a job as finished, once: by its last answer, or by being cancelled.

    False where it was finished before; being cancelled, also where every image had its answer already.
    """

    def write(pipe: Pipe) -> bool:
        record = pipe.hgetall(keys.job(job.id))
        left = pipe.scard(keys.chunks(job.id))
        if not record or b"finished_at" in record or (left and not cancelled):
            pipe.multi()
            return False
        pipe.multi()
        pipe.hset(keys.job(job.id), "finished_at", repr(time.time()))
        stopped = cancelled and left > 0
        if stopped:
            pipe.hset(keys.job(job.id), "cancelled", 1)
        drop_images(pipe, job)
        add_event(pipe, job, "finished")
        if job.webhook:
            pipe.zadd(keys.WEBHOOKS, {job.id: time.time()})
        return stopped or not cancelled

    return bool(redis.transaction(write, keys.job(job.id), keys.chunks(job.id), value_from_callable=True))


def drop_images(pipe: Pipe, job: Job) -> None:
    """Drop what is kept of a job only while it is unfinished."""
    for chunk in range(job.chunks):
        pipe.unlink(keys.images(job.id, chunk), keys.pending(job.id, chunk))
    pipe.unlink(keys.chunks(job.id))
    pipe.zrem(keys.OPEN, job.id)
    pipe.hdel(keys.STORED, job.id)
    pipe.srem(keys.active_of(job.owner), job.id)


def add_event(pipe: Pipe, job: Job, kind: str) -> None:
    """Tell those who watch a job that something has changed; they read the job's counts themselves."""
    pipe.xadd(keys.events(job.id), {"event": kind}, maxlen=EVENTS_KEPT, approximate=True)
    pipe.expireat(keys.events(job.id), round(job.expires_at) + REMEMBERED_S)
