"""A chunk in a worker's hands: each image gets one answer, whoever else has the chunk and whatever replies are lost."""

import json
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.workers.lossy import LossyWire
from tests.workers.some_jobs import (
    a_job,
    an_answer,
    counts_of,
    events_of,
    holds_images,
    items_of,
    job_of,
    submit,
    uploads,
)
from workers import keys
from workers.connection import Client, Pipe, connect
from workers.jobs import chunk as chunks
from workers.jobs.chunk import Chunk, begin_alone, record, take
from workers.jobs.record import Answer, Counts, Job, Status, Upload
from workers.jobs.recovery import sweep
from workers.jobs.store import Store
from workers.redis_server import PrivateRedis

pytestmark = pytest.mark.redis


def taken(redis: Client, job: Job, number: int) -> Chunk:
    chunk = take(redis, job.id, number)
    assert chunk is not None
    return chunk


def by(store: Store, job: Job) -> dict[int, str]:
    """Image -> who answered it."""
    return {item["index"]: item["by"] for item in items_of(store, job)}


def test_take_gives_the_images_and_starts_the_job(store: Store, redis: Client) -> None:
    job = submit(store, a_job(5))
    first, last = taken(redis, job, 0), taken(redis, job, 2)
    assert first.images == dict(enumerate(uploads(2)))
    assert last.images == {4: uploads(5)[4]}
    assert (first.job.id, first.number, first.attempt) == (job.id, 0, 1)
    assert job_of(redis, job).started_at is not None
    assert job_of(redis, job).status(Counts(5)) is Status.RUNNING
    assert events_of(redis, job) == ["queued", "started"]


def test_take_counts_attempts_a_chunk(store: Store, redis: Client) -> None:
    job = submit(store, a_job(5))
    assert [taken(redis, job, number).attempt for number in (0, 1, 0, 0, 1)] == [1, 1, 2, 3, 2]


def test_the_start_stays_the_first(store: Store, redis: Client) -> None:
    job = submit(store, a_job(5))
    taken(redis, job, 0)
    started = job_of(redis, job).started_at
    taken(redis, job, 1)
    chunks._start(redis, job)  # a worker that had looked before the first began
    assert job_of(redis, job).started_at == started


def test_take_gives_only_what_is_unanswered(store: Store, redis: Client) -> None:
    job = submit(store, a_job(4, chunk_size=4))
    record(redis, taken(redis, job, 0), [an_answer(0), an_answer(2)])
    assert list(taken(redis, job, 0).images) == [1, 3]


def test_take_uses_what_was_fetched(store: Store, redis: Client) -> None:
    job = submit(store, a_job(2))
    chunk = take(redis, job.id, 0, {b"0": b"zero", b"0n": b"a.png", b"0l": b"x"})
    assert chunk is not None
    assert chunk.images == {0: Upload("a.png", b"zero", "x"), 1: Upload("1", b"")}, "what is missing is empty"


@pytest.mark.parametrize("how", ["unknown", "finished", "cancelled", "expired", "forgotten", "answered"])
def test_there_is_nothing_to_take(store: Store, redis: Client, how: str) -> None:
    job = submit(store, a_job(3))
    if how == "unknown":
        job = a_job(3)
    elif how == "finished":
        redis.hset(keys.job(job.id), "finished_at", "1.0")
    elif how == "cancelled":
        store.cancel(job)
    elif how == "expired":
        redis.hset(keys.job(job.id), "expired", 1)
    elif how == "forgotten":
        store.forget(job)
    else:
        record(redis, taken(redis, job, 0), [an_answer(0), an_answer(1)])
    assert take(redis, job.id, 0) is None


def test_record_writes_answers_and_counts(store: Store, redis: Client) -> None:
    job = submit(store, a_job(5, chunk_size=5))
    answers = [an_answer(0, correct=True), an_answer(1, correct=False), an_answer(2, failed=True, correct=False)]
    assert record(redis, taken(redis, job, 0), answers) == 3
    assert counts_of(redis, job) == Counts(5, done=3, failed=1, labelled=3, correct=1)
    assert store.items(job, 0, 5) == [each.body for each in answers]
    assert redis.smembers(keys.pending(job.id, 0)) == {b"3", b"4"}
    assert store.stored() == 2
    assert redis.hgetall(keys.STATISTICS) == {b"images_solved": b"2", b"images_failed": b"1"}
    assert events_of(redis, job) == ["queued", "started", "progress"]


def test_the_first_answer_stays(store: Store, redis: Client) -> None:
    job = submit(store, a_job(3, chunk_size=3))
    first, second = taken(redis, job, 0), taken(redis, job, 0)
    assert record(redis, first, [an_answer(0, "first"), an_answer(1, "first")]) == 2
    assert record(redis, second, [an_answer(index, "second", failed=True) for index in range(3)]) == 1
    assert record(redis, first, [an_answer(index, "first") for index in range(3)]) == 0
    assert by(store, job) == {0: "first", 1: "first", 2: "second"}
    assert counts_of(redis, job) == Counts(3, done=3, failed=1)
    assert store.stored() == 0


class Interrupting:
    """Writes as ``record`` does, but lets another worker write first, once, when the images were already looked up."""

    def __init__(self, redis: Client, other: Chunk, answers: Sequence[Answer]) -> None:
        self._redis, self._other, self._answers = redis, other, answers
        self._write = chunks._write
        self.calls = 0

    def __call__(self, pipe: Pipe, chunk: Chunk, answers: Sequence[Answer], *, last: bool) -> None:
        self.calls += 1
        if self.calls == 1:
            record(self._redis, self._other, self._answers)
        self._write(pipe, chunk, answers, last=last)


def test_two_workers_that_write_at_once_count_each_image_once(
    store: Store, redis: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = submit(store, a_job(3, chunk_size=3))
    slow, quick = taken(redis, job, 0), taken(redis, job, 0)
    between = Interrupting(redis, quick, [an_answer(index, "quick") for index in (0, 1)])
    monkeypatch.setattr(chunks, "_write", between)
    assert record(redis, slow, [an_answer(index, "slow") for index in range(3)]) == 1
    assert between.calls == 3, "the slow one's first MULTI was refused, and written anew"
    assert by(store, job) == {0: "quick", 1: "quick", 2: "slow"}
    assert counts_of(redis, job) == Counts(3, done=3)
    assert store.stored() == 0


def test_answers_nobody_heard_of_are_not_counted_again(server: PrivateRedis, store: Store, redis: Client) -> None:
    job = submit(store, a_job(3, chunk_size=3))
    with (
        TemporaryDirectory(prefix="wire-") as folder,
        LossyWire(server.socket, Path(folder) / "lossy.sock") as wire,
        closing(connect(wire.url)) as cut,
    ):
        chunk = taken(cut, job, 0)
        wire.lose()
        assert record(cut, chunk, [an_answer(0), an_answer(1, failed=True)]) == 0, "the second try finds nothing to do"
        assert wire.lost == 1
        assert counts_of(redis, job) == Counts(3, done=2, failed=1)
        wire.lose()
        record(cut, chunk, [an_answer(2)])
        assert wire.lost == 2
    assert counts_of(redis, job) == Counts(3, done=3, failed=1)
    assert job_of(redis, job).finished_at is not None
    assert events_of(redis, job) == ["queued", "started", "progress", "progress", "finished"]


@pytest.mark.parametrize("how", ["cancelled", "forgotten", "expired"])
def test_a_job_that_is_gone_gets_no_answers(store: Store, redis: Client, how: str) -> None:
    job = submit(store, a_job(2))
    chunk = taken(redis, job, 0)
    if how == "cancelled":
        store.cancel(job)
    elif how == "forgotten":
        store.forget(job)
    else:
        redis.zadd(keys.EXPIRY, {job.id: 0})
        sweep(redis, store.queue)
    assert record(redis, chunk, [an_answer(0), an_answer(1)]) == 0
    assert not redis.exists(keys.results(job.id), keys.counts(job.id))
    assert store.stored() == 0


def test_the_last_answer_of_a_chunk_drops_its_images(store: Store, redis: Client) -> None:
    job = submit(store, a_job(4))
    chunk = taken(redis, job, 0)
    record(redis, chunk, [an_answer(0)])
    assert redis.exists(keys.images(job.id, 0))
    record(redis, chunk, [an_answer(1)])
    assert not redis.exists(keys.images(job.id, 0), keys.pending(job.id, 0))
    assert redis.smembers(keys.chunks(job.id)) == {b"1"}
    assert job_of(redis, job).finished_at is None


@pytest.mark.parametrize(
    ("failed", "status"), [((), Status.SUCCEEDED), ((1,), Status.PARTIAL), ((0, 1, 2), Status.FAILED)]
)
def test_the_last_answer_ends_the_job(store: Store, redis: Client, failed: tuple[int, ...], status: Status) -> None:
    job = submit(store, a_job(3, webhook="https://hooks.example/"))
    for number in (1, 0):
        indexes = job.indexes(number)
        record(redis, taken(redis, job, number), [an_answer(i, failed=i in failed) for i in indexes])
    ended = job_of(redis, job)
    assert ended.status(counts_of(redis, job)) is status
    assert ended.started_at is not None
    assert ended.finished_at is not None
    assert ended.started_at <= ended.finished_at
    assert not holds_images(redis, job)
    assert events_of(redis, job) == ["queued", "started", "progress", "progress", "finished"]
    assert redis.zscore(keys.WEBHOOKS, job.id) is not None
    assert json.loads(store.items(job, 2, 1)[0]) == {"index": 2, "by": "first"}


def test_a_worker_that_died_before_it_ended_the_job_leaves_that_to_the_next(store: Store, redis: Client) -> None:
    job = submit(store, a_job(1))
    redis.delete(keys.pending(job.id, 0), keys.chunks(job.id))
    assert take(redis, job.id, 0) is None
    assert job_of(redis, job).finished_at is not None


def test_images_are_counted_alone(store: Store, redis: Client) -> None:
    job = submit(store, a_job(2))
    chunk = taken(redis, job, 0)
    assert [begin_alone(redis, chunk, index) for index in (0, 0, 1)] == [1, 2, 1]
    store.forget(job)
    begin_alone(redis, chunk, 0)
    assert 0 < redis.ttl(keys.attempts(job.id)) <= 3601, "what comes late runs out too"
