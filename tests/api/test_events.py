"""``/v1/jobs/{id}/events``: server-sent events in order, from where they were left, to the end; nobody left waiting."""

import itertools
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from api.auth import KeyRing
from api.waiting import heard_last
from captcha_solver.types import Sample
from tests.api.conftest import Light
from tests.api.services import MINE, Live, Served, answered, until
from workers import keys
from workers.jobs.store import end

ENTRY = re.compile(r"(\d+)-(\d+)")


@dataclass(frozen=True, slots=True)
class Event:
    """One event as it was sent."""

    id: tuple[int, int]
    name: str
    job: dict[str, Any]


def events(answer: httpx.Response) -> Iterator[Event]:
    """The events of a stream, as they come; comments are left out."""
    lines: list[str] = []
    for line in answer.iter_lines():
        if line:
            lines.append(line)
            continue
        fields = dict(each.split(": ", 1) for each in lines if not each.startswith(":"))
        lines = []
        if fields:
            match = ENTRY.fullmatch(fields["id"])
            assert match is not None
            yield Event((int(match[1]), int(match[2])), fields["event"], json.loads(fields["data"]))


def blocked(served: Served) -> int:
    return int(served.service.redis.info("clients")["blocked_clients"])


@pytest.mark.redis
def test_progress_comes_in_order_and_ends_with_finished(live: Live, samples: Sequence[Sample]) -> None:
    forms = [("files[]", (f"{n}.png", samples[n % 6].image)) for n in range(100)]
    job = live.mine.post("/v1/jobs", files=forms).json()
    with live.mine.stream("GET", job["links"]["events"]) as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        assert answer.headers["Cache-Control"] == "no-store"
        heard = list(events(answer))  # ends by itself: the stream does
    assert [event.name for event in heard] == ["progress"] * (len(heard) - 1) + ["finished"]
    assert all(one.id <= two.id for one, two in itertools.pairwise(heard))
    done = [event.job["counts"]["done"] for event in heard]
    assert done == sorted(done)
    assert (done[-1], heard[-1].job["status"]) == (100, "succeeded")
    assert heard[-1].job == live.mine.get(job["links"]["self"]).json()


@pytest.mark.redis
def test_a_watcher_hears_each_step_and_goes_on_from_the_last(light: Light) -> None:
    served = light()
    job = served.submit(3)
    with served.mine.stream("GET", job["links"]["events"]) as answer:
        heard = events(answer)
        assert next(heard).job["counts"]["done"] == 0  # the present state comes first
        served.answer(job["id"], [answered(0, "a")])
        second = next(heard)
        assert (second.name, second.job["status"], second.job["counts"]["done"]) == ("progress", "running", 1)
    served.answer(job["id"], [answered(1, "b")])
    last = "{}-{}".format(*second.id)
    with served.mine.stream("GET", job["links"]["events"], headers={"Last-Event-ID": last}) as answer:
        heard = events(answer)
        present = next(heard)
        assert present.job["counts"]["done"] == 2
        served.answer(job["id"], [answered(2, "c")])
        rest = list(heard)  # the last answer may be heard of before the end is
        assert {event.job["counts"]["done"] for event in rest} == {3}
        assert [event.name for event in rest] == ["progress"] * (len(rest) - 1) + ["finished"]
        assert rest[-1].id > second.id


@pytest.mark.redis
@pytest.mark.parametrize("last", ["", "0", "x", "0-0", "99999999999999999999-0", "18446744073709551615-0", "1-2-3"])
def test_a_finished_job_is_told_whatever_was_heard_last(light: Light, last: str) -> None:
    served = light()
    job = served.submit()
    served.answer(job["id"], [answered(0, "a")])
    with served.mine.stream("GET", job["links"]["events"], headers={"Last-Event-ID": last}) as answer:
        assert [event.name for event in events(answer)] == ["finished"]


@pytest.mark.parametrize(
    ("given", "after"),
    [
        ("12-3", "12-3"),
        ("18446744073709551615-18446744073709551615", "18446744073709551615-18446744073709551615"),
        ("18446744073709551616-0", "0-0"),  # Redis knows none so large, and would refuse it for ever
        ("$", "0-0"),
        ("", "0-0"),
        ("1-", "0-0"),
        ("٣-٤", "0-0"),
    ],
)
def test_what_redis_would_not_take_means_from_the_start(given: str, after: str) -> None:
    assert heard_last(given) == after


@pytest.mark.redis
def test_cancelled_and_removed_jobs_end_the_stream(light: Light, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.waiting.BLOCK_S", 0.2)  # a removed job is noticed when it is next looked for
    served = light()
    for way in ("cancel", "remove"):
        job = served.submit()
        with served.mine.stream("GET", job["links"]["events"]) as answer:
            heard = events(answer)
            next(heard)
            if way == "cancel":
                served.others.headers["Authorization"] = served.mine.headers["Authorization"]
                served.others.post(job["links"]["cancel"])
                assert [(event.name, event.job["status"]) for event in heard] == [("finished", "cancelled")]
            else:
                served.others.delete(job["links"]["self"])
                assert list(heard) == []


@pytest.mark.redis
def test_a_client_that_goes_away_is_not_waited_for(light: Light) -> None:
    served = light()
    job = served.submit()
    for _ in range(3):
        with served.mine.stream("GET", job["links"]["events"]) as answer:
            heard = events(answer)
            next(heard)
            until(lambda: blocked(served) == 1)
        until(lambda: blocked(served) == 0, within_s=8.0)  # sooner than the 10 s after which it would look again
    assert served.mine.get("/healthz").status_code == 200


@pytest.mark.redis
def test_it_is_not_finished_before_its_end_is_written(light: Light) -> None:
    served = light()
    job = served.submit()
    redis = served.service.redis
    with served.mine.stream("GET", job["links"]["events"]) as answer:
        heard = events(answer)
        next(heard)
        redis.hset(keys.counts(job["id"]), "done", 1)  # where a worker is between its last answer and the end
        redis.delete(keys.chunks(job["id"]))
        redis.xadd(keys.events(job["id"]), {"event": "progress"})
        between = next(heard)
        assert (between.name, between.job["counts"]["done"], between.job["finished_at"]) == ("progress", 1, None)
        found = served.service.store.find(KeyRing([MINE]).owner(MINE) or "", job["id"])
        assert found is not None
        assert end(redis, found[0])
        (last,) = heard
        assert last.name == "finished"
        assert last.job["finished_at"] is not None
