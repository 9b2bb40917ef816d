"""``/v1/jobs/{id}/results``: pages, formats, what Accept chooses, answers so far, and answers that have run out."""

import csv
import io
import json
import time
from dataclasses import replace

import pytest

from api.problems import Problem
from api.routes.results import CSV, JSON, NDJSON, chosen
from tests.api.conftest import Light
from tests.api.services import Served, answered
from tests.api.test_problems import check
from workers import keys
from workers.jobs.record import Answer, refusal
from workers.jobs.recovery import sweep

FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "=cmd|'/c calc'!A1"]


def half_done(served: Served) -> str:
    """A job of 5 images of which 0, 1 and 3 are answered, 3 not read."""
    job: str = served.submit(5)["id"]
    broken: Answer = refusal(3, "3.png", None, code="unreadable", detail="expected an image, received none")
    served.answer(job, [answered(0, "ab"), answered(1, "cd"), broken])
    return f"/v1/jobs/{job}/results"


@pytest.mark.redis
def test_answers_so_far_in_pages(light: Light) -> None:
    served = light()
    path = half_done(served)
    assert served.mine.get(path.removesuffix("/results")).json()["status"] == "running"
    pages, link = [], f"{path}?limit=2"
    while link:
        answer = served.mine.get(link)
        pages.append([item["index"] for item in answer.json()["items"]])
        cursor = answer.json()["next_cursor"]
        link = answer.links["next"]["url"] if "next" in answer.links else ""
        assert link == (f"{path}?cursor={cursor}&limit=2" if cursor else "")
    assert pages == [[0, 1], [3], []]
    whole = served.mine.get(path).json()
    assert whole["next_cursor"] is None
    assert [item["text"] for item in whole["items"]] == ["ab", "cd", None]
    assert whole["items"][2]["error"] == {"code": "unreadable", "detail": "expected an image, received none"}
    assert whole["items"][2]["status"] == "failed"
    assert served.mine.get(f"{path}?cursor=99").json() == {"items": [], "next_cursor": None}


@pytest.mark.redis
def test_the_same_as_ndjson_and_csv(light: Light) -> None:
    served = light()
    path = half_done(served)
    items = served.mine.get(path).json()["items"]
    lines = served.mine.get(path, headers={"Accept": NDJSON})
    assert lines.headers["Content-Type"] == NDJSON
    assert [json.loads(line) for line in lines.text.splitlines()] == items
    sheet = served.mine.get(path, headers={"Accept": CSV})
    assert sheet.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert sheet.text == (
        "index,id,status,text,confidence,elapsed_ms,views,frames,error,expected,correct\r\n"
        "0,0.png,solved,ab,0.5,1.5,1,1,,,\r\n"
        "1,1.png,solved,cd,0.5,1.5,1,1,,,\r\n"
        '3,3.png,failed,,,0.0,0,1,"expected an image, received none",,\r\n'
    )
    part = served.mine.get(f"{path}?cursor=1&limit=2", headers={"Accept": NDJSON})
    assert [json.loads(line)["index"] for line in part.text.splitlines()] == [1]


@pytest.mark.redis
def test_an_answer_that_was_given_before_there_were_views_is_of_one(light: Light) -> None:
    served = light()
    job = served.submit()
    new = answered(0, "ab")
    item = json.loads(new.body)
    del item["views"], item["frames"]
    served.answer(job["id"], [replace(new, body=json.dumps(item))])
    sheet = served.mine.get(job["links"]["results"], headers={"Accept": CSV}).text
    assert sheet.splitlines()[1] == "0,0.png,solved,ab,0.5,1.5,1,1,,,"


@pytest.mark.redis
def test_all_of_a_long_job_comes_at_once_as_lines_but_in_pages_as_json(light: Light) -> None:
    served = light()
    count = 2500  # more than twice the most that is read from Redis at once
    job = served.submit(count)
    size = 157  # ceil(2,500 / 16) images a chunk
    for chunk, start in enumerate(range(0, count, size)):
        some = [answered(index, f"t{index}") for index in range(start, min(start + size, count))]
        served.answer(job["id"], some, chunk=chunk)
    path = job["links"]["results"]
    assert len(served.mine.get(path).json()["items"]) == 100
    lines = served.mine.get(path, headers={"Accept": NDJSON}).text.splitlines()
    assert [json.loads(line)["text"] for line in lines] == [f"t{index}" for index in range(count)]
    rows = list(csv.reader(io.StringIO(served.mine.get(path, headers={"Accept": CSV}).text)))
    assert [row[0] for row in rows] == ["index", *map(str, range(count))]
    assert served.mine.get(path.removesuffix("/results")).json()["status"] == "succeeded"


@pytest.mark.redis
def test_no_cell_is_a_formula(light: Light) -> None:
    served = light()
    images = [{"id": name, "image": "QUJD", "label": name} for name in FORMULAS]
    job = served.mine.post("/v1/jobs", json={"images": images}).json()
    answers = [answered(i, text, name=text, expected=text) for i, text in enumerate(FORMULAS)]
    served.answer(job["id"], answers)
    text = served.mine.get(job["links"]["results"], headers={"Accept": CSV}).text
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    for row, formula in zip(rows, FORMULAS, strict=True):
        assert row["id"] == row["text"] == row["expected"] == f"'{formula}"


@pytest.mark.redis
def test_answers_that_have_run_out_are_gone(light: Light) -> None:
    served = light()
    path = half_done(served)
    job = path.split("/")[3]
    served.service.redis.zadd(keys.EXPIRY, {job: time.time() - 1})
    sweep(served.service.redis, served.service.store.queue)
    check(served.mine.get(path), 410, "job_expired")
    assert served.mine.get(f"/v1/jobs/{job}").json()["status"] == "expired"
    events = served.mine.get(f"/v1/jobs/{job}/events").text
    assert events.count("event: finished") == 1


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        ("text/*", CSV),
        ("text/csv", CSV),
        ("TEXT/CSV;charset=utf-8", CSV),
        ("application/x-ndjson", NDJSON),
        ("text/html, application/x-ndjson;q=0.5", NDJSON),
        ("text/csv;q=0.5, application/json;q=0.4", CSV),
        ("text/csv;q=0.4, application/json;q=0.5", JSON),
        ("application/*;q=0.2, application/json;q=0.1", NDJSON),  # the exact range is the one that counts
        ("*/*;q=0.5, application/json;q=0", NDJSON),
        ("*/*, application/json;q=0, application/x-ndjson;q=0", CSV),
        ("text/csv, */*;q=0.1", CSV),
        ("text/csv;q=1.000 , application/json", JSON),  # alike: the first of ours
        ("image/png", None),
        ("*/*;q=0", None),
        ("text/csv;q=0.0", None),
        ("text/csv;q=x", None),
        ("application/jsonx", None),
        (",;,", None),
    ],
)
def test_what_accept_chooses(accept: str, media: str | None) -> None:
    if media is None:
        with pytest.raises(Problem) as caught:
            chosen(accept)
        assert caught.value.status == 406
        return
    assert chosen(accept) == media


@pytest.mark.redis
def test_accept_over_http(light: Light) -> None:
    served = light()
    path = half_done(served)
    check(served.mine.get(path, headers={"Accept": "image/png"}), 406, "not_acceptable")
    both = [("Accept", "image/png"), ("Accept", "text/csv")]
    assert served.mine.get(path, headers=both).headers["Content-Type"].startswith(CSV)
