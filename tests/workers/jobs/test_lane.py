"""The lane of single images: each gets its one answer, whatever the others are, and workers come and go."""

import json
import threading
import time
from collections.abc import Sequence
from dataclasses import replace

import pytest

from captcha_solver.types import Solution
from tests.fakes import picture
from tests.workers.some_jobs import FAKE_SHA256, TEXTS, FakeReader, a_job, submit, until
from workers import keys
from workers.connection import Client
from workers.jobs import lane
from workers.jobs.lane import Lane
from workers.jobs.record import StoredOptions, Upload
from workers.jobs.single import HELD_S, Single, new_single
from workers.jobs.store import Store
from workers.queue import ChunkQueue

pytestmark = pytest.mark.redis
BAD = picture(2, "BMP")  # the fake reader is told to break at it


@pytest.fixture
def reader() -> FakeReader:
    return FakeReader(BAD)


@pytest.fixture
def serving(redis: Client, queue: ChunkQueue, reader: FakeReader) -> Lane:
    return Lane(redis, queue, reader)


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane, "IDLE_S", 0.05)
    monkeypatch.setattr(lane, "LOOK_S", 0.02)


def lay(redis: Client, number: int, image: bytes | None = None, options: StoredOptions | None = None) -> Single:
    """Put a single image where workers look, as the API does."""
    given = picture(number % len(TEXTS)) if image is None else image
    single = new_single(Upload(f"{number}.png", given), options or StoredOptions("fake"), FAKE_SHA256)
    redis.hset(keys.single(single.id), mapping=single.to_redis())
    redis.rpush(keys.LANE, single.id)
    return single


def told(redis: Client, single: Single) -> list[str]:
    """The answers that were pushed to whoever waits for an image: name and text, or the error's code."""
    items = [json.loads(each) for each in redis.lrange(keys.single_answer(single.id), 0, -1)]
    return [f"{item['index']} {item['id']} {item['text'] or item['error']['code']}" for item in items]


def always() -> bool:
    return True


def never() -> bool:
    return False


def test_each_image_gets_one_answer_and_nothing_else_stays(redis: Client, serving: Lane, reader: FakeReader) -> None:
    singles = [lay(redis, number) for number in range(5)]
    serving.serve(never)
    assert [told(redis, each) for each in singles] == [[f"0 {n}.png {TEXTS[n % 3]}"] for n in range(5)]
    assert reader.made.asked == [1, 4]  # the one that was waited for, then all that had come meanwhile
    left = {key.decode() for key in redis.keys("cs:*")}
    assert left == {keys.STATISTICS, *(keys.single_answer(each.id) for each in singles)}
    assert all(0 < redis.ttl(keys.single_answer(each.id)) <= HELD_S for each in singles)
    assert redis.hgetall(keys.STATISTICS) == {b"images_solved": b"5", b"images_failed": b"0"}


def test_images_with_other_options_are_read_apart(redis: Client, serving: Lane, reader: FakeReader) -> None:
    redis.rpush(keys.LANE, "gone")  # so that the others are taken together
    options = [StoredOptions("fake"), StoredOptions("fake", fold_case=True), StoredOptions("fake")]
    singles = [lay(redis, number, options=each) for number, each in enumerate(options)]
    serving.serve(never)
    assert [told(redis, each) for each in singles] == [[f"0 {n}.png {TEXTS[n]}"] for n in range(3)]
    assert sorted(reader.made.asked) == [1, 2]


def test_images_with_other_views_are_read_apart(redis: Client, serving: Lane, reader: FakeReader) -> None:
    redis.rpush(keys.LANE, "gone")
    asked = ["1", "auto", "3", "auto", "1", "1"]
    singles = [lay(redis, number, options=StoredOptions("fake", views=views)) for number, views in enumerate(asked)]
    serving.serve(never)
    assert [told(redis, each) for each in singles] == [[f"0 {n}.png {TEXTS[n % 3]}"] for n in range(6)]
    answers = [json.loads(redis.lindex(keys.single_answer(each.id), 0)) for each in singles]
    assert [answer["views"] for answer in answers] == [1, 7, 3, 7, 1, 1]
    assert reader.made.asked == [3, 2, 1]


def test_in_many_views_fewer_images_are_read_before_their_answers_are_given(
    redis: Client, serving: Lane, reader: FakeReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the worker is heard of in between: what takes long must not look like a worker that is gone."""
    monkeypatch.setattr(lane, "LEASE_S", 0.0)
    redis.rpush(keys.LANE, "gone")
    singles = [lay(redis, number, options=StoredOptions("fake", views="auto")) for number in range(10)]
    read, renew = reader.made.solve_batch, serving._renew
    seen: list[str] = []

    def reading(images: Sequence[bytes]) -> list[Solution]:
        seen.append(f"reads {len(images)}, {sum(bool(told(redis, each)) for each in singles)} answered")
        return read(images)

    def renewing() -> None:
        seen.append("renews")
        renew()

    monkeypatch.setattr(reader.made, "solve_batch", reading)
    monkeypatch.setattr(serving, "_renew", renewing)
    serving.serve(never)
    first = seen.index("reads 4, 0 answered")
    assert seen[first : first + 5] == [
        "reads 4, 0 answered",
        "renews",
        "reads 4, 4 answered",
        "renews",
        "reads 2, 8 answered",
    ]
    assert [told(redis, each) for each in singles] == [[f"0 {n}.png {TEXTS[n % 3]}"] for n in range(10)]
    assert redis.hget(keys.STATISTICS, "images_solved") == b"10"


def test_an_image_that_breaks_the_reader_fails_alone(redis: Client, serving: Lane) -> None:
    redis.rpush(keys.LANE, "gone")
    singles = [lay(redis, 0), lay(redis, 1, BAD), lay(redis, 2, b"no image")]
    serving.serve(never)
    assert [told(redis, each) for each in singles] == [
        ["0 0.png CAT"],
        ["0 1.png internal_error"],
        ["0 2.png unreadable"],
    ]
    assert redis.hgetall(keys.STATISTICS) == {b"images_solved": b"1", b"images_failed": b"2"}


def test_what_a_worker_cannot_read_is_said(redis: Client, serving: Lane) -> None:
    other = lay(redis, 0, options=StoredOptions("other"))
    charset = lay(redis, 1, options=StoredOptions("fake", charset="none of these"))
    serving.serve(never)
    assert (told(redis, other), told(redis, charset)) == (["0 0.png model_changed"], ["0 1.png bad_option"])


def test_an_image_that_nobody_waits_for_any_more_is_left(redis: Client, serving: Lane, reader: FakeReader) -> None:
    single = lay(redis, 0)
    redis.delete(keys.single(single.id))
    serving.serve(never)
    assert (told(redis, single), redis.llen(keys.LANE), reader.made.asked) == ([], 0, [0] * len(reader.made.asked))


def test_a_worker_says_that_it_serves_and_unsays_it(
    redis: Client, serving: Lane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane, "IDLE_S", 60.0)
    seen: list[int] = []

    def looking() -> bool:
        seen.append(redis.zcount(keys.LANE_SERVED, time.time(), "+inf"))
        return len(seen) > 2

    serving.serve(looking)
    assert (seen, redis.zcard(keys.LANE_SERVED)) == ([0, 1, 1], 0)


def test_one_that_stops_calls_another_for_what_is_left(redis: Client, serving: Lane, queue: ChunkQueue) -> None:
    single = lay(redis, 0)
    serving.serve(always)
    assert (told(redis, single), redis.llen(keys.LANE), len(queue)) == ([], 1, 1)


def test_one_that_stops_with_nothing_left_calls_nobody(redis: Client, serving: Lane, queue: ChunkQueue) -> None:
    serving.serve(always)
    assert len(queue) == 0


def test_chunks_that_wait_end_an_idle_service(
    redis: Client, serving: Lane, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane, "IDLE_S", 60.0)
    monkeypatch.setattr(lane, "SERVING_S", 60.0)
    over = threading.Event()
    thread = threading.Thread(target=serving.serve, args=(over.is_set,), daemon=True)
    thread.start()
    until(lambda: redis.zcard(keys.LANE_SERVED) == 1)
    first = lay(redis, 0)
    until(lambda: told(redis, first) == ["0 0.png CAT"])
    assert thread.is_alive()  # idle, and nothing else to do
    submit(store, a_job(1))
    try:
        until(lambda: not thread.is_alive())
    finally:
        over.set()
        thread.join()


def test_a_worker_is_called_once_and_before_all_chunks(redis: Client, queue: ChunkQueue, store: Store) -> None:
    submit(store, a_job(4, chunk_size=2))
    queue.call()
    queue.call()
    names = [each.decode() for each in redis.lrange(queue.rq.key, 0, -1)]
    assert [name.startswith("lane-") for name in names] == [True, False, False]
    redis.delete(keys.LANE_CALLED)  # it came
    queue.call()
    assert len(queue) == 4


def test_a_single_that_was_laid_down_before_there_were_views_is_read_in_one() -> None:
    single = new_single(Upload("a.png", b"x"), StoredOptions("fake", views="auto"), FAKE_SHA256)
    about = json.loads(single.to_redis()["about"])
    assert about["options"].pop("views") == "auto"
    old = Single.from_redis(single.id, [b"x", json.dumps(about).encode()])
    assert old == replace(single, options=StoredOptions("fake", views="1"))


@pytest.mark.parametrize("field", ["image", "about"])
def test_a_single_that_is_half_gone_is_gone(field: str) -> None:
    single = new_single(Upload("a.png", b"x"), StoredOptions("fake", "digits", "4", True, "auto"), FAKE_SHA256)
    record = {name: value if isinstance(value, bytes) else value.encode() for name, value in single.to_redis().items()}
    assert Single.from_redis(single.id, [record["image"], record["about"]]) == single
    record[field] = b""
    fields = [record.get("image") or None, record.get("about") or None]
    assert Single.from_redis(single.id, fields) is None
