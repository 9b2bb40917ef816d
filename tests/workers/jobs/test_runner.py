"""The runner of chunks: an answer an image, also where images, options, models or workers are amiss."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from captcha_solver.solver import Solver
from captcha_solver.text_prior import TextPrior
from tests.fakes import picture
from tests.workers.some_jobs import TEXTS, FakeReader, a_job, counts_of, items_of, job_of, keys_of, submit, uploads
from workers import keys
from workers.connection import Client
from workers.jobs.chunk import take
from workers.jobs.record import Counts, Job, Status, StoredOptions, Upload
from workers.jobs.runner import (
    CAREFUL_AFTER,
    INSTALLED,
    PART,
    TRIES_ALONE,
    WORTH_FETCHING,
    ChunkRunner,
    Prefetch,
    solve_chunk,
)
from workers.jobs.store import Store
from workers.queue import ChunkQueue

pytestmark = pytest.mark.redis
BAD = picture(2, "BMP")  # the fake reader is told to break at it


@pytest.fixture
def reader() -> FakeReader:
    return FakeReader(BAD)


@pytest.fixture
def chunks(redis: Client, queue: ChunkQueue, reader: FakeReader) -> ChunkRunner:
    return ChunkRunner(redis, queue, reader)


def codes(store: Store, job: Job) -> list[str | None]:
    """An item a line: its text, or the code of its error."""
    return [item["error"]["code"] if item["error"] else item["text"] for item in items_of(store, job)]


def solve_all(chunks: ChunkRunner, job: Job) -> None:
    for number in range(job.chunks):
        chunks.solve(job.id, number)


def test_a_job_is_answered(store: Store, redis: Client, chunks: ChunkRunner) -> None:
    images = [*uploads(4), Upload("broken.png", b"no image", "x"), Upload("white.png", picture(255))]
    job = submit(store, a_job(6, chunk_size=4, options=StoredOptions("fake", fold_case=True)), images)
    solve_all(chunks, job)
    assert codes(store, job) == ["CAT", "dog", "7", "CAT", "unreadable", "unreadable"]
    first, broken = items_of(store, job)[0], items_of(store, job)[4]
    assert (first["id"], first["expected"], first["correct"]) == ("0.png", "cat", True)
    assert [each["character"] for each in first["characters"]] == ["C", "A", "T"]
    assert (broken["id"], broken["text"], broken["correct"]) == ("broken.png", None, False)
    assert broken["error"]["detail"].startswith("expected an image (PNG, JPEG, GIF, BMP or WEBP), received 8 bytes")
    assert counts_of(redis, job) == Counts(6, done=6, failed=2, labelled=2, correct=1)
    assert job_of(redis, job).status(counts_of(redis, job)) is Status.PARTIAL
    assert chunks.chunks_done == 2


def test_a_chunk_run_again_is_not_read_again(store: Store, chunks: ChunkRunner, reader: FakeReader) -> None:
    job = submit(store, a_job(2))
    chunks.solve(job.id, 0)
    chunks.solve(job.id, 0)
    assert reader.made.asked == [2]
    assert chunks.chunks_done == 1


def test_a_chunk_is_answered_part_by_part(store: Store, redis: Client, chunks: ChunkRunner, reader: FakeReader) -> None:
    total = 2 * PART + 3
    job = submit(store, a_job(total, chunk_size=total))
    chunks.solve(job.id, 0)
    assert reader.made.asked == [PART, PART, 3]
    assert counts_of(redis, job).done == total


def test_what_is_inferred_of_a_job_is_settled_by_its_first_chunk_for_all(
    store: Store, redis: Client, chunks: ChunkRunner, queue: ChunkQueue
) -> None:
    """However the chunks come, whoever reads them: the prior is that of the job's first images, kept with the job."""
    asked = StoredOptions("fake", infer=True)
    job = submit(store, a_job(30, chunk_size=10, options=asked))
    chunks.solve(job.id, 2)
    kept = redis.get(keys.prior(job.id))
    assert kept is not None
    prior = msgspec.json.decode(kept, type=TextPrior)
    assert prior.charset == "alnum"
    assert prior.lengths == {1: 0.5, 3: pytest.approx(1)} or set(prior.lengths) == {1, 3}
    assert 0 < redis.ttl(keys.prior(job.id)) <= 3600
    told = msgspec.json.encode(TextPrior("digits", {1: 1.0}))
    redis.set(keys.prior(job.id), told)
    ChunkRunner(redis, queue, FakeReader(BAD)).solve(job.id, 0)  # another worker, later: what is kept counts
    assert redis.get(keys.prior(job.id)) == told
    assert [item["text"] for item in items_of(store, job)[:3]] == [None, None, "7"], "only digits are read"
    store.forget(job_of(redis, job))
    assert redis.get(keys.prior(job.id)) is None


def test_nothing_is_inferred_unless_it_is_asked_for(store: Store, redis: Client, chunks: ChunkRunner) -> None:
    job = submit(store, a_job(12, chunk_size=12))
    chunks.solve(job.id, 0)
    assert redis.get(keys.prior(job.id)) is None


@pytest.mark.parametrize(("views", "part"), [("2", PART // 2), ("7", 9), ("auto", 9)])
def test_the_more_views_the_fewer_images_are_a_part(
    store: Store, redis: Client, chunks: ChunkRunner, reader: FakeReader, views: str, part: int
) -> None:
    """So that a cancelled job stops as soon, and a killed worker loses as little, however an image is read."""
    job = submit(store, a_job(part + 1, chunk_size=part + 1, options=StoredOptions("fake", views=views)))
    chunks.solve(job.id, 0)
    assert reader.made.asked == [part, 1]
    assert [item["views"] for item in items_of(store, job)] == [2 if views == "2" else 7] * (part + 1)
    assert codes(store, job) == [TEXTS[index % len(TEXTS)] for index in range(part + 1)]


class CancellingSolver(Solver):
    """Its job is cancelled while it reads."""

    def __init__(self, store: Store, job: Job, made: Solver) -> None:
        super().__init__(made.recognizer, views=made.views)
        self._store, self._job, self._made = store, job, made

    def solve_batch(self, images: Any) -> Any:
        self._store.cancel(self._job)
        return self._made.solve_batch(images)


@pytest.mark.parametrize(
    ("attempts", "views", "read"), [(0, "1", PART), (CAREFUL_AFTER, "1", 1), (0, "auto", 9), (CAREFUL_AFTER, "auto", 1)]
)
def test_a_cancelled_job_is_read_no_further(
    store: Store,
    redis: Client,
    chunks: ChunkRunner,
    reader: FakeReader,
    monkeypatch: pytest.MonkeyPatch,
    attempts: int,
    views: str,
    read: int,
) -> None:
    total = 3 * PART
    job = submit(store, a_job(total, chunk_size=total, options=StoredOptions("fake", views=views)))
    redis.hset(keys.attempts(job.id), "0", attempts)
    cancelling = CancellingSolver(store, job, reader.solver(job.options))
    monkeypatch.setattr(reader, "solver", lambda options: cancelling)
    chunks.solve(job.id, 0)
    assert reader.made.asked == [read]
    assert counts_of(redis, job).done == 0
    assert job_of(redis, job).status(counts_of(redis, job)) is Status.CANCELLED


def test_an_image_that_always_raises_fails_alone(store: Store, redis: Client, chunks: ChunkRunner) -> None:
    images = uploads(4)
    images[2] = replace(images[2], image=BAD, label="7")
    job = submit(store, a_job(4, chunk_size=4), images)
    for _ in range(CAREFUL_AFTER):
        with pytest.raises(MemoryError):
            chunks.solve(job.id, 0)
        assert counts_of(redis, job).done == 0
    chunks.solve(job.id, 0)
    assert codes(store, job) == ["CAT", "dog", "internal_error", "CAT"]
    assert items_of(store, job)[2]["error"]["detail"] == "MemoryError"
    assert counts_of(redis, job) == Counts(4, done=4, failed=1, labelled=2, correct=0)
    assert job_of(redis, job).finished_at is not None


def test_an_image_in_whose_hands_workers_die_is_given_up(
    store: Store, redis: Client, chunks: ChunkRunner, reader: FakeReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that dies is an exception that nothing catches: what Redis holds afterwards is the same."""
    images = uploads(3)
    images[1] = replace(images[1], image=BAD)
    job = submit(store, a_job(3, chunk_size=3), images)
    read = reader.made.solve_batch

    def die(batch: Any) -> Any:
        if BAD in batch:
            raise SystemExit(137)
        return read(batch)

    monkeypatch.setattr(reader.made, "solve_batch", die)
    for _ in range(CAREFUL_AFTER + TRIES_ALONE):
        with pytest.raises(SystemExit):
            chunks.solve(job.id, 0)
    assert codes(store, job) == ["CAT"], "the image before it was answered in the first careful try"
    chunks.solve(job.id, 0)
    assert codes(store, job) == ["CAT", "worker_died", "7"]
    assert job_of(redis, job).finished_at is not None
    assert counts_of(redis, job) == Counts(3, done=3, failed=1, labelled=1)


def test_another_model_than_the_jobs_reads_nothing(store: Store, redis: Client, queue: ChunkQueue) -> None:
    job = submit(store, a_job(2))
    chunks = ChunkRunner(redis, queue, FakeReader(sha256="0" * 64))
    chunks.solve(job.id, 0)
    assert codes(store, job) == ["model_changed", "model_changed"]
    detail = "the job is for fake ffffffffffff, this worker has 000000000000"
    assert items_of(store, job)[0]["error"]["detail"] == detail


def test_a_model_that_is_not_loaded_reads_nothing(store: Store, chunks: ChunkRunner) -> None:
    job = submit(store, a_job(1, options=StoredOptions("other")))
    chunks.solve(job.id, 0)
    assert items_of(store, job)[0]["error"]["detail"] == "the job is for other ffffffffffff, this worker has none"


def test_options_that_cannot_be_are_told(store: Store, chunks: ChunkRunner) -> None:
    job = submit(store, a_job(2, options=StoredOptions("fake", charset="none of these")))
    chunks.solve(job.id, 0)
    assert codes(store, job) == ["bad_option", "bad_option"]
    assert "received none of these" in items_of(store, job)[1]["error"]["detail"]


def test_the_next_chunk_is_fetched_and_only_that_used(store: Store, redis: Client, queue: ChunkQueue) -> None:
    job = submit(store, a_job(6))
    redis.lpop(queue.rq.key)  # chunk 0 is being read
    prefetch = Prefetch(redis, queue)
    prefetch.start()
    assert prefetch.take(job.id, 1) == redis.hgetall(keys.images(job.id, 1))
    assert prefetch.take(job.id, 1) is None, "it is given once"
    prefetch.start()
    assert prefetch.take(job.id, 2) is None, "it is another chunk's"
    prefetch.start()
    assert prefetch.take("job_other", 1) is None


@pytest.mark.parametrize("head", [None, b"not a chunk", b"job_gone-0"])
def test_there_is_nothing_to_fetch(redis: Client, queue: ChunkQueue, head: bytes | None) -> None:
    if head:
        redis.rpush(queue.rq.key, head)
    prefetch = Prefetch(redis, queue)
    prefetch.start()
    assert prefetch.take("job_gone", 0) is None


def test_a_right_guess_saves_fetching(store: Store, redis: Client, queue: ChunkQueue, chunks: ChunkRunner) -> None:
    job = submit(store, a_job(2 * WORTH_FETCHING, chunk_size=WORTH_FETCHING))
    redis.lpop(queue.rq.key)
    chunks.solve(job.id, 0)
    thread = chunks._next._thread
    assert thread is not None
    thread.join()
    redis.delete(keys.images(job.id, 1))
    chunks.solve(job.id, 1)
    assert codes(store, job) == [TEXTS[index % 3] for index in range(2 * WORTH_FETCHING)]


def test_a_wrong_guess_harms_nothing(store: Store, redis: Client, queue: ChunkQueue, chunks: ChunkRunner) -> None:
    size = WORTH_FETCHING
    job, other = submit(store, a_job(3 * size, chunk_size=size)), submit(store, a_job(2))
    redis.lpop(queue.rq.key)
    for place in ((job, 0), (job, 2), (other, 0), (job, 1)):
        chunks.solve(place[0].id, place[1])
    assert codes(store, job) == [TEXTS[index % 3] for index in range(3 * size)]
    assert codes(store, other) == ["CAT", "dog"]


def test_a_forgotten_job_leaves_nothing_to_do(store: Store, redis: Client, chunks: ChunkRunner) -> None:
    job = submit(store, a_job(2))
    store.forget(job)
    chunks.solve(job.id, 0)
    assert keys_of(redis, job) == set()
    assert chunks.chunks_done == 0


def test_rq_finds_the_runner(store: Store, redis: Client, chunks: ChunkRunner) -> None:
    INSTALLED.install(None)
    job = submit(store, a_job(1))
    with pytest.raises(RuntimeError, match="python -m workers"):
        solve_chunk(job.id, 0)
    INSTALLED.install(chunks)
    solve_chunk(job.id, 0)
    assert codes(store, job) == ["CAT"]
    assert take(redis, job.id, 0) is None
