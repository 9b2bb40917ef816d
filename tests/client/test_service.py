"""The client without a service: folders to parcels, patience, faults on the way (a server that follows a script)."""

import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from captcha_solver.client.address import checked_url
from captcha_solver.client.delivery import MOST_CUTS, Watch, deliver, follow
from captcha_solver.client.parcels import Entry, Parcel, ParcelLimits, Survey, name_in_archive, packed, parcels, survey
from captcha_solver.client.patience import Patience, Tries, seconds_of
from captcha_solver.client.problems import one_line
from captcha_solver.client.records import JobState, ServedModel, SubmitOptions
from captcha_solver.client.service import ServiceClient, parse_events
from captcha_solver.errors import CaptchaSolverError, DatasetError, OptionError, ServiceError, SetupError
from captcha_solver.voting import CHOICES
from tests.fakes import picture
from tests.scripted_server import Reply, ScriptedServer, answer, problem, stream

MODEL = ServedModel("sliding", "a" * 64, True)
OPTIONS = SubmitOptions(MODEL)
ID = "job_" + "0" * 32
EVENTS, RESULTS, JOB, JOBS = f"GET /v1/jobs/{ID}/events", f"GET /v1/jobs/{ID}/results", f"GET /v1/jobs/{ID}", "/v1/jobs"


class Clock:
    """Time that passes only where somebody waits."""

    def __init__(self) -> None:
        self.now = 100.0
        self.waits: list[float] = []
        self.said: list[str] = []

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds

    def patience(self, retry_for_s: float = 60.0) -> Patience:
        return Patience(retry_for_s, self.said.append, clock=lambda: self.now, sleep=self.sleep)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """a.png, b.png and c.png, the first two labelled."""
    made = tmp_path / "pictures"
    made.mkdir()
    for red, name in enumerate(("a.png", "b.png", "c.png")):
        (made / name).write_bytes(picture(red))
    (made / "labels.csv").write_text("filename,label\na.png,alpha\nb.png,b2\n")
    return made


def job_json(done: int, status: str = "running", total: int = 3, submission: str = "") -> dict[str, Any]:
    counts = {"total": total, "done": done, "failed": 0}
    return {"id": ID, "status": status, "counts": counts, "metadata": {"submission": submission}}


def item(index: int, text: str | None) -> dict[str, Any]:
    error = None if text else {"code": "unreadable", "detail": "no text found"}
    characters = [{"character": c, "confidence": 0.9, "span_px": [0, 9]} for c in text or ""]
    return {
        "index": index,
        "text": text,
        "confidence": 0.5,
        "characters": characters,
        "elapsed_ms": 2.0,
        "views": 7,
        "error": error,
    }


def state(done: int, status: str = "running") -> JobState:
    return JobState(ID, status, 3, done, "")


@pytest.mark.parametrize(
    ("file", "named"),
    [
        ("a.png", "a.png"),
        ("Größe 1 (2).JPG", "Größe 1 (2).JPG"),
        ("sub/b.webp", "sub/b.webp"),
        ("a:b.png", "renamed-000007.png"),
        ("a\\b.png", "renamed-000007.png"),
        ("-a.gif", "renamed-000007.gif"),
        (".hidden.png", "renamed-000007.png"),
        ("__MACOSX/a.png", "renamed-000007.png"),
        ("../a.png", "renamed-000007.png"),
        ("bad\udcff.png", "renamed-000007.png"),
        ("renamed-000001.png", "renamed-000007.png"),
        ("x" * 252 + ".png", "renamed-000007.png"),
        ("nested.zip", "renamed-000007"),
        ("labels.csv", "renamed-000007"),
    ],
)
def test_names_that_the_service_might_refuse_are_replaced(file: str, named: str) -> None:
    assert name_in_archive(file, 7) == named


@pytest.mark.parametrize(
    ("sizes", "images", "total", "cut"),
    [
        ([1, 1, 1], 5, 9, [[1, 1, 1]]),
        ([1, 1, 1], 2, 9, [[1, 1], [1]]),
        ([4, 4, 4], 5, 8, [[4, 4], [4]]),
        ([9, 1, 1], 5, 8, [[9], [1, 1]]),
        ([3, 3, 3, 3], 3, 6, [[3, 3], [3, 3]]),
    ],
)
def test_a_folder_is_cut_by_count_and_by_bytes(sizes: list[int], images: int, total: int, cut: list[list[int]]) -> None:
    entries = tuple(Entry(f"{i}.png", f"{i}.png", None, size, "") for i, size in enumerate(sizes))
    made = parcels(Survey(Path(), entries, ()), ParcelLimits(images, total))
    assert [[entry.size_bytes for entry in parcel.entries] for parcel in made] == cut
    assert [entry for parcel in made for entry in parcel.entries] == list(entries)


def only(folder: Path) -> Parcel:
    (parcel,) = parcels(survey(folder, ParcelLimits()), ParcelLimits())
    return parcel


CHANGES: dict[str, Callable[[Path], object]] = {
    "a byte": lambda folder: (folder / "c.png").write_bytes(picture(9)),
    "a name": lambda folder: (folder / "c.png").rename(folder / "d.png"),
    "a label": lambda folder: (folder / "labels.csv").write_text("filename,label\na.png,Alpha\nb.png,b2\n"),
    "one image less": lambda folder: (folder / "c.png").unlink(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_other_contents_are_another_submission(folder: Path, tmp_path: Path, change: str) -> None:
    before = only(folder).submission(OPTIONS)
    copied = shutil.copytree(folder, tmp_path / "copy")
    assert only(copied).submission(OPTIONS) == before
    CHANGES[change](copied)
    assert only(copied).submission(OPTIONS) != before


def test_other_options_are_another_submission(folder: Path) -> None:
    asked = [
        OPTIONS,
        replace(OPTIONS, model=ServedModel("sliding", "b" * 64, True)),
        replace(OPTIONS, charset="digits"),
        replace(OPTIONS, length="4"),
        replace(OPTIONS, fold_case=True),
        *(replace(OPTIONS, views=views) for views in CHOICES if views != OPTIONS.views),
    ]
    assert len({only(folder).submission(options) for options in asked}) == len(asked)


def test_a_parcel_is_stored_as_it_is_with_its_labels(folder: Path) -> None:
    (folder / "c:d.png").write_bytes(picture(3))
    rows = [("a.png", "alpha"), ("b.png", '"x,y"'), ("c:d.png", "d"), ("c.png", "e" * 101)]
    (folder / "labels.csv").write_text("filename,label\n" + "".join(f"{name},{label}\n" for name, label in rows))
    with packed(only(folder)) as file, zipfile.ZipFile(file) as archive:
        names = ["a.png", "b.png", "c.png", "renamed-000003.png", "labels.csv"]
        assert archive.namelist() == names
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
        assert [archive.read(name) for name in names[:4]] == [picture(red) for red in range(4)]
        assert archive.read("labels.csv").decode() == 'filename,label\na.png,alpha\nb.png,"x,y"\nrenamed-000003.png,d\n'


def test_a_survey_lists_what_cannot_be_sent_in_its_place(folder: Path) -> None:
    (folder / "b.png").write_bytes(b"x" * 201)
    (folder / "labels.csv").write_text("filename,label\ngone.png,g\na.png,one\na.png,two\n../a.png,x\n")
    found = survey(folder, ParcelLimits(file_bytes=200))
    assert [(entry.file, entry.label) for entry in found.entries] == [
        ("a.png", ""), ("b.png", None), ("c.png", None), ("gone.png", "g"), ("../a.png", "x"),
    ]  # fmt: skip
    failures = [entry.failure for entry in found.entries]
    assert failures[0] is failures[2] is None
    assert failures[1] == "expected a file of at most 200 bytes, received 201"
    assert "nothing there" in str(failures[3])
    assert "expected the name of a file in the folder" in str(failures[4])
    assert [problem.split(":")[0] for problem in found.problems] == ["labels.csv row 3"]
    assert [entry.file for entry in only(folder).sent] == ["a.png", "b.png", "c.png"]


def test_a_file_that_changes_on_the_way_is_an_error(folder: Path) -> None:
    parcel = only(folder)
    (folder / "b.png").write_bytes(picture(9))
    with pytest.raises(DatasetError, match=r"b\.png: changed"), packed(parcel):
        pass


def test_a_folder_without_images_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="received none"):
        survey(tmp_path, ParcelLimits())


def wait_on(tries: Tries, cause: str) -> None:
    for _ in range(100):
        tries.wait(cause)


def test_patience_doubles_its_waits_and_ends(clock: Clock) -> None:
    patience = clock.patience(60.0)
    patience.answered()
    tries = patience.request()
    with pytest.raises(ServiceError, match=r"^away; gave up after 46 s \(tried again for up to 60 s\)"):
        wait_on(tries, "away")
    assert clock.waits == [0.5, 1, 2, 4, 8, 15, 15]  # 45.5 s; 15 more would be 60.5
    assert clock.said == ["away; trying again for up to 60 s"]


def test_patience_waits_as_it_is_told(clock: Clock) -> None:
    patience = clock.patience(60.0)
    patience.answered()
    tries = patience.request()
    tries.wait("busy", 20.0)
    tries.wait("busy")
    with pytest.raises(ServiceError, match="to be asked again in 40 s; gave up after 21 s"):
        tries.wait("busy", 40.0)
    assert clock.waits == [20, 1]


def test_a_service_that_never_answered_is_given_up_soon(clock: Clock) -> None:
    tries = clock.patience(300.0).request()
    with pytest.raises(ServiceError, match="up to 10 s"):
        wait_on(tries, "refused")
    assert clock.waits == [0.5, 1, 2, 4]  # 7.5 s; 8 more would be 15.5


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        (" 0 ", 0.0),
        ("Wed, 01 Jan 2025 00:00:30 GMT", 30.0),
        ("Tue, 31 Dec 2024 23:00:00 GMT", 0.0),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after(header: str | None, seconds: float | None) -> None:
    assert seconds_of(header, datetime(2025, 1, 1, tzinfo=UTC)) == seconds


@pytest.mark.parametrize(
    ("text", "events"),
    [
        ("id: 1-0\nevent: progress\ndata: {}\n\n", [("1-0", "{}")]),
        (": waiting\n\ndata:a\ndata: b\n\n", [("", "a\nb")]),
        ("id: 1\ndata: a\n\ndata: b\n\n", [("1", "a"), ("1", "b")]),
        ("data: a\n\ndata: cut", [("", "a")]),
        ("retry: 3\nid: 4\n\n", []),
    ],
)
def test_event_streams(text: str, events: list[tuple[str, str]]) -> None:
    assert list(parse_events(iter(text.split("\n")))) == events


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ({"detail": "too many", "code": "busy", "request_id": "r1"}, "too many (422 busy, request r1)"),
        ({"title": "Unprocessable"}, "Unprocessable (422)"),
        (
            {"detail": "the form", "code": "bad", "errors": [{"location": ["length", 0], "message": "odd\nthing"}, {}]},
            "the form: length.0: odd thing; (422 bad)",
        ),
        ({"detail": "d", "errors": "none"}, "d (422)"),
    ],
)
def test_a_problem_is_one_line(body: dict[str, Any], line: str) -> None:
    assert one_line(422, body) == line


@pytest.mark.parametrize(
    "url", ["ftp://a", "127.0.0.1:8000", "http://", "http://a:99999", "http://a?b", "http://u:p@a"]
)
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(OptionError, match="expected a URL"):
        checked_url(url)
    assert checked_url("https://host:8443/captcha/") == "https://host:8443/captcha"


def test_a_busy_service_is_asked_again_with_the_same_request(folder: Path, clock: Clock) -> None:
    busy = problem(503, "store_full", "expected room, received none", Retry_After="7")
    limited = problem(429, "rate_limited", "wait", Retry_After="3")
    script = {f"POST {JOBS}": [busy, limited, answer(job_json(0, "queued"))]}
    with ScriptedServer(script) as server, ServiceClient(server.url, "key", clock.patience()) as service:
        with packed(only(folder)) as file:
            assert service.submit(file, OPTIONS, "s" * 64) == state(0, "queued")
        sent = server.of(f"POST {JOBS}")
    assert clock.waits == [7, 3]
    assert [each.headers["Idempotency-Key"] for each in sent] == ["s" * 64] * 3
    assert {each.headers["Authorization"] for each in sent} == {"Bearer key"}
    assert [each.body.count(b"PK\x05\x06") for each in sent] == [1, 1, 1]
    assert clock.said == ["expected room, received none (503 store_full, request r1); trying again for up to 60 s"]


def test_an_upload_that_is_cut_is_sent_again_from_its_start(folder: Path, clock: Clock) -> None:
    (folder / "big.png").write_bytes(bytes(1_900_000))
    script = {f"POST {JOBS}": [Reply(cut="upload"), Reply(cut="upload"), answer(job_json(0))]}
    with ScriptedServer(script) as server, ServiceClient(server.url, "key", clock.patience()) as service:
        with packed(only(folder)) as file:
            service.submit(file, OPTIONS, "s" * 64)
        *cut, whole = server.of(f"POST {JOBS}")
    assert clock.waits == [0.5, 1]
    assert [len(each.body) for each in cut] == [1000, 1000]
    assert len(whole.body) == int(whole.headers["Content-Length"]) > 1_900_000


@pytest.mark.parametrize("status", [400, 401, 404, 408, 409, 413, 422, 500])
def test_other_refusals_are_final(status: int, clock: Clock) -> None:
    with (
        ScriptedServer({"GET /v1/models": [problem(status, "refused", "no")]}) as server,
        ServiceClient(server.url, "key", clock.patience()) as service,
    ):
        with pytest.raises(ServiceError, match=rf"^no \({status} refused, request r1\)$"):
            service.models()
        assert len(server.asked) == 1
    assert clock.waits == []


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(404, b"<html>", "text/html"), "received 404 Not Found with text/html"),
        (Reply(302, b"", headers={"Location": "http://elsewhere/"}), "a redirect to http://elsewhere/"),
        (Reply(200, b"<html>", "text/html"), "expected an answer of captcha-solver's service"),
        (answer({"items": [{"name": "x"}]}), "expected an answer of captcha-solver's service"),
    ],
)
def test_what_is_not_the_service(reply: Reply, said: str, clock: Clock) -> None:
    with (
        ScriptedServer({"GET /v1/models": [reply]}) as server,
        ServiceClient(server.url, None, clock.patience()) as service,
        pytest.raises(ServiceError) as caught,
    ):
        service.models()
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_cut_stream_is_taken_up_where_it_was(clock: Clock) -> None:
    script = {
        EVENTS: [
            stream(("1-0", job_json(0)), ("2-0", job_json(1)), cut="answer"),
            problem(503, "busy", "later"),
            stream(("2-0", job_json(1)), ("3-0", job_json(2))),
            stream(("4-0", job_json(3, "succeeded"))),
        ]
    }
    with ScriptedServer(script) as server, ServiceClient(server.url, "key", clock.patience()) as service:
        assert list(follow(service, ID)) == [state(0), state(1), state(2), state(3, "succeeded")]
        heads = [each.headers for each in server.asked]
    assert [head.get("Last-Event-ID") for head in heads] == [None, "2-0", "2-0", "3-0"]
    assert {head["Accept"] for head in heads} == {"text/event-stream"}


def test_streams_may_be_cut_often_as_long_as_each_has_news(clock: Clock) -> None:
    streams = [stream((f"{n}-0", job_json(n)), cut="answer") for n in range(MOST_CUTS + 2)]
    script = {EVENTS: [*streams, stream(("9-0", job_json(9, "succeeded")))]}
    with ScriptedServer(script) as server, ServiceClient(server.url, "key", clock.patience()) as service:
        assert [each.done for each in follow(service, ID)] == [*range(MOST_CUTS + 2), 9]
        assert server.of(JOB) == []


@pytest.mark.parametrize(
    "events",
    [
        Reply(200, b"", "text/event-stream", cut="answer"),
        Reply(200, b"{}", "application/json"),
        stream(("1-0", job_json(1))),
        problem(502, "bad_gateway", "no"),
    ],
    ids=["cut", "no stream", "nothing new", "refused"],
)
def test_where_no_events_come_through_the_job_is_asked(events: Reply, clock: Clock) -> None:
    script = {EVENTS: [events], JOB: [answer(job_json(1)), answer(job_json(1)), answer(job_json(3, "partial"))]}
    with ScriptedServer(script) as server, ServiceClient(server.url, "key", clock.patience()) as service:
        states = list(follow(service, ID))
        assert [each.path for each in server.of(JOB)] == [f"/v1/jobs/{ID}?wait=2.0"] * 3
        streams = len(server.of(EVENTS))
    assert states == [state(1), state(3, "partial")]
    assert MOST_CUTS <= streams <= MOST_CUTS + 1  # the state that one brought was news once


def test_events_of_a_job_that_is_gone_are_an_error(clock: Clock) -> None:
    script = {EVENTS: [problem(404, "job_not_found", "it may have run out")]}
    with (
        ScriptedServer(script) as server,
        ServiceClient(server.url, "key", clock.patience()) as service,
        pytest.raises(ServiceError, match="run out"),
    ):
        list(follow(service, ID))


def test_answers_come_in_pages_and_those_missing_say_why(folder: Path, clock: Clock) -> None:
    (folder / "b.png").write_bytes(b"x" * 3_000_000)
    (folder / "d.png").write_bytes(picture(3))
    parcel = only(folder)
    known = answer({"items": [job_json(2, submission=parcel.submission(OPTIONS))], "next_cursor": None})
    script = {
        f"GET {JOBS}": [known],
        EVENTS: [stream(("5-0", job_json(2, "cancelled")))],
        RESULTS: [
            answer({"items": [item(0, "one")], "next_cursor": "1"}),
            answer({"items": [item(1, None)], "next_cursor": None}),
        ],
    }
    found, done = list[str](), list[int]()
    watch = Watch(lambda job: found.append(job.id), lambda job: None, done.append)
    with ScriptedServer(script) as server, ServiceClient(server.url, "key", clock.patience()) as service:
        (delivered,) = deliver(service, [parcel], OPTIONS, watch)
        assert server.of(f"POST {JOBS}") == []
        assert [each.path.split("?")[1] for each in server.of(RESULTS)] == ["limit=1000", "limit=1000&cursor=1"]
    rows = [(entry.file, solution.text, solution.failure) for entry, solution in delivered.solutions(MODEL)]
    assert rows == [
        ("a.png", "one", None),
        ("b.png", "", "expected a file of at most 2,097,152 bytes, received 3,000,000"),
        ("c.png", "", "no text found"),
        ("d.png", "", "no answer: the job is cancelled"),
    ]
    assert found == [ID]
    assert sum(done) == 3  # the one that was not sent, and two answers


def test_jobs_are_looked_for_page_by_page_and_those_run_out_passed_over(clock: Clock) -> None:
    pages = [
        answer({"items": [job_json(3, "expired", submission="x")], "next_cursor": "c1"}),
        answer({"items": [job_json(1, submission="y"), job_json(1, submission="z")], "next_cursor": "c2"}),
    ]
    with (
        ScriptedServer({f"GET {JOBS}": pages}) as server,
        ServiceClient(server.url, "key", clock.patience()) as service,
    ):
        assert set(service.submitted(["y"])) == {"y"}
        assert [each.path.split("?")[1] for each in server.asked] == ["limit=200", "limit=200&cursor=c1"]


def test_without_httpx_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    monkeypatch.setitem(sys.modules, "httpx", None)
    with pytest.raises(SetupError, match=r"pip install captcha-solver\[client\]"):
        ServiceClient("http://127.0.0.1:1", None, clock.patience())


def test_httpx_is_loaded_by_those_who_ask_only() -> None:
    code = "import sys, captcha_solver.cli.read, captcha_solver.cli.submit; sys.exit('httpx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize("key", ["two words", "line\nbreak", "ünicode"])
def test_a_key_that_cannot_be_sent(key: str, clock: Clock) -> None:
    with pytest.raises(CaptchaSolverError, match="printable ASCII"):
        ServiceClient("http://127.0.0.1:1", key, clock.patience())
