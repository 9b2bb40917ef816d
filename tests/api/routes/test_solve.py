"""``POST /v1/solve``: one image in each form that it may come in, answered as the library itself answers."""

import base64
import os
import signal
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import httpx
import pytest

from api import lane
from api.routes.solve import LONGEST_WAIT_S, USUAL_WAIT_S, _wait
from captcha_solver.cli.demo import drawn
from captcha_solver.solver import load_solver
from captcha_solver.types import Sample, Solution
from tests.api.conftest import Light
from tests.api.services import Live, until
from tests.api.test_problems import check
from tests.workers.running import ready
from workers import keys
from workers.connection import connect

pytestmark = pytest.mark.redis

Ask = Callable[[httpx.Client, bytes], httpx.Response]
PNG = {"Content-Type": "image/png"}
WAYS: dict[str, tuple[Ask, str]] = {  # and what the answer calls the image
    "raw": (lambda c, image: c.post("/v1/solve", content=image, headers=PNG), "image"),
    "octets": (
        lambda c, image: c.post("/v1/solve", content=image, headers={"Content-Type": "application/octet-stream"}),
        "image",
    ),
    "form": (lambda c, image: c.post("/v1/solve", files={"file": ("a b.png", image)}), "a b.png"),
    "json": (lambda c, image: c.post("/v1/solve", json={"image": base64.b64encode(image).decode()}), "0"),
}


def shown(solution: Solution) -> tuple[str, float, list[str], int]:
    characters = [each.char for each in solution.reading.characters]
    return solution.text, round(solution.confidence, 6), characters, solution.views


def told(answer: httpx.Response) -> tuple[str, float, list[str], int]:
    body = answer.json()
    return body["text"], body["confidence"], [each["character"] for each in body["characters"]], body["views"]


@pytest.fixture(scope="module")
def expected(samples: Sequence[Sample]) -> list[Solution]:
    solver = load_solver("sliding")
    return [solver.solve_batch([sample.image])[0] for sample in samples]


@pytest.mark.parametrize("way", WAYS)
def test_each_way_of_asking_is_answered_as_the_library_answers(
    live: Live, samples: Sequence[Sample], expected: Sequence[Solution], way: str
) -> None:
    ask, name = WAYS[way]
    for sample, solution in zip(samples[:3], expected[:3], strict=True):
        answer = ask(live.mine, sample.image)
        assert answer.status_code == 200, answer.text
        assert told(answer) == shown(solution)
        body = answer.json()
        assert (body["index"], body["id"], body["status"], body["error"]) == (0, name, "solved", None)
        spans = [each["span_px"] for each in body["characters"]]
        assert spans == [[round(float(e), 2) for e in each.span_px] for each in solution.reading.characters]
        assert body["elapsed_ms"] > 0
    assert expected[0].text == samples[0].text  # the drawn text: else nothing above would mean much


def test_the_other_model_and_the_options_are_those_of_the_library(live: Live, samples: Sequence[Sample]) -> None:
    digits, segmented = load_solver("sliding", charset="digits", length="3"), load_solver("segmented")
    for image in [sample.image for sample in samples[:3]]:
        narrow = live.mine.post("/v1/solve", params={"charset": "digits", "length": "3"}, content=image, headers=PNG)
        assert told(narrow) == shown(digits.solve_batch([image])[0])
        other = live.mine.post("/v1/solve", files={"file": image}, data={"model": "segmented"})
        assert told(other) == shown(segmented.solve_batch([image])[0])
        assert other.json()["model"]["name"] == "segmented"


@pytest.mark.parametrize("views", ["auto", "1", "7"])
def test_an_image_is_read_in_the_views_that_are_asked_for(live: Live, views: str) -> None:
    solver = load_solver("sliding", views=views)
    for image in [sample.image for sample in drawn("gauntlet", range(4), 0)]:
        solution = solver.solve_batch([image])[0]
        asked = [
            live.mine.post("/v1/solve", params={"views": views}, content=image, headers=PNG),
            live.mine.post("/v1/solve", files={"file": image}, data={"views": views}),
            live.mine.post("/v1/solve", json={"image": base64.b64encode(image).decode(), "views": views}),
        ]
        assert [told(answer) for answer in asked] == [shown(solution)] * 3


def test_a_range_of_lengths_begins_with_the_shorter(live: Live, samples: Sequence[Sample]) -> None:
    image = samples[0].image
    answer = live.mine.post("/v1/solve", params={"length": "4-6"}, content=image, headers=PNG)
    assert 4 <= len(answer.json()["text"]) <= 6
    answer = live.mine.post("/v1/solve", params={"length": "6-4"}, content=image, headers=PNG)
    assert answer.status_code == 422
    assert "1 <= A <= B (4, or 4-6), received '6-4'" in answer.json()["errors"][0]["message"]


def test_a_plus_in_a_query_joins(live: Live, samples: Sequence[Sample]) -> None:
    image = samples[0].image
    for query in ("charset=lower+digits", "charset=lower%2Bdigits", "charset=lower%20digits"):
        answer = live.mine.post(f"/v1/solve?{query}", content=image, headers=PNG)
        assert answer.status_code == 200, answer.text
        assert answer.json()["text"] == load_solver("sliding", charset="lower+digits").solve(image).text


def test_what_looks_like_a_charset_s_name_gets_a_hint(live: Live) -> None:
    answer = live.mine.post("/v1/solve", json={"image": "QUJD", "charset": "lowr+digits"})
    assert answer.status_code == 422
    assert "did you mean lower+digits?" in answer.json()["errors"][0]["message"]


def test_a_bad_image_is_an_answer_and_not_an_error(live: Live) -> None:
    answer = live.mine.post("/v1/solve", content=b"not an image", headers=PNG)
    body = answer.json()
    assert (answer.status_code, body["status"], body["text"], body["characters"]) == (200, "failed", None, [])
    assert body["error"]["code"] == "unreadable"


def test_an_answer_not_waited_for_is_fetched_as_a_job(live: Live, samples: Sequence[Sample]) -> None:
    answer = live.mine.post("/v1/solve", content=samples[0].image, headers={**PNG, "Prefer": "wait=0"})
    assert answer.status_code == 202
    job = live.finished(answer.json()["id"])
    assert answer.headers["Location"] == job["links"]["self"]
    assert answer.headers["Retry-After"] == "1"
    assert job["status"] == "succeeded"
    (item,) = live.mine.get(job["links"]["results"]).json()["items"]
    assert item["text"] == samples[0].text


def test_an_answer_not_waited_for_is_kept_ten_minutes_and_a_job_s_a_day(light: Light) -> None:
    def kept_s(job: dict[str, Any]) -> float:
        began, ends = (datetime.fromisoformat(job[name]) for name in ("created_at", "expires_at"))
        return (ends - began).total_seconds()

    served = light()
    waited = served.mine.post("/v1/solve", content=b"x", headers={**PNG, "Prefer": "wait=0"}).json()
    assert kept_s(waited) == pytest.approx(600, abs=0.01)  # as docs/service.md says
    assert kept_s(served.submit()) == pytest.approx(86_400, abs=0.01)


def test_what_was_waited_for_leaves_no_job(live: Live, samples: Sequence[Sample]) -> None:
    before = live.mine.get("/v1/jobs").json()["items"][:1]
    answer = live.mine.post("/v1/solve", content=samples[0].image, headers={**PNG, "Prefer": "wait=20"})
    assert (answer.status_code, answer.headers["Preference-Applied"]) == (200, "wait=20")
    assert live.mine.get("/v1/jobs").json()["items"][:1] == before


def test_nobody_answering_it_becomes_a_job_when_the_time_is_up(light: Light) -> None:
    served = light()
    answer = served.mine.post("/v1/solve", content=b"x", headers={**PNG, "Prefer": "wait=1"})
    assert (answer.status_code, answer.json()["status"]) == (202, "queued")
    until(lambda: served.mine.get(answer.headers["Location"]).status_code == 200)


def test_a_worker_that_does_not_come_costs_time_and_not_the_answer(
    light: Light, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane, "PATIENCE_S", 0.2)
    served = light()
    redis, waiting = served.service.redis, served.service.store
    redis.zadd(keys.WORKERS, {"one that was killed": time.time() + 60})
    answer = served.mine.post("/v1/solve", content=b"x", headers={**PNG, "Prefer": "wait=1"})
    assert (answer.status_code, answer.json()["status"]) == (202, "queued")
    names = [each.decode() for each in redis.lrange(waiting.queue.rq.key, 0, -1)]
    assert [name.split("-")[0] for name in names] == ["lane", answer.json()["id"]]  # called, then queued
    assert redis.keys(f"{keys.LANE}*") in ([], [keys.LANE_CALLED.encode()])  # the image was taken back


def test_many_at_once_each_get_their_own_answer(
    live: Live, samples: Sequence[Sample], expected: Sequence[Solution]
) -> None:
    def ask(number: int) -> bool:
        place = number % len(samples)
        answer = live.mine.post("/v1/solve", content=samples[place].image, headers=PNG)
        return told(answer)[0] == expected[place].text

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(ask, range(200)))


def test_a_worker_killed_while_it_serves_costs_no_answer(
    live: Live, samples: Sequence[Sample], expected: Sequence[Solution]
) -> None:
    assert live.running.redis is not None
    redis = connect(live.running.redis.url)

    def ask(number: int) -> tuple[int, str]:
        place = number % len(samples)
        prefer = {**PNG, "Prefer": "wait=60"}
        answer = live.mine.post("/v1/solve", content=samples[place].image, headers=prefer)
        return answer.status_code, answer.json()["text"]

    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(ask, number) for number in range(400)]
        until(lambda: sum(each.done() for each in asked) > 100)
        (worker,) = ready(redis).values()
        os.kill(worker, signal.SIGKILL)
        answers = [each.result() for each in asked]
    assert answers == [(200, expected[number % len(samples)].text) for number in range(400)]
    until(lambda: set(ready(redis).values()) - {worker} != set())
    redis.close()


def test_single_images_do_not_wait_for_the_end_of_a_large_job(live: Live, samples: Sequence[Sample]) -> None:
    images = [{"image": base64.b64encode(each.image).decode()} for each in samples] * 200
    job = live.mine.post("/v1/jobs", json={"images": images}).json()
    answer = live.mine.post("/v1/solve", content=samples[0].image, headers=PNG)
    state = live.mine.get(job["links"]["self"]).json()
    assert (answer.status_code, answer.json()["text"]) == (200, samples[0].text)
    assert state["counts"]["done"] < len(images)
    assert live.finished(job["id"])["status"] == "succeeded"


@pytest.mark.parametrize(
    ("prefer", "wait_s"),
    [
        (None, USUAL_WAIT_S),
        ("", USUAL_WAIT_S),
        ("wait=0", 0.0),
        ("wait=7", 7.0),
        ("respond-async, wait=7", 7.0),
        ("respond-async;x=1,  wait = 7 ; y", 7.0),
        ("wait=9999", LONGEST_WAIT_S),
        ("wait=99999", USUAL_WAIT_S),
        ("wait=-1", USUAL_WAIT_S),
        ("await=3", USUAL_WAIT_S),
        ("wait=x", USUAL_WAIT_S),
    ],
)
def test_what_prefer_means(prefer: str | None, wait_s: float) -> None:
    assert _wait(prefer) == wait_s


@pytest.mark.parametrize(
    ("more", "status", "code"),
    [
        ({"files": [("file", b"1"), ("file", b"2")]}, 422, "invalid_request"),
        ({"files": [("other", b"1")]}, 422, "invalid_request"),
        ({"data": {"file": "text"}, "files": [("file", b"1")]}, 422, "invalid_request"),
        ({"json": {"image": "QUJD", "labels": {}}}, 422, "invalid_request"),
        ({"json": {"image": "QUJD", "fold_case": "true"}}, 422, "invalid_request"),
        ({"json": {"image": "QUJD"}, "params": {"fold_case": "1"}}, 422, "invalid_request"),
        ({"json": {"image": "QUJD"}, "params": [("length", "4"), ("length", "5")]}, 422, "invalid_request"),
        ({"json": {"image": "QUJD"}, "params": {"webhook": "https://x"}}, 422, "invalid_request"),
        ({"json": {"image": "QUJD", "charset": "a b"}}, 422, "invalid_request"),
        ({"json": {"image": "QUJD", "views": "8"}}, 422, "invalid_request"),
        ({"json": {"image": "QUJD"}, "params": {"views": "many"}}, 422, "invalid_request"),
        ({"data": {"views": "0"}, "files": [("file", b"1")]}, 422, "invalid_request"),
    ],
)
def test_what_is_refused(light: Light, more: dict[str, Any], status: int, code: str) -> None:
    served = light()
    check(served.mine.post("/v1/solve", **more), status, code)
    assert served.service.store.stored() == 0
