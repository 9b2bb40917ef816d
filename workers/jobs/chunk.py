"""A chunk in a worker's hands: take its images, write their answers so that each image gets exactly one."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from workers import keys
from workers.connection import Client, Pipe
from workers.jobs.record import Answer, Job, Upload
from workers.jobs.store import JOBS, end


@dataclass(frozen=True, slots=True)
class Chunk:
    """The unanswered images of a chunk, by index, and how often it was started, this time included."""

    job: Job
    number: int
    images: Mapping[int, Upload]
    attempt: int


def take(redis: Client, job_id: str, number: int, fetched: Mapping[bytes, bytes] | None = None) -> Chunk | None:
    """Begin a chunk; None where there is nothing left of it to do. ``fetched``: its images, where they are at hand."""
    job = JOBS.unfinished(redis, job_id)
    if job is None:
        return None
    with redis.pipeline() as pipe:
        pipe.smembers(keys.pending(job_id, number))
        pipe.hincrby(keys.attempts(job_id), str(number), 1)
        pipe.expireat(keys.attempts(job_id), round(job.expires_at))
        pending, attempt, _ = pipe.execute()
    if not pending:
        end(redis, job)  # a worker may have died between the last answer and this
        return None
    if job.started_at is None:
        _start(redis, job)
    held = fetched or redis.hgetall(keys.images(job_id, number))
    images = {index: _upload(held, index) for index in sorted(map(int, pending))}
    return Chunk(job, number, images, int(attempt))


def first_images(redis: Client, job: Job, most: int) -> list[bytes]:
    """The bytes of a job's first images, ``most`` at most, as far as they are still there."""
    found: list[bytes] = []
    for number in range(job.chunks):
        if len(found) >= most:
            break
        held = redis.hgetall(keys.images(job.id, number))
        found += [held[key] for index in job.indexes(number) if (key := str(index).encode()) in held]
    return found[:most]


def settle_prior(redis: Client, job: Job, prior: bytes) -> bytes:
    """Keep what was inferred from a job's images, if nothing is kept yet; what counts for all of its chunks."""
    with redis.pipeline() as pipe:
        pipe.set(keys.prior(job.id), prior, nx=True)
        pipe.expireat(keys.prior(job.id), round(job.expires_at))
        pipe.get(keys.prior(job.id))
        kept: bytes | None = pipe.execute()[-1]
    return kept or prior


def begin_alone(redis: Client, chunk: Chunk, index: int) -> int:
    """Note that one image of a chunk is about to be read by itself. How often it was, this time included."""
    with redis.pipeline() as pipe:
        pipe.hincrby(keys.attempts(chunk.job.id), f"i{index}", 1)
        pipe.expireat(keys.attempts(chunk.job.id), round(chunk.job.expires_at))
        return int(pipe.execute()[0])


def _start(redis: Client, job: Job) -> None:
    def write(pipe: Pipe) -> None:
        exists = pipe.exists(keys.job(job.id))
        pipe.multi()
        if exists:
            pipe.hsetnx(keys.job(job.id), "started_at", repr(time.time()))
            JOBS.tell(pipe, job, "started")

    redis.transaction(write, keys.job(job.id))


def _upload(held: Mapping[bytes, bytes], index: int) -> Upload:
    """An image as it was stored; one that is missing is empty, and so ends as an answer that says so."""
    text = {name: held[key].decode() for name in "nlr" if (key := f"{index}{name}".encode()) in held}
    return Upload(text.get("n", str(index)), held.get(str(index).encode(), b""), text.get("l"), text.get("r"))


def record(redis: Client, chunk: Chunk, answers: Sequence[Answer]) -> int:
    """Write answers, each image's once: those that have one keep it. How many were new.

    One MULTI writes the answers, takes their images off the pending set, counts them and adds the progress event. The
    pending set is watched, so that two workers with the same chunk, or one whose first try did go through although it
    heard nothing, count nothing twice. A job that was cancelled or removed has no pending set, and gets no answers.
    """
    job, pending = chunk.job, keys.pending(chunk.job.id, chunk.number)

    def write(pipe: Pipe) -> int:
        waiting = {int(index) for index in pipe.smembers(pending)}
        fresh = [answer for answer in answers if answer.index in waiting]
        pipe.multi()
        if fresh:
            _write(pipe, chunk, fresh, last=len(fresh) == len(waiting))
        return len(fresh)

    written: int = redis.transaction(write, pending, value_from_callable=True)
    if redis.scard(keys.chunks(job.id)) == 0:
        end(redis, job)
    return written


def _write(pipe: Pipe, chunk: Chunk, answers: Sequence[Answer], *, last: bool) -> None:
    job = chunk.job
    until = JOBS.until(job)
    failed = sum(answer.failed for answer in answers)
    pipe.hset(keys.results(job.id), mapping={str(answer.index): answer.body for answer in answers})
    pipe.expireat(keys.results(job.id), until)
    pipe.srem(keys.pending(job.id, chunk.number), *(answer.index for answer in answers))
    pipe.hincrby(keys.counts(job.id), "done", len(answers))
    pipe.hincrby(keys.counts(job.id), "failed", failed)
    pipe.hincrby(keys.counts(job.id), "labelled", sum(answer.correct is not None for answer in answers))
    pipe.hincrby(keys.counts(job.id), "correct", sum(answer.correct is True for answer in answers))
    pipe.expireat(keys.counts(job.id), until)
    pipe.hincrby(keys.STORED, job.id, -len(answers))
    pipe.hincrby(keys.STATISTICS, "images_solved", len(answers) - failed)
    pipe.hincrby(keys.STATISTICS, "images_failed", failed)
    if last:
        pipe.srem(keys.chunks(job.id), chunk.number)
        pipe.unlink(keys.images(job.id, chunk.number))
    JOBS.tell(pipe, job, "progress")
