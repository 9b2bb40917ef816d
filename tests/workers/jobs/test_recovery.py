"""Jobs that lost something are mended: lost chunks, ends, images whose time has run out."""

import time

import pytest
from rq.registry import FailedJobRegistry, StartedJobRegistry

from tests.workers.some_jobs import a_job, an_answer, counts_of, events_of, holds_images, job_of, keys_of, submit
from workers import keys
from workers.connection import Client
from workers.jobs.chunk import record, take
from workers.jobs.record import Counts, Job, Status
from workers.jobs.recovery import sweep
from workers.jobs.store import JOBS, Store
from workers.queue import ChunkQueue, rq_id
from workers.recovery import LOST_AFTER_S, SWEEP_EVERY_S

pytestmark = pytest.mark.redis


def sweep_again(redis: Client, queue: ChunkQueue) -> int:
    """A sweep as if the last were long enough ago."""
    redis.delete(keys.SWEEP_LOCK)
    return sweep(redis, queue)


def suspected_for(redis: Client, seconds: float) -> None:
    """As if what is suspected had been so for some time."""
    since = time.time() - seconds
    redis.zadd(keys.SUSPECTS, dict.fromkeys(redis.zrange(keys.SUSPECTS, 0, -1), since), xx=True)


def queued(redis: Client, queue: ChunkQueue) -> list[str]:
    return [each.decode() for each in redis.lrange(queue.rq.key, 0, -1)]


def test_a_lost_chunk_is_queued_again_in_time(store: Store, redis: Client, queue: ChunkQueue) -> None:
    job = submit(store, a_job(5))
    redis.lrem(queue.rq.key, 0, rq_id(job.id, 1))
    assert sweep_again(redis, queue) == 0, "it may have been popped a moment ago"
    assert redis.zrange(keys.SUSPECTS, 0, -1) == [rq_id(job.id, 1).encode()]
    suspected_for(redis, LOST_AFTER_S - 1)
    assert sweep_again(redis, queue) == 0
    suspected_for(redis, LOST_AFTER_S + 1)
    assert sweep_again(redis, queue) == 1
    assert queued(redis, queue) == [rq_id(job.id, chunk) for chunk in (0, 2, 1)]
    assert redis.zcard(keys.SUSPECTS) == 0
    assert redis.hget(keys.STATISTICS, "chunks_requeued") == b"1"
    assert sweep_again(redis, queue) == 0
    assert len(queue) == 3


def test_a_chunk_that_turns_up_is_suspected_no_more(store: Store, redis: Client, queue: ChunkQueue) -> None:
    job = submit(store, a_job(2))
    redis.lpop(queue.rq.key)
    sweep_again(redis, queue)
    suspected_for(redis, LOST_AFTER_S + 1)
    running = {f"{rq_id(job.id, 0)}:execution": redis.time()[0] + 60}
    redis.zadd(StartedJobRegistry(queue=queue.rq).key, running)
    assert sweep_again(redis, queue) == 0
    assert redis.zcard(keys.SUSPECTS) == 0


def test_a_chunk_whose_worker_fell_silent_is_lost(store: Store, redis: Client, queue: ChunkQueue) -> None:
    job = submit(store, a_job(2))
    redis.lpop(queue.rq.key)
    silent = {f"{rq_id(job.id, 0)}:execution": redis.time()[0] - 1}
    redis.zadd(StartedJobRegistry(queue=queue.rq).key, silent)
    sweep_again(redis, queue)
    suspected_for(redis, LOST_AFTER_S + 1)
    assert sweep_again(redis, queue) == 1
    assert queued(redis, queue) == [rq_id(job.id, 0)]


def test_a_chunk_popped_and_never_begun_is_queued_again(store: Store, redis: Client, queue: ChunkQueue) -> None:
    job = submit(store, a_job(4))
    redis.lmove(queue.rq.key, queue.rq.intermediate_queue_key, "LEFT", "RIGHT")
    sweep_again(redis, queue)
    suspected_for(redis, LOST_AFTER_S + 1)
    assert sweep_again(redis, queue) == 1
    assert queued(redis, queue) == [rq_id(job.id, 1), rq_id(job.id, 0)]
    assert redis.llen(queue.rq.intermediate_queue_key) == 0, "RQ must not fail it a minute later"


def test_an_answered_chunk_is_never_lost(store: Store, redis: Client, queue: ChunkQueue) -> None:
    job = submit(store, a_job(4))
    redis.delete(queue.rq.key)
    chunk = take(redis, job.id, 0)
    assert chunk is not None
    record(redis, chunk, [an_answer(0), an_answer(1)])
    sweep_again(redis, queue)
    suspected_for(redis, LOST_AFTER_S + 1)
    assert sweep_again(redis, queue) == 1
    assert queued(redis, queue) == [rq_id(job.id, 1)]


def test_a_cancelled_jobs_chunks_are_not_looked_for(store: Store, redis: Client, queue: ChunkQueue) -> None:
    job = submit(store, a_job(4))
    redis.delete(queue.rq.key)
    sweep_again(redis, queue)
    suspected_for(redis, LOST_AFTER_S + 1)
    store.cancel(job)
    assert sweep_again(redis, queue) == 0
    assert redis.zcard(keys.SUSPECTS) == 0


def test_a_job_that_has_all_answers_is_ended(store: Store, redis: Client, queue: ChunkQueue) -> None:
    job = submit(store, a_job(2))
    redis.delete(keys.pending(job.id, 0), keys.chunks(job.id))
    redis.hset(keys.counts(job.id), "done", 2)
    sweep_again(redis, queue)
    assert job_of(redis, job).finished_at is not None
    assert events_of(redis, job) == ["queued", "finished"]
    assert not holds_images(redis, job)


def test_what_is_left_of_no_job_is_dropped(redis: Client, queue: ChunkQueue) -> None:
    redis.zadd(keys.OPEN, {"job_gone": 1.0})
    redis.zadd(keys.EXPIRY, {"job_gone": 1.0})
    redis.hset(keys.STORED, "job_gone", 7)
    sweep_again(redis, queue)
    assert not redis.exists(keys.OPEN, keys.EXPIRY, keys.STORED)
    assert redis.keys(f"{keys.job('job_gone')}*") == []


def expire(redis: Client, queue: ChunkQueue, job: Job) -> None:
    redis.zadd(keys.EXPIRY, {job.id: time.time() - 1})
    sweep_again(redis, queue)


@pytest.mark.parametrize("finished", [False, True])
def test_a_job_whose_time_has_run_out_keeps_its_name_alone(
    store: Store, redis: Client, queue: ChunkQueue, finished: bool
) -> None:
    job, other = submit(store, a_job(2)), submit(store, a_job(2))
    chunk = take(redis, job.id, 0)
    assert chunk is not None
    record(redis, chunk, [an_answer(index) for index in range(2 if finished else 1)])
    ended = job_of(redis, job).finished_at
    expire(redis, queue, job)
    found = store.find("ann", job.id)
    assert found is not None
    assert found[0].status(found[1]) is Status.EXPIRED
    assert found[0].finished_at is not None
    assert ended is None or found[0].finished_at == ended, "when it ended stays"
    assert not holds_images(redis, job)
    assert store.items(job, 0, 2) == []
    assert keys_of(redis, job) == {keys.job(job.id), keys.counts(job.id), keys.events(job.id)}
    assert events_of(redis, job)[-1] == "finished"
    assert counts_of(redis, other) == Counts(2)
    assert job_of(redis, other).finished_at is None
    assert store.stored() == 2


def test_a_job_in_time_does_not_expire(store: Store, redis: Client, queue: ChunkQueue) -> None:
    job = submit(store, a_job(2))
    sweep_again(redis, queue)
    assert not job_of(redis, job).expired
    assert redis.zscore(keys.EXPIRY, job.id) == job.expires_at


def test_one_sweep_at_a_time(store: Store, redis: Client, queue: ChunkQueue) -> None:
    job = submit(store, a_job(2))
    assert sweep(redis, queue) == 0
    redis.zadd(keys.EXPIRY, {job.id: 1.0})
    assert sweep(redis, queue) == 0
    assert not job_of(redis, job).expired, "another worker has just looked"
    assert 0 < redis.ttl(keys.SWEEP_LOCK) <= SWEEP_EVERY_S
    sweep_again(redis, queue)
    assert job_of(redis, job).expired


def test_a_job_removed_as_it_expires_stays_removed(store: Store, redis: Client) -> None:
    job = submit(store, a_job(2))
    store.forget(job)
    JOBS.expire(redis, job)  # a sweep that had read of it before
    assert keys_of(redis, job) == set()


def test_what_rq_has_given_up_is_queued_again_or_forgotten(store: Store, redis: Client, queue: ChunkQueue) -> None:
    job = submit(store, a_job(4))
    answered, open_ = rq_id(job.id, 0), rq_id(job.id, 1)
    registry = FailedJobRegistry(queue=queue.rq).key
    redis.zadd(registry, {answered: time.time() + 60, open_: time.time() + 60, "foreign": time.time() + 60})
    redis.delete(queue.rq.key)
    chunk = take(redis, job.id, 0)
    assert chunk is not None
    record(redis, chunk, [an_answer(0), an_answer(1)])
    for name in (answered, open_):
        for trace in queue.traces(name):
            redis.set(trace, 1)
    sweep_again(redis, queue)
    assert redis.zrange(registry, 0, -1) == [open_.encode()], "it is not answered: its place is kept until it is queued"
    assert not redis.exists(f"rq:job:{answered}", *queue.traces(answered))
    suspected_for(redis, LOST_AFTER_S + 1)
    assert sweep_again(redis, queue) == 1
    assert queued(redis, queue) == [open_]
    assert queue.failed() == []
    assert redis.exists(f"rq:job:{open_}")
    assert not redis.exists(*queue.traces(open_)), "RQ must not take the new run for the old"
