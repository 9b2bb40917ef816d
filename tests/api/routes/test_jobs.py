"""``/v1/jobs``: made in each way, made once, listed, watched, cancelled, removed; options and labels checked."""

import base64
import io
import threading
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import httpx
import pytest

from captcha_solver.statistics import wilson
from captcha_solver.types import Sample
from tests.api.conftest import Light
from tests.api.services import Live, Served, answered, until
from tests.api.test_problems import check
from workers import keys

pytestmark = pytest.mark.redis

IMAGE = {"image": "QUJD"}
ZIP = {"Content-Type": "application/zip"}
OCTETS = {"Content-Type": "application/octet-stream"}


def zipped(files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def read(live: Live, answer: httpx.Response) -> dict[str, str | None]:
    """Name -> text of a job that was accepted."""
    assert answer.status_code == 202, answer.text
    job = live.finished(answer.json()["id"])
    assert job["status"] == "succeeded", job
    assert answer.headers["Location"] == f"/v1/jobs/{job['id']}" == job["links"]["self"]
    assert int(answer.headers["Retry-After"]) >= 1
    items = live.mine.get(job["links"]["results"]).json()["items"]
    assert [item["index"] for item in items] == list(range(job["counts"]["total"]))
    return {item["id"]: item["text"] for item in items}


def test_the_same_images_however_they_come(live: Live, samples: Sequence[Sample]) -> None:
    some = {f"{sample.id}.png": sample.image for sample in samples[:4]}
    expected = {f"{sample.id}.png": sample.text for sample in samples[:4]}
    as_json = [{"id": name, "image": base64.b64encode(image).decode()} for name, image in some.items()]
    forms = [("files[]", (name, image, "image/png")) for name, image in some.items()]
    mine = live.mine
    assert read(live, mine.post("/v1/jobs", files=forms)) == expected
    assert read(live, mine.post("/v1/jobs", json={"images": as_json})) == expected
    assert read(live, mine.post("/v1/jobs", content=zipped(some), headers=ZIP)) == expected
    assert read(live, mine.post("/v1/jobs", files={"files[]": ("all.zip", zipped(some))})) == expected
    stored = zipped(some, zipfile.ZIP_STORED)
    also = {"Content-Type": "application/x-zip-compressed"}
    assert read(live, mine.post("/v1/jobs", content=stored, headers=also)) == expected
    assert read(live, mine.post("/v1/jobs", content=stored, headers=OCTETS)) == expected
    one = mine.post("/v1/jobs", content=samples[0].image, headers=OCTETS)
    assert read(live, one) == {"image": samples[0].text}


def test_a_zip_with_folders_and_labels_is_scored(live: Live, samples: Sequence[Sample]) -> None:
    one, two, three = samples[:3]
    labels = f"filename,label\r\na/{one.id}.png,{one.text}\r\na/b/two.png,{two.text.swapcase()}\r\nabsent.png,x\r\n"
    files = {
        "a/": b"",
        f"a/{one.id}.png": one.image,
        "a/b/two.png": two.image,
        "three.png": three.image,
        "labels.csv": b"\xef\xbb\xbf" + labels.encode(),
        "__MACOSX/a/._one.png": b"left by a desktop",
        "a/.DS_Store": b"left by another",
    }
    answer = live.mine.post("/v1/jobs", content=zipped(files), headers=ZIP)
    assert set(read(live, answer)) == {f"a/{one.id}.png", "a/b/two.png", "three.png"}
    job = live.mine.get(answer.headers["Location"]).json()
    score = job["score"]
    assert (score["n"], score["correct"], score["accuracy"]) == (3, 1, 1 / 3)  # the row that names no image among them
    assert score["ci95"] == pytest.approx(wilson(1, 3))
    assert wilson(1, 3) == pytest.approx((0.0615, 0.7923), abs=1e-3)  # Wilson's interval, worked out by hand
    assert job["labels"] == {
        "rows": 3, "used": 2, "unmatched_rows": 1, "unmatched": ["absent.png"], "unlabelled": 1, "problems": [],
    }  # fmt: skip
    items = live.mine.get(f"{answer.headers['Location']}/results").json()["items"]
    assert [(item.get("expected"), item.get("correct")) for item in items] == [
        (one.text, True),
        (two.text.swapcase(), False),
        (None, None),
    ]
    folded = live.mine.post("/v1/jobs?fold_case=true", content=zipped(files), headers=ZIP)
    read(live, folded)
    assert live.mine.get(folded.headers["Location"]).json()["score"]["correct"] == 2


def test_labels_of_a_form_and_of_json_count_too(light: Light) -> None:
    served = light()
    made = [
        served.submit(2, labels={"0.png": "ab", "1.png": "cd"}),
        served.mine.post(
            "/v1/jobs",
            files=[("files[]", ("0.png", b"x")), ("files[]", ("1.png", b"y"))],
            data={"labels": '{"0.png": "ab", "1.png": "cd"}', "metadata": '{"run": "7"}'},
        ).json(),
        served.mine.post(
            "/v1/jobs", json={"images": [{**IMAGE, "id": f"{i}.png", "label": t} for i, t in enumerate(("ab", "cd"))]}
        ).json(),
    ]
    for job in made:
        assert job["score"] is None  # nothing is read yet
        served.answer(job["id"], [answered(0, "ab", expected="ab"), answered(1, "xx", expected="cd")])
        found = served.mine.get(f"/v1/jobs/{job['id']}").json()
        assert (found["score"]["n"], found["score"]["correct"]) == (2, 1)
    assert served.mine.get(f"/v1/jobs/{made[1]['id']}").json()["metadata"] == {"run": "7"}


def test_labels_that_name_nothing_are_counted_and_named(light: Light) -> None:
    served = light()
    labels = {"./0.png": "ab", "gone.png": "x", "also gone.png": "y"}
    job = served.submit(2, labels=labels)
    expected = {"rows": 3, "used": 1, "unlabelled": 1, "problems": []}
    expected |= {"unmatched_rows": 2, "unmatched": ["gone.png", "also gone.png"]}
    assert job["labels"] == expected
    served.answer(job["id"], [answered(0, "ab", expected="ab"), answered(1, "xx")])
    found = served.mine.get(f"/v1/jobs/{job['id']}").json()
    assert found["labels"] == expected
    assert (found["score"]["n"], found["score"]["correct"]) == (3, 1)
    assert served.submit(2)["labels"] is None


def test_one_key_makes_one_job(light: Light) -> None:
    served = light()
    headers = {"Idempotency-Key": "the-first"}
    body = {"images": [IMAGE]}
    first, again = (served.mine.post("/v1/jobs", json=body, headers=headers) for _ in range(2))
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json()["id"] == again.json()["id"]
    other = served.mine.post("/v1/jobs", json={"images": [{"image": "QUJE"}]}, headers=headers)
    check(other, 409, "idempotency_key_reused")
    options = served.mine.post("/v1/jobs", json={**body, "length": "4"}, headers=headers)
    check(options, 409, "idempotency_key_reused")
    assert served.mine.post("/v1/jobs", json=body, headers={"Idempotency-Key": "x"}).json()["id"] != first.json()["id"]
    assert served.others.post("/v1/jobs", json=body, headers=headers).json()["id"] != first.json()["id"]
    check(served.mine.post("/v1/jobs", json=body, headers={"Idempotency-Key": "a b"}), 422, "invalid_request")
    assert len(served.mine.get("/v1/jobs").json()["items"]) == 2
    assert served.service.store.stored() == 3


def test_one_key_makes_one_job_also_when_asked_at_once(light: Light) -> None:
    served = light(max_uploads=16)
    ids: list[str] = []

    def ask() -> None:
        answer = served.mine.post("/v1/jobs", json={"images": [IMAGE] * 40}, headers={"Idempotency-Key": "same"})
        ids.append(answer.json()["id"])

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 8
    assert len(set(ids)) == 1
    assert len(served.mine.get("/v1/jobs").json()["items"]) == 1
    assert served.service.store.stored() == 40  # what the others had stored was given back
    assert len(served.service.store.queue) == 3  # chunks of 16


def test_jobs_are_listed_newest_first_in_pages(light: Light) -> None:
    served = light()
    made = [served.submit()["id"] for _ in range(5)]
    served.others.post("/v1/jobs", json={"images": [IMAGE]})
    seen: list[list[str]] = []
    cursor: str | None = None
    while cursor is not None or not seen:
        page = served.mine.get("/v1/jobs", params={"limit": 2, **({"cursor": cursor} if cursor else {})}).json()
        seen.append([job["id"] for job in page["items"]])
        cursor = page["next_cursor"]
    assert sorted(made, reverse=True) == [each for page in seen for each in page]
    assert [len(page) for page in seen] == [2, 2, 1]


def test_a_job_that_has_not_changed_is_not_sent_again(light: Light) -> None:
    served = light()
    path = f"/v1/jobs/{served.submit(2)['id']}"
    first = served.mine.get(path)
    tag = first.headers["ETag"]
    assert first.headers["Retry-After"] == "1"
    for given in (tag, f'"other", {tag}', f"W/{tag}", "*"):
        same = served.mine.get(path, headers={"If-None-Match": given})
        assert (same.status_code, same.content, same.headers["ETag"]) == (304, b"", tag), given
    served.answer(path.rsplit("/", 1)[1], [answered(0, "a")])
    changed = served.mine.get(path, headers={"If-None-Match": tag})
    assert (changed.status_code, changed.json()["counts"]["done"]) == (200, 1)
    assert changed.headers["ETag"] != tag


def test_wait_answers_as_soon_as_the_job_is_finished(light: Light) -> None:
    served = light()
    job = served.submit()["id"]
    assert served.mine.get(f"/v1/jobs/{job}", params={"wait": 0.05}).json()["status"] == "queued"
    answers: list[httpx.Response] = []
    asking = threading.Thread(target=lambda: answers.append(served.mine.get(f"/v1/jobs/{job}?wait=60")))
    asking.start()
    until(lambda: served.service.redis.info("clients")["blocked_clients"] == 1)
    served.answer(job, [answered(0, "a")])
    asking.join(30)
    assert answers[0].json()["status"] == "succeeded"
    assert "Retry-After" not in answers[0].headers


def states(served: Served, job: str) -> tuple[str, int, int]:
    found = served.mine.get(f"/v1/jobs/{job}").json()
    return found["status"], found["counts"]["done"], served.service.store.stored()


def test_cancel_keeps_the_answers_and_drops_the_rest(light: Light) -> None:
    served = light()
    job = served.submit(20)["id"]
    served.answer(job, [answered(0, "a")])
    assert states(served, job) == ("running", 1, 19)
    cancelled = served.mine.post(f"/v1/jobs/{job}/cancel")
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    assert served.mine.post(f"/v1/jobs/{job}/cancel").status_code == 200  # again: it is
    assert states(served, job) == ("cancelled", 1, 0)
    assert [item["text"] for item in served.mine.get(f"/v1/jobs/{job}/results").json()["items"]] == ["a"]


def test_a_finished_job_cannot_be_cancelled(light: Light) -> None:
    served = light()
    job = served.submit()["id"]
    served.answer(job, [answered(0, "a")])
    check(served.mine.post(f"/v1/jobs/{job}/cancel"), 409, "already_finished")
    assert states(served, job) == ("succeeded", 1, 0)


def test_a_removed_job_leaves_nothing(light: Light) -> None:
    served = light()
    jobs = [served.submit(20)["id"] for _ in range(2)]
    served.answer(jobs[1], [answered(0, "a")])
    for job in jobs:
        assert (served.mine.delete(f"/v1/jobs/{job}").status_code) == 204
        check(served.mine.get(f"/v1/jobs/{job}"), 404, "job_not_found")
        check(served.mine.delete(f"/v1/jobs/{job}"), 404, "job_not_found")
        assert not served.service.redis.keys(f"cs:*{job}*")
    assert served.mine.get("/v1/jobs").json()["items"] == []
    assert served.service.store.stored() == 0


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"model": "none"}, "unknown_model"),
    ({"model": 1}, "invalid_request"),
    ({"charset": ""}, "invalid_request"),
    ({"charset": "a b"}, "invalid_request"),
    ({"charset": "é"}, "invalid_request"),
    ({"charset": "a" * 4097}, "invalid_request"),
    ({"charset": "z-a"}, "invalid_request"),
    ({"charset": "digit"}, "invalid_request"),
    ({"charset": "+"}, "invalid_request"),
    ({"length": "0"}, "invalid_request"),
    ({"length": "6-4"}, "invalid_request"),
    ({"length": "4-"}, "invalid_request"),
    ({"length": 4}, "invalid_request"),
    ({"length": "4\n"}, "invalid_request"),
    ({"views": "0"}, "invalid_request"),
    ({"views": "8"}, "invalid_request"),
    ({"views": "many"}, "invalid_request"),
    ({"views": ""}, "invalid_request"),
    ({"views": 7}, "invalid_request"),
    ({"views": None}, "invalid_request"),
    ({"views": "7\n"}, "invalid_request"),
    ({"fold_case": 1}, "invalid_request"),
    ({"labels": []}, "invalid_request"),
    ({"labels": {"a": ""}}, "invalid_request"),
    ({"labels": {"": "a"}}, "invalid_request"),
    ({"labels": {"a": "b" * 101}}, "invalid_request"),
    ({"labels": {"a": 1}}, "invalid_request"),
    ({"metadata": {"a b": "c"}}, "invalid_request"),
    ({"metadata": {"a": 1}}, "invalid_request"),
    ({"metadata": {"a": "b" * 513}}, "invalid_request"),
    ({"metadata": {str(n): "" for n in range(17)}}, "invalid_request"),
    ({"webhook": "https://example.org/"}, "invalid_request"),
    ({"images": [{"image": None}]}, "invalid_request"),
    ({"images": [{"image": 1}]}, "invalid_request"),
    ({"images": [{}]}, "invalid_request"),
    ({"images": [{"image": "QUJD", "label": ""}]}, "invalid_request"),
    ({"images": [{"image": "QUJD", "id": "x" * 256}]}, "invalid_request"),
]


def test_wrong_options_are_refused_before_anything_is_stored(light: Light) -> None:
    served = light()
    for options, code in WRONG:
        check(served.mine.post("/v1/jobs", json={"images": [IMAGE], **options}), 422, code)
    for field, value in (
        ("labels", "{"),
        ("labels", "[" * 100_000),
        ("metadata", "[1]"),
        ("length", ""),
        ("views", "8"),
    ):
        answer = served.mine.post("/v1/jobs", files={"files[]": b"x"}, data={field: value})
        check(answer, 422, "invalid_request")
    assert not [key for key in served.service.redis.keys("cs:*") if key != keys.STATISTICS.encode()]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 422, "invalid_request"),
        (b"PK\x05\x06" + bytes(18), 422, "invalid_request"),  # an empty zip
        (b"PK damaged", 422, "archive_damaged"),
        (b"x" * 2001, 413, "file_too_large"),
    ],
)
def test_octets_that_are_neither_a_zip_nor_an_image(light: Light, body: bytes, status: int, code: str) -> None:
    check(light(max_file=2000).mine.post("/v1/jobs", content=body, headers=OCTETS), status, code)


def test_an_image_without_a_file_name_is_told_as_such(light: Light) -> None:
    answer = light().mine.post("/v1/jobs", files=[("files[]", (None, b"\x89PNG"))])
    assert "give its part a file name" in check(answer, 422, "invalid_request")["detail"]


def test_python_s_true_in_a_form_is_true(light: Light) -> None:
    served = light()
    for value, status in (("True", 202), ("false", 202), ("yes", 422)):
        answer = served.mine.post("/v1/jobs", files={"files[]": b"x"}, data={"fold_case": value})
        assert answer.status_code == status, value


def test_options_and_metadata_are_told_back(light: Light) -> None:
    served = light()
    told = served.submit(charset="digits", length="4-6", model="segmented", metadata={"run.1": "é\n", "b": ""})
    assert (told["charset"], told["length"], told["model"]["name"]) == ("digits", "4-6", "segmented")
    assert told["metadata"] == {"run.1": "é\n", "b": ""}
    assert (told["status"], told["counts"]) == ("queued", {"total": 1, "done": 0, "failed": 0})
    assert told["started_at"] is told["finished_at"] is None
    assert served.submit()["views"] == "auto"
    assert [served.submit(views=asked)["views"] for asked in ("1", "7", "auto")] == ["1", "7", "auto"]
    in_query = served.mine.post("/v1/jobs?length=3&model=segmented", json={"images": [IMAGE], "length": "4"}).json()
    assert (in_query["length"], in_query["model"]["name"]) == ("4", "segmented")  # the body has the last word
    in_form = served.mine.post("/v1/jobs?views=3", files={"files[]": b"x"}).json()
    over = served.mine.post("/v1/jobs?views=3", files={"files[]": b"x"}, data={"views": "2"}).json()
    assert (in_form["views"], over["views"]) == ("3", "2")
