"""``/v1/audits``: what may be asked for, whose it is, how far it is, what comes of it; and ``audit --queue``."""

import io
import json
import threading
import time
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from api.requests.audits import drawable
from captcha_solver.audit.subjects.split import split
from captcha_solver.audit_settings import AuditSettings
from captcha_solver.cli.demo import drawn
from captcha_solver.cli.main import main
from captcha_solver.cli.queued_audit import images_needed
from captcha_solver.dataset import read_folder, write_folder
from captcha_solver.types import Sample
from tests.api.conftest import Light
from tests.api.routes.test_state import metrics
from tests.api.services import MINE, OTHERS, Served
from tests.api.test_problems import check
from tests.workers.some_audits import DESIGN, FILES, images, meanwhile, use_fakes
from workers import keys
from workers.audits.record import Audit, packed
from workers.audits.runner import PieceRunner, subject_of
from workers.audits.store import end

pytestmark = pytest.mark.redis

OCTETS = {"Content-Type": "application/octet-stream"}
TOML, ZIP = {"Content-Type": "application/toml"}, {"Content-Type": "application/zip"}
ABSENT = "/v1/audits/aud_" + "0" * 32
SMALL = {"budgets": "0,20", "tested": "30"}


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    return images()


@pytest.fixture
def ready(light: Light) -> Served:
    """The API with an audit worker that says it is ready, and does nothing."""
    served = light(max_audits=4)
    served.service.redis.zadd(keys.AUDIT_WORKERS, {"pretended": time.time() + 1000})
    return served


def zipped(samples: Sequence[Sample], labels: str | None = None, more: tuple[str, bytes] | None = None) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for sample in samples:
            archive.writestr(sample.id, sample.image)
        rows = "".join(f"{each.id},{each.text}\n" for each in samples)
        archive.writestr("labels.csv", "filename,label\n" + rows if labels is None else labels)
        if more:
            archive.writestr(*more)
    return buffer.getvalue()


def begun(served: Served, **asked: Any) -> dict[str, Any]:
    answer = served.mine.post("/v1/audits", json={"design": "plain", **asked})
    assert answer.status_code == 202, answer.text
    made: dict[str, Any] = answer.json()
    return made


def finished(served: Served, **how: str) -> str:
    """The path of an audit that has ended with a report."""
    path: str = begun(served)["links"]["self"]
    found = served.service.audits.find(owner(served), path.rsplit("/", 1)[1])
    assert found
    end(served.service.redis, found[0], how, {} if how else {name: packed(data) for name, data in FILES.items()})
    return path


def owner(served: Served, key: str = MINE) -> str:
    found = served.service.keys.owner(key)
    assert found
    return found


def test_a_stored_design_is_begun_and_shown(ready: Served) -> None:
    asked = {"design": "plain", "budgets": [20, 0, 20], "minutes": 1.5, "tested": 40.0, "seed": 7, "fold_case": False,
             "improve": True, "price_core_hour": 1, "price_label": 0.5, "price_attempt": 0.25}  # fmt: skip
    answer = ready.mine.post("/v1/audits", json=asked)
    assert answer.status_code == 202
    body = answer.json()
    assert answer.headers["Location"] == body["links"]["self"] == f"/v1/audits/{body['id']}"
    assert (body["name"], body["source"], body["status"], body["error"]) == ("plain", "design", "queued", None)
    assert body["cells"] == {"total": 0, "done": 0, "left_out": 0}
    prices = {"core_hour": 1.0, "label": 0.5, "attempt": 0.25}
    assert body["settings"] == {
        "budgets": [0, 20], "minutes": 1.5, "tested": 40, "seed": 7, "fold_case": False, "answer": None, "infer": False,
        "prices": prices,
        "improve": True,
    }  # fmt: skip
    again = ready.mine.get(answer.headers["Location"])
    assert (again.json(), again.headers["ETag"]) == (body, answer.headers["ETag"])
    assert (
        ready.mine.get(answer.headers["Location"], headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304
    )
    assert ready.mine.get("/v1/audits").json() == {"items": [body], "next_cursor": None}


def test_metrics_count_audits(ready: Served) -> None:
    def found() -> list[float]:
        names = ("unfinished_audits", "queued_audit_pieces", "ready_audit_workers")
        return [metrics(ready)[f"captcha_{name}"] for name in names]

    assert found() == [0, 0, 1]
    path = begun(ready)["links"]["self"]
    assert found() == [1, 1, 1]
    ready.mine.post(f"{path}/cancel")
    assert found()[0] == 0


def test_the_query_says_the_same_as_json(ready: Served, samples: list[Sample]) -> None:
    query = {"budgets": "20,0", "minutes": "1.5", "tested": "40", "seed": "7", "fold_case": "false", "improve": "true",
             "price_core_hour": "1", "price_label": "0.5", "price_attempt": "0.25", "name": "my shop"}  # fmt: skip
    body = ready.mine.post("/v1/audits", params=query, content=zipped(samples), headers=ZIP).json()
    assert (body["name"], body["source"], body["images"]) == ("my shop", "images", 60)
    assert body["settings"] == {
        "budgets": [0, 20], "minutes": 1.5, "tested": 40, "seed": 7, "fold_case": False, "answer": None, "infer": False,
        "prices": {"core_hour": 1.0, "label": 0.5, "attempt": 0.25}, "improve": True,
    }  # fmt: skip
    held = ready.service.redis.hgetall(keys.audit_subject(body["id"]))
    assert json.loads(held[b"names"]) == [[each.id, each.text] for each in samples]
    assert [held[str(index).encode()] for index in range(60)] == [each.image for each in samples]


@pytest.mark.parametrize(
    ("query", "json_body"),
    [
        ("", {}),
        ("", {"design": "none"}),
        ("", {"design": "/etc/passwd"}),
        ("", {"design": "external-wheezy"}),
        ("", {"design": "plain", "command": "ls"}),
        ("", {"design": "plain", "budgets": []}),
        ("", {"design": "plain", "budgets": [5]}),
        ("", {"design": "plain", "budgets": [True]}),
        ("", {"design": "plain", "budgets": [10_000]}),
        ("", {"design": "plain", "budgets": list(range(10, 23))}),
        ("", {"design": "plain", "minutes": 0}),
        ("", {"design": "plain", "minutes": 1441}),
        ("", {"design": "plain", "tested": 29}),
        ("", {"design": "plain", "tested": 2001}),
        ("", {"design": "plain", "tested": "40"}),
        ("", {"design": "plain", "tested": 40.5}),
        ("", {"design": "plain", "seed": -1}),
        ("", {"design": "plain", "seed": True}),
        ("", {"design": "plain", "fold_case": "no"}),
        ("", {"design": "plain", "price_label": -1}),
        ("?tested=x", {"design": "plain"}),
        ("?tested=40&tested=50", {"design": "plain"}),
        ("?budgets=0,,20", {"design": "plain"}),
        ("?minutes=NaN", {"design": "plain"}),
        ("?name=%1b", {"design": "plain"}),
        ("?design=plain", {"design": "plain"}),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(ready: Served, query: str, json_body: dict[str, Any]) -> None:
    answer = ready.mine.post(f"/v1/audits{query}", json=json_body)
    named = json_body.get("design") in {"none", "/etc/passwd", "external-wheezy"}
    check(answer, 422, "unknown_design" if named else "invalid_request")
    assert ready.service.redis.keys("cs:audit:*") == []


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("x = ", "not valid TOML"),
        ('[command]\nargv = ["ls"]', "received one that is a command"),
        ("[text]\nlength = 900", "length"),
        ('[fonts]\nfaces = ["../../etc/passwd"]', "no face"),
        ("[canvas]\nwidth_px = 1000\nheight_px = 1000", "pixels to draw"),
        ('[[distortion]]\nkind = "dots"\n' * 65, "expected at most 64 distortions, received 65"),
        ("a = " + "[" * 5000, "tables within tables"),
        ("\xff", "expected a design in UTF-8"),
    ],
)
def test_a_design_that_cannot_be_drawn_is_refused(ready: Served, toml: str, said: str) -> None:
    answer = ready.mine.post("/v1/audits", content=toml.encode("latin-1"), headers=TOML)
    assert said in check(answer, 422, "invalid_request")["detail"]


def test_a_design_of_ones_own_is_kept_as_it_came(ready: Served) -> None:
    body = ready.mine.post("/v1/audits", params=SMALL, content=DESIGN, headers=TOML).json()
    assert (body["name"], body["source"]) == ("tiny", "toml")
    assert ready.service.redis.hget(keys.audit_subject(body["id"]), "toml") == DESIGN.encode()
    check(ready.mine.post("/v1/audits", content=b"#" * 65_537, headers=TOML), 413, "too_large")
    check(ready.mine.post("/v1/audits", content=b"#" * 65_537, headers=OCTETS), 413, "too_large")
    check(ready.mine.post("/v1/audits", content=b"PK damaged", headers=OCTETS), 422, "archive_damaged")
    check(ready.mine.post("/v1/audits", content=b"\x89PNG", headers=OCTETS), 422, "invalid_request")
    check(
        ready.mine.post("/v1/audits", content=b"x", headers={"Content-Type": "text/plain"}),
        415,
        "unsupported_media_type",
    )


def test_zips_are_checked_as_everywhere(light: Light, samples: list[Sample]) -> None:
    served = light(max_audit=1_000_000, max_files=70)
    served.service.redis.zadd(keys.AUDIT_WORKERS, {"pretended": time.time() + 1000})
    table = [
        (b"PK\x03\x04 no zip", 422, "archive_damaged"),
        (zipped([*samples, Sample("../up.png", b"x", "a", "")]), 422, "archive_bad_name"),
        (zipped(samples, more=("inner.zip", b"x")), 422, "archive_nested"),
        (zipped(samples, labels="name,text\n"), 422, "archive_labels"),
        (zipped(samples, labels="filename,label\n"), 422, "too_few_images"),
        (zipped(samples[:29]), 422, "too_few_images"),
        (zipped(samples, more=("big.png", bytes(range(256)) * 4000)), 413, "too_large"),
        (zipped([Sample(f"{n}.png", b"x", "a", "") for n in range(72)]), 413, "too_many_files"),
    ]
    for body, status, code in table:
        check(served.mine.post("/v1/audits", content=body, headers=ZIP), status, code)
    assert served.service.redis.keys("cs:audit:*") == []
    unlabelled = zipped(samples[:40], "filename,label\n" + "".join(f"{each.id},{each.text}\n" for each in samples[5:]))
    assert served.mine.post("/v1/audits", content=unlabelled, headers=ZIP).json()["images"] == 35


def test_what_of_an_archive_is_not_used_is_told_and_becomes_a_caveat(ready: Served, samples: list[Sample]) -> None:
    rows = "".join(f"set/{each.id},{each.text}\n" for each in samples[5:]) + "gone.png,x\n"
    body = zipped([replace(each, id=f"set/{each.id}") for each in samples], f"filename,label\n{rows}")
    told = ["1 row of labels.csv names no image: 'gone.png'", "5 images without a label in labels.csv"]
    audit = ready.mine.post("/v1/audits", content=body, headers=ZIP).json()
    assert (audit["images"], audit["notes"]) == (55, told)
    record = Audit.from_redis(ready.service.redis.hgetall(keys.audit(audit["id"])))
    subject = subject_of(ready.service.redis, record)
    assert subject.notes == tuple(told)
    assert split(subject, labels=20, tested=30, seed=0).flags[-2:] == tuple(told)


def test_without_an_audit_worker_none_is_taken(light: Light) -> None:
    served = light()
    served.service.redis.zadd(keys.AUDIT_WORKERS, {"dead": time.time() - 1})
    answer = served.mine.post("/v1/audits", json={"design": "plain"})
    check(answer, 503, "audits_not_served")
    assert int(answer.headers["Retry-After"]) >= 1
    assert served.mine.get("/v1/audits").json()["items"] == []


def test_anothers_audit_is_not_there(ready: Served) -> None:
    path = finished(ready)
    for method, rest in [
        ("GET", ""), ("GET", "/report"), ("GET", "/trials"), ("GET", "/badge.svg"), ("GET", "/files"),
        ("GET", "/events"), ("POST", "/cancel"), ("DELETE", ""),
    ]:  # fmt: skip
        check(ready.others.request(method, path + rest), 404, "audit_not_found")
        check(ready.mine.request(method, ABSENT + rest), 404, "audit_not_found")
    assert ready.others.get("/v1/audits").json()["items"] == []
    assert ready.mine.get(path).json()["status"] == "succeeded"
    check(ready.mine.get("/v1/audits/job_" + "0" * 32), 422, "invalid_request")


def test_a_key_has_so_many_unfinished_audits(light: Light) -> None:
    served = light(max_audits=2)
    served.service.redis.zadd(keys.AUDIT_WORKERS, {"pretended": time.time() + 1000})
    first = begun(served)["links"]
    begun(served, seed=1)
    check(served.mine.post("/v1/audits", json={"design": "plain"}), 429, "too_many_audits")
    assert served.others.post("/v1/audits", json={"design": "plain"}).status_code == 202
    served.mine.post(first["cancel"])
    begun(served, seed=2)


def test_a_repeated_request_makes_one_audit(ready: Served, samples: list[Sample]) -> None:
    def sent(body: bytes, seed: int = 0, key: str = "k") -> Any:
        return ready.mine.post(
            "/v1/audits", params={"seed": seed}, content=body, headers={**ZIP, "Idempotency-Key": key}
        )

    first = sent(zipped(samples)).json()["id"]
    assert sent(zipped(samples)).json()["id"] == first
    check(sent(zipped(samples), seed=1), 409, "idempotency_key_reused")
    check(sent(zipped(samples[1:])), 409, "idempotency_key_reused")
    assert sent(zipped(samples), key="other").json()["id"] != first
    assert (
        ready.others.post("/v1/audits", content=zipped(samples), headers={**ZIP, "Idempotency-Key": "k"}).json()["id"]
        != first
    )


@pytest.mark.parametrize(
    ("path", "accept", "media", "data"),
    [
        ("/report", "*/*", "application/json", FILES["report.json"]),
        ("/report", "text/html,*/*;q=0.1", "text/html; charset=utf-8", FILES["report.html"]),
        ("/report", "text/markdown", "text/markdown; charset=utf-8", FILES["report.md"]),
        ("/trials", "*/*", "application/x-ndjson", FILES["trials.jsonl"]),
        ("/badge.svg", "*/*", "image/svg+xml", FILES["badge.svg"]),
    ],
)
def test_a_report_comes_as_it_is_asked_for(ready: Served, path: str, accept: str, media: str, data: bytes) -> None:
    answer = ready.mine.get(finished(ready) + path, headers={"Accept": accept})
    assert (answer.status_code, answer.headers["content-type"], answer.content) == (200, media, data)
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert ("style-src 'unsafe-inline'" in policy) == media.startswith("text/html"), "its styles stand in the page"
    assert "script" not in policy


def test_all_files_come_in_a_zip(ready: Served) -> None:
    answer = ready.mine.get(finished(ready) + "/files")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == FILES


def test_there_is_no_report_before_the_end_and_none_of_a_failure(ready: Served) -> None:
    waiting, path = begun(ready)["links"]["self"], finished(ready, error="too few")
    for each in (waiting, path):
        for rest in ("/report", "/trials", "/badge.svg", "/files"):
            check(ready.mine.get(each + rest), 409, "no_report")
    assert ready.mine.get(path).json()["error"] == "too few"
    check(ready.mine.get(path + "/report", headers={"Accept": "image/png"}), 406, "not_acceptable")


def test_what_has_run_out_is_gone(ready: Served) -> None:
    path = finished(ready)
    ready.service.redis.hset(keys.audit(path.rsplit("/", 1)[1]), "expires_at", repr(time.time() - 1))
    assert ready.mine.get(path).json()["status"] == "expired"
    for rest in ("/report", "/trials", "/badge.svg", "/files"):
        check(ready.mine.get(path + rest), 410, "audit_expired")


def test_cancelling_and_removing(ready: Served) -> None:
    links = begun(ready)["links"]
    assert ready.mine.post(links["cancel"]).json()["status"] == "cancelled"
    assert ready.mine.post(links["cancel"]).json()["status"] == "cancelled"
    check(ready.mine.post(finished(ready) + "/cancel"), 409, "already_finished")
    assert ready.mine.delete(links["self"]).status_code == 204
    check(ready.mine.get(links["self"]), 404, "audit_not_found")


def test_waiting_ends_with_the_audit_and_events_tell_it(ready: Served) -> None:
    links = begun(ready)["links"]
    heard: list[Any] = []
    threads = [
        threading.Thread(
            target=lambda: heard.append(ready.mine.get(links["self"], params={"wait": 30}).json()["status"])
        ),
        threading.Thread(target=lambda: heard.append(ready.mine.get(links["events"]).text)),
    ]
    for thread in threads:
        thread.start()
    found = ready.service.audits.find(owner(ready), links["self"].rsplit("/", 1)[1])
    assert found
    end(ready.service.redis, found[0], {"error": "no luck"})
    for thread in threads:
        thread.join(20)
    texts = sorted(heard, key=len)
    assert texts[0] == "failed"
    assert texts[1].count("event: finished\n") == 1
    assert '"error":"no luck"' in texts[1]


def test_the_document_lists_what_may_be_drawn(ready: Served) -> None:
    schemas = ready.mine.get("/openapi.json").json()["components"]["schemas"]
    listed = schemas["AuditRequest"]["properties"]["design"]["enum"]
    assert listed == list(drawable())
    assert "plain" in listed
    assert not [name for name in listed if name.startswith("external-")]


@contextmanager
def working(served: Served, home: Path) -> Iterator[None]:
    """An audit worker in a thread."""
    queue = served.service.audits.queue
    with meanwhile(queue, PieceRunner(served.service.redis, queue, home).do):
        yield


def drawer(rng: Any) -> tuple[bytes, str]:
    """A callable that draws, as a user may have one."""
    number = int(rng.integers(10**6))
    (sample,) = drawn("plain", range(number, number + 1), 0)
    return sample.image, sample.text


@pytest.mark.parametrize("kind", ["folder", "toml", "built-in", "callable"])
def test_the_command_line_has_a_service_do_it(
    kind: str, ready: Served, samples: list[Sample], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    use_fakes(monkeypatch)
    monkeypatch.setenv("CAPTCHA_API_KEY", MINE)
    write_folder(samples, tmp_path / "shop")
    (tmp_path / "own.toml").write_text(DESIGN, encoding="utf-8")
    subjects = {"folder": str(tmp_path / "shop"), "toml": str(tmp_path / "own.toml"), "built-in": "plain",
                "callable": "tests.api.routes.test_audits:drawer"}  # fmt: skip
    how = ["--budgets", "0,20", "--tested", "30", "--seed", "4", "--format", "json"]
    url = str(ready.mine.base_url)
    with working(ready, tmp_path / "worker"):
        command = ["audit", subjects[kind], *how, "--out", str(tmp_path / "out"), "--queue", url]
        assert main(command) == 0
        shown = json.loads(capsys.readouterr().out)
        assert main(command) == 0  # run again, it finds the same audit
    (audit,) = ready.mine.get("/v1/audits").json()["items"]
    assert audit["source"] == ("toml" if kind in {"toml", "built-in"} else "images")
    assert shown == json.loads((tmp_path / "out/report.json").read_text(encoding="utf-8"))
    assert ready.mine.get(audit["links"]["trials"]).content == (tmp_path / "out/trials.jsonl").read_bytes()
    capsys.readouterr()
    assert main(["report", str(tmp_path / "out"), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == shown, "the folder is that of a local audit"
    if kind == "callable":
        assert len(read_folder(tmp_path / "out/drawn")) == 75
        return
    assert main(["audit", subjects[kind], *how, "--out", str(tmp_path / "local")]) == 0
    assert (tmp_path / "local/trials.jsonl").read_bytes() == (tmp_path / "out/trials.jsonl").read_bytes()
    assert shown["provenance"]["subject"] == json.loads(capsys.readouterr().out)["provenance"]["subject"]


@pytest.mark.parametrize(("budgets", "tested", "needed"), [((0,), 30, 75), ((0, 20), 30, 75), ((0, 100), 30, 130)])
def test_so_many_images_are_drawn_that_as_many_are_tested_as_asked(
    budgets: tuple[int, ...], tested: int, needed: int
) -> None:
    assert images_needed(AuditSettings(budgets=budgets, tested=tested)) == needed


@pytest.mark.parametrize(("key", "said"), [("wrong", "401 unauthorized"), (OTHERS, "expected images that differ")])
def test_the_command_line_says_why_there_is_no_report(
    key: str, said: str, ready: Served, samples: list[Sample], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    use_fakes(monkeypatch)
    write_folder([Sample(each.id, samples[0].image, each.text, "") for each in samples], tmp_path / "same")
    with working(ready, tmp_path / "worker"):
        code = main(["audit", str(tmp_path / "same"), "--out", str(tmp_path / "out"), "--queue",
                     str(ready.mine.base_url), "--key", key])  # fmt: skip
    assert (code, said in capsys.readouterr().err) == (3, True)
