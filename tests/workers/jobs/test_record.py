"""Jobs to and from Redis, what their status follows from, and answers as JSON, worked out by hand."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from captcha_solver.types import Character, Reading, Solution
from tests.workers.some_jobs import a_job
from workers.connection import Client
from workers.jobs.record import Counts, Job, Status, StoredOptions, answer, chunk_size, refusal
from workers.records import new_id

PLAIN = Job("job_1", "ann", 5, 2, StoredOptions("sliding"), "ab" * 32, 1_700_000_000.25, 1_700_003_600.125)
FULL = Job(
    id="job_2",
    owner="bob",
    total=300,
    chunk_size=19,
    options=StoredOptions("digits", "0-9", "4-6", True, "auto"),
    model_sha256="cd" * 32,
    created_at=1_700_000_000.1,
    expires_at=1_700_086_400.2,
    started_at=1_700_000_001.3,
    finished_at=1_700_000_002.4,
    cancelled=True,
    expired=True,
    webhook="https://hooks.example/done?x=1",
    metadata={"né": "ü\n", "empty": ""},
)


@pytest.mark.parametrize("job", [PLAIN, FULL], ids=lambda job: job.id)
def test_a_job_comes_back_as_it_went(job: Job) -> None:
    assert Job.from_redis({key.encode(): value.encode() for key, value in job.to_redis().items()}) == job


def test_a_job_that_was_stored_before_there_were_views_is_read_in_one() -> None:
    record = FULL.to_redis()
    options = json.loads(record["options"])
    assert options.pop("views") == "auto"
    record["options"] = json.dumps(options)
    old = Job.from_redis({key.encode(): value.encode() for key, value in record.items()})
    assert old == replace(FULL, options=replace(FULL.options, views="1"))


@pytest.mark.redis
@pytest.mark.parametrize("job", [PLAIN, FULL], ids=lambda job: job.id)
def test_a_job_comes_back_from_redis(redis: Client, job: Job) -> None:
    redis.hset("job", mapping=job.to_redis())
    assert Job.from_redis(redis.hgetall("job")) == job


def test_what_is_not_known_yet_is_not_written() -> None:
    assert set(PLAIN.to_redis()) == {
        *("id", "owner", "total", "chunk_size", "options", "model_sha256", "created_at", "expires_at", "metadata")
    }


@pytest.mark.parametrize(
    ("changes", "done", "failed", "status", "final"),
    [
        ({}, 0, 0, Status.QUEUED, False),
        ({"started_at": 1.0}, 0, 0, Status.RUNNING, False),
        ({"started_at": 1.0}, 4, 4, Status.RUNNING, False),
        ({"started_at": 1.0}, 5, 0, Status.SUCCEEDED, True),
        ({"started_at": 1.0, "finished_at": 2.0}, 5, 0, Status.SUCCEEDED, True),
        ({}, 5, 0, Status.SUCCEEDED, True),
        ({"started_at": 1.0}, 5, 1, Status.PARTIAL, True),
        ({"started_at": 1.0}, 5, 4, Status.PARTIAL, True),
        ({"started_at": 1.0}, 5, 5, Status.FAILED, True),
        ({"cancelled": True}, 0, 0, Status.CANCELLED, True),
        ({"cancelled": True, "started_at": 1.0}, 3, 1, Status.CANCELLED, True),
        ({"expired": True}, 5, 0, Status.EXPIRED, True),
        ({"expired": True, "cancelled": True}, 2, 0, Status.EXPIRED, True),
    ],
)
def test_the_status_follows(changes: dict[str, Any], done: int, failed: int, status: Status, final: bool) -> None:
    job = a_job(5, **changes)
    assert job.status(Counts(5, done, failed)) is status
    assert status.final is final


@pytest.mark.parametrize(
    ("total", "size", "expected"),
    [
        (5, 2, [[0, 1], [2, 3], [4]]),
        (4, 2, [[0, 1], [2, 3]]),
        (1, 16, [[0]]),
        (3, 1, [[0], [1], [2]]),
    ],
)
def test_chunks_share_out_the_images(total: int, size: int, expected: list[list[int]]) -> None:
    job = replace(PLAIN, total=total, chunk_size=size)
    assert [list(job.indexes(chunk)) for chunk in range(job.chunks)] == expected


@pytest.mark.parametrize(
    ("images", "size"),
    [(1, 16), (16, 16), (256, 16), (257, 17), (272, 17), (273, 18), (4080, 255), (4096, 256), (50_000, 256)],
)
def test_chunk_size(images: int, size: int) -> None:
    assert chunk_size(images) == size


def test_ids_sort_by_time() -> None:
    first, second = new_id("job"), new_id("job")
    assert re.fullmatch(r"job_[0-9a-f]{32}", first)
    assert first[:16] <= second[:16]
    assert first != second


ASKED = StoredOptions("sliding")


def solved(text: str, failure: str | None = None) -> Solution:
    characters = tuple(Character(char, 0.12345678, (1.0, 2.346)) for char in text)
    return Solution(Reading(text, characters, 0.98765432), "fake", "f" * 64, 1.23456, failure, views=7, frames=4)


def test_an_answer_by_hand() -> None:
    found = answer(3, "é.png", None, solved("Ab"), ASKED)
    assert (found.index, found.failed, found.correct) == (3, False, None)
    assert found.body == (
        '{"index":3,"id":"é.png","status":"solved","text":"Ab","confidence":0.987654,"characters":['
        '{"character":"A","confidence":0.123457,"span_px":[1.0,2.35]},'
        '{"character":"b","confidence":0.123457,"span_px":[1.0,2.35]}],"elapsed_ms":1.235,"views":7,"frames":4,"error":null}'
    )


def test_an_unreadable_image_by_hand() -> None:
    found = answer(0, "a", "Ab", solved("", "no text found"), ASKED)
    assert (found.failed, found.correct) == (True, False)
    assert found.body == (
        '{"index":0,"id":"a","status":"failed","text":null,"confidence":null,"characters":[],"elapsed_ms":1.235,'
        '"views":7,"frames":4,"error":{"code":"unreadable","detail":"no text found"},"expected":"Ab","correct":false}'
    )


def test_a_refusal_by_hand() -> None:
    found = refusal(7, "b", None, code="worker_died", detail="gone")
    assert (found.index, found.failed, found.correct) == (7, True, None)
    assert found.body == (
        '{"index":7,"id":"b","status":"failed","text":null,"confidence":null,"characters":[],"elapsed_ms":0.0,'
        '"views":0,"frames":1,"error":{"code":"worker_died","detail":"gone"}}'
    )
    assert refusal(7, "b", "x", code="worker_died", detail="gone").correct is False


@pytest.mark.parametrize(
    ("text", "label", "fold_case", "correct"),
    [
        ("aBc", "aBc", False, True),
        ("aBc", "abc", False, False),
        ("aBc", "AbC", True, True),
        ("aBc", "aBd", True, False),
        ("straße", "STRASSE", True, True),
        ("a", "", True, False),
        ("a", None, True, None),
    ],
)
def test_labels_are_compared(text: str, label: str | None, fold_case: bool, correct: bool | None) -> None:
    found = answer(0, "a", label, solved(text), replace(ASKED, fold_case=fold_case))
    assert found.correct is correct
    assert json.loads(found.body).get("correct") is correct


@pytest.mark.parametrize(
    ("text", "label", "answer_", "correct"),
    [
        ("7", "3+4=?", "result", True),
        ("7", "7", "result", True),
        ("8", "3+4", "result", False),
        ("3+4", "3 + 4 =", "expression", True),
    ],
)
def test_labels_of_sums_may_be_the_sum_or_its_result(text: str, label: str, answer_: str, correct: bool) -> None:
    assert answer(0, "a", label, solved(text), replace(ASKED, answer=answer_)).correct is correct
