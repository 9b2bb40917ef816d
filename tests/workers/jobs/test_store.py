"""Jobs in Redis: begun, stored, committed, paged, cancelled, forgotten; limits, repeated requests, lost replies."""

import pytest

from tests.workers.some_jobs import (
    a_job,
    an_answer,
    counts_of,
    events_of,
    holds_images,
    job_of,
    keys_of,
    submit,
    uploads,
)
from workers import keys
from workers.connection import Client
from workers.jobs.chunk import record, take
from workers.jobs.record import Counts, Status, Upload
from workers.jobs.recovery import sweep
from workers.jobs.store import JOBS, Store, StoreFullError, TooManyJobsError, end, new_job
from workers.queue import ChunkQueue, rq_id
from workers.records import DRAFT_TTL_S, EVENTS_KEPT, REMEMBERED_S, Idempotency

pytestmark = pytest.mark.redis
REQUEST = Idempotency("k" * 64, "f" * 64)


def test_a_begun_job_is_no_job_yet(store: Store, redis: Client) -> None:
    job = store.begin(a_job(5))
    store.put(job, uploads(5))
    assert store.find("ann", job.id) is None
    assert store.stored() == 5
    assert all(0 < redis.ttl(key) <= DRAFT_TTL_S for key in keys_of(redis, job))


def test_put_keeps_each_image_with_its_name_and_label(store: Store, redis: Client) -> None:
    job = store.begin(a_job(3))
    store.put(job, [Upload("a", b"A", "x"), Upload("é", b""), Upload("c\udc80", b"C")])
    assert redis.hgetall(keys.images(job.id, 0)) == {
        b"0": b"A",
        b"0n": b"a",
        b"0l": b"x",
        b"1": b"",
        b"1n": "é".encode(),
    }
    assert redis.hgetall(keys.images(job.id, 1)) == {b"2": b"C", b"2n": b"c?"}


def test_commit_makes_the_job_and_queues_its_chunks(store: Store, redis: Client, queue: ChunkQueue) -> None:
    job = submit(store, a_job(5))
    assert store.find("ann", job.id) == (job, Counts(5))
    assert [each.decode() for each in redis.lrange(queue.rq.key, 0, -1)] == [rq_id(job.id, chunk) for chunk in range(3)]
    assert [redis.smembers(keys.pending(job.id, chunk)) for chunk in range(3)] == [{b"0", b"1"}, {b"2", b"3"}, {b"4"}]
    assert redis.smembers(keys.chunks(job.id)) == {b"0", b"1", b"2"}
    assert redis.zscore(keys.OPEN, job.id) == job.created_at
    assert redis.zscore(keys.EXPIRY, job.id) == job.expires_at
    assert not redis.exists(keys.draft(job.id))
    assert events_of(redis, job) == ["queued"]


def test_every_key_of_a_job_runs_out_some_time(store: Store, redis: Client) -> None:
    job = submit(store, a_job(5), same_as=REQUEST)
    chunk = take(redis, job.id, 0)
    assert chunk is not None
    record(redis, chunk, [an_answer(0)])
    left = {key: redis.ttl(key) for key in keys_of(redis, job)}
    assert keys.attempts(job.id) in left
    assert all(0 < seconds <= 3600 + REMEMBERED_S + 1 for seconds in left.values()), left
    assert 0 < redis.ttl(keys.idempotency("ann", REQUEST.key_sha256)) <= 3601


def test_at_front_goes_before_others(store: Store, redis: Client, queue: ChunkQueue) -> None:
    waits = submit(store, a_job(1))
    hurries = store.begin(a_job(1))
    store.put(hurries, uploads(1))
    store.commit(hurries, at_front=True)
    assert [each.decode() for each in redis.lrange(queue.rq.key, 0, -1)] == [rq_id(hurries.id, 0), rq_id(waits.id, 0)]


@pytest.mark.parametrize(("totals", "waiting"), [((), False), ((1, 1), False), ((1, 3), True)])
def test_only_larger_jobs_are_batches(store: Store, totals: tuple[int, ...], waiting: bool) -> None:
    for total in totals:
        submit(store, a_job(total))
    assert store.has_batches() is waiting


def test_a_full_store_says_so_and_keeps_nothing(redis: Client, queue: ChunkQueue) -> None:
    store = Store(redis, queue, max_stored=7, max_jobs=50)
    submit(store, a_job(5))
    refused = a_job(3)
    with pytest.raises(StoreFullError, match=r"expected room for 3 images, received a store with 5 of at most 7"):
        store.begin(refused)
    assert keys_of(redis, refused) == set()
    assert store.stored() == 5
    store.begin(a_job(2))
    assert store.stored() == 7


def test_answers_make_room(redis: Client, queue: ChunkQueue) -> None:
    store = Store(redis, queue, max_stored=5, max_jobs=50)
    job = submit(store, a_job(5))
    chunk = take(redis, job.id, 0)
    assert chunk is not None
    record(redis, chunk, [an_answer(0), an_answer(1)])
    assert store.stored() == 3
    store.begin(a_job(2))


def test_a_key_has_so_many_unfinished_jobs(redis: Client, queue: ChunkQueue) -> None:
    store = Store(redis, queue, max_stored=1000, max_jobs=2)
    first, _ = submit(store, a_job(1)), submit(store, a_job(1))
    with pytest.raises(TooManyJobsError, match="expected at most 2 unfinished jobs a key"):
        store.begin(a_job(1))
    submit(store, a_job(1, owner="bob"))
    store.cancel(first)
    submit(store, a_job(1))


def test_pages_go_from_new_to_old(store: Store) -> None:
    ids = [f"job_{number:032x}" for number in range(5)]
    for job_id in ids:
        submit(store, a_job(1, id=job_id))
    submit(store, a_job(1, owner="bob"))
    seen, cursor, sizes = [], None, []
    while True:
        page = store.page("ann", 2, cursor)
        seen += [job.id for job, _ in page.items]
        sizes.append(len(page.items))
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == ids[::-1]
    assert sizes == [2, 2, 1]
    assert store.page("nobody", 2).items == []


def test_a_full_last_page_has_no_next(store: Store) -> None:
    for _ in range(2):
        submit(store, a_job(1))
    assert store.page("ann", 2).next_cursor is None


def test_a_page_leaves_out_what_has_run_out(store: Store, redis: Client) -> None:
    kept, gone = submit(store, a_job(1)), submit(store, a_job(1))
    redis.delete(keys.job(gone.id))
    assert [job.id for job, _ in store.page("ann", 5).items] == [kept.id]
    assert redis.zrange(keys.jobs_of("ann"), 0, -1) == [kept.id.encode()]


def test_items_are_those_answered(store: Store, redis: Client) -> None:
    job = submit(store, a_job(5))
    for number, indexes in ((1, [3]), (2, [4])):
        chunk = take(redis, job.id, number)
        assert chunk is not None
        record(redis, chunk, [an_answer(index) for index in indexes])
    bodies = {index: an_answer(index).body for index in range(5)}
    assert store.items(job, 0, 5) == [bodies[3], bodies[4]]
    assert store.items(job, 0, 4) == [bodies[3]]
    assert store.items(job, 4, 100) == [bodies[4]]
    assert store.items(job, 5, 1) == []


def test_another_owners_job_is_not_found(store: Store) -> None:
    job = submit(store, a_job(1))
    assert store.find("bob", job.id) is None


def test_cancel_drops_the_images_and_keeps_the_answers(store: Store, redis: Client) -> None:
    job = submit(store, a_job(5))
    chunk = take(redis, job.id, 0)
    assert chunk is not None
    record(redis, chunk, [an_answer(0)])
    assert store.cancel(job) is True
    found = store.find("ann", job.id)
    assert found is not None
    assert found[0].status(found[1]) is Status.CANCELLED
    assert found[0].finished_at is not None
    assert found[1].done == 1
    assert not holds_images(redis, job)
    assert store.items(job, 0, 5) == [an_answer(0).body]
    assert events_of(redis, job) == ["queued", "started", "progress", "finished"]
    assert store.cancel(job) is False
    assert events_of(redis, job)[-2:] == ["progress", "finished"]


def test_a_finished_job_cannot_be_cancelled(store: Store, redis: Client) -> None:
    job = submit(store, a_job(1))
    chunk = take(redis, job.id, 0)
    assert chunk is not None
    record(redis, chunk, [an_answer(0)])
    assert store.cancel(job) is False
    assert not job_of(redis, job).cancelled


def test_an_answered_job_whose_end_is_not_written_yet_cannot_be_cancelled(store: Store, redis: Client) -> None:
    job = submit(store, a_job(1))
    redis.delete(keys.chunks(job.id))  # as between the last answer and the end of the job
    assert store.cancel(job) is False
    assert not job_of(redis, job).cancelled
    assert job_of(redis, job).finished_at is not None


def test_a_job_ends_once(store: Store, redis: Client) -> None:
    job = submit(store, a_job(1, webhook="https://hooks.example/"))
    assert end(redis, job) is False, "it has an image without an answer"
    redis.delete(keys.chunks(job.id))
    assert [end(redis, job), end(redis, job), end(redis, job, cancelled=True)] == [True, False, False]
    assert events_of(redis, job) == ["queued", "finished"]
    assert redis.zrange(keys.WEBHOOKS, 0, -1) == [job.id.encode()]
    assert end(redis, a_job(1)) is False, "there is no such job"


def test_nothing_is_left_of_a_forgotten_job(store: Store, redis: Client, queue: ChunkQueue) -> None:
    job = submit(store, a_job(5, webhook="https://hooks.example/"))
    held = take(redis, job.id, 0)
    late = take(redis, job.id, 1)
    assert held is not None
    assert late is not None
    record(redis, held, [an_answer(0)])
    store.cancel(job)
    store.forget(job)
    assert record(redis, late, [an_answer(2)]) == 0
    assert take(redis, job.id, 2) is None
    sweep(redis, queue)
    assert keys_of(redis, job) == set()
    assert store.find("ann", job.id) is None
    assert store.page("ann", 5).items == []
    for key in (keys.OPEN, keys.EXPIRY, keys.STORED, keys.WEBHOOKS, keys.SUSPECTS, keys.active_of("ann")):
        assert not redis.exists(key), key


def test_forgetting_a_running_job_gives_its_room_back(store: Store, redis: Client) -> None:
    job = submit(store, a_job(5))
    store.forget(job)
    assert store.stored() == 0
    assert keys_of(redis, job) == set()


def test_discard_leaves_nothing(store: Store, redis: Client) -> None:
    job = store.begin(a_job(5))
    store.put(job, uploads(5))
    store.discard(job)
    assert keys_of(redis, job) == set()
    assert store.stored() == 0


def test_a_cut_off_upload_gives_its_room_back_once_it_has_run_out(
    store: Store, redis: Client, queue: ChunkQueue
) -> None:
    cut, kept = store.begin(a_job(5)), submit(store, a_job(2))
    store.put(cut, uploads(2))
    sweep(redis, queue)
    assert store.stored() == 7, "its draft still stands"
    redis.delete(keys.draft(cut.id), keys.SWEEP_LOCK)
    sweep(redis, queue)
    assert store.stored() == 2
    assert counts_of(redis, kept) == Counts(2)


def test_events_are_kept_within_bounds(store: Store, redis: Client) -> None:
    total = 2 * EVENTS_KEPT
    job = submit(store, a_job(1))
    with redis.pipeline() as pipe:
        for _ in range(total):
            JOBS.tell(pipe, job, "progress")
        pipe.execute()
    assert EVENTS_KEPT <= redis.xlen(keys.events(job.id)) < total


def test_new_jobs_have_an_id_and_run_out() -> None:
    job = new_job(a_job(1, id="", created_at=0.0, expires_at=0.0), 60)
    assert job.id.startswith("job_")
    assert job.expires_at == job.created_at + 60
