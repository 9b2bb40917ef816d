"""``captcha-solver submit`` against a whole service, and against one that follows a script."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.auth import new_key
from api.demo import free_port
from api.serve import Running, service
from captcha_solver.cli.demo import drawn
from captcha_solver.cli.read import FIELDS
from captcha_solver.dataset import write_folder
from tests.fakes import picture
from tests.scripted_server import Reply, ScriptedServer, answer, problem, stream
from workers.settings import Settings

pytestmark = pytest.mark.redis
ID = "job_" + "0" * 32
FIELDS_COMPARED = ("file", "text", "confidence", "recognizer", "failure", "views")  # all but the time
WITHIN_S = 60.0

Shell = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with service(Settings(port=free_port(), workers=1, audit_workers=0, api_keys=(new_key(),)), quiet=True) as each:
        yield each


@pytest.fixture
def submit(shell: Shell, running: Running, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """``submit`` to the running service, the key in the environment."""
    monkeypatch.setenv("CAPTCHA_API_KEY", running.key)
    return lambda *arguments: shell("submit", "--url", running.url, *arguments)


def drawn_folder(folder: Path, seed: int, count: int = 12) -> Path:
    """Labelled images that the shipped models read."""
    write_folder(drawn("note", range(count), seed), folder)
    return folder


def jobs(running: Running) -> list[str]:
    """The service's jobs, oldest first."""
    answer = httpx.get(f"{running.url}/v1/jobs", headers={"Authorization": f"Bearer {running.key}"}, trust_env=False)
    return [job["id"] for job in answer.json()["items"]][::-1]


def read_rows(out: str) -> list[tuple[str, str, float, str, str | None, int]]:
    rows = [json.loads(line) for line in out.splitlines()]
    assert {tuple(row) for row in rows} == {FIELDS}
    return [tuple(row[name] for name in FIELDS_COMPARED) for row in rows]


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--model", "segmented", "--length", "4"),
        ("--charset", "digits"),
        ("--views", "1"),
        ("--views", "3"),
        ("--views", "auto", "--model", "segmented"),
    ],
)
def test_the_answers_are_those_of_solve(shell: Shell, submit: Shell, tmp_path: Path, options: tuple[str, ...]) -> None:
    folder = drawn_folder(tmp_path / "set", 1)
    (folder / "broken.png").write_bytes((folder / "note-000.png").read_bytes()[:50])
    code, out, err = submit(folder, "--wait", "--format", "jsonl", "--part-images", 5, *options)
    here_code, here, _ = shell("solve", folder, "--format", "jsonl", *options)
    got, wanted = read_rows(out), read_rows(here)
    assert [each[:2] + each[3:] for each in got] == [each[:2] + each[3:] for each in wanted]
    assert [each[2] for each in got] == pytest.approx([each[2] for each in wanted], abs=1e-3)
    assert code == here_code
    assert "of 12 solved" in err


def test_every_form_of_the_answers_says_their_views(submit: Shell, tmp_path: Path) -> None:
    folder = drawn_folder(tmp_path / "set", 7, 3)
    at = FIELDS.index("views")
    shown = {form: submit(folder, "--wait", "--views", "4", "--format", form)[1] for form in ("table", "csv", "jsonl")}
    table = [line.split() for line in shown["table"].splitlines()]
    assert table[0][at] == "views"
    assert [row[at] for row in table[2:5]] == ["4"] * 3
    assert [row[at] for row in csv.reader(io.StringIO(shown["csv"]))] == ["views", *"444"]
    assert [json.loads(line)["views"] for line in shown["jsonl"].splitlines()] == [4] * 3


@pytest.mark.parametrize("views", ["0", "8", "many", "", "07"])
def test_what_is_no_number_of_views_is_refused_as_by_solve(
    shell: Shell, submit: Shell, running: Running, tmp_path: Path, views: str
) -> None:
    folder = drawn_folder(tmp_path / "set", 8, 1)
    before = jobs(running)
    said = f"captcha-solver: error: expected views auto or 1 to 7, received {views!r}\n"
    assert submit(folder, "--views", views) == (2, "", said)
    assert shell("solve", folder, "--views", views) == shell("score", folder, "--views", views) == (2, "", said)
    assert jobs(running) == before


def test_a_labelled_folder_is_scored_as_by_score(shell: Shell, submit: Shell, tmp_path: Path) -> None:
    folder = drawn_folder(tmp_path / "set", 2)
    labels = (folder / "labels.csv").read_text().lower()
    (folder / "labels.csv").write_text(labels + "gone.png,abcd\n")
    (folder / "unlabelled.png").write_bytes((folder / "note-000.png").read_bytes())
    code, out, err = submit(folder, "--wait", "--fold-case")
    _, here, _ = shell("score", folder, "--fold-case")
    assert code == 1
    assert "gone.png" in err
    assert "1 image without a label in labels.csv" in err
    table, scored = out.splitlines(), here.splitlines()
    assert len(table) == 2 + 14 + len(scored)
    (row,) = [line.split() for line in table if line.startswith("set  ") and "%" in line and "interval" not in line]
    (here_row,) = [line.split() for line in scored if line.startswith("set  ") and "interval" not in line]
    assert row[1] == "13"
    assert row[:-1] == here_row[:-1]  # all but the time
    assert table[-1] == scored[-1]


def test_run_again_it_goes_on_with_the_same_jobs(submit: Shell, running: Running, tmp_path: Path) -> None:
    folder = drawn_folder(tmp_path / "set", 3)
    before = jobs(running)
    code, out, err = submit(folder, "--part-images", 5)
    made = out.split()
    assert code == 0
    assert jobs(running) == [*before, *made]
    assert len(made) == 3
    assert f"captcha-solver submit {folder} --url {running.url} --part-images 5 --wait" in err
    assert running.key not in err
    code, out, err = submit(folder, "--part-images", 5, "--wait", "--format", "csv")
    assert code == 0
    assert jobs(running) == [*before, *made]
    assert [line.split()[4] for line in err.splitlines() if "resuming job" in line] == made
    rows = list(csv.reader(io.StringIO(out)))
    assert tuple(rows[0]) == FIELDS
    assert [row[0] for row in rows[1:]] == [str(folder / f"note-{index:03}.png") for index in range(12)]
    (folder / "note-000.png").write_bytes((folder / "note-001.png").read_bytes())
    code, out, err = submit(folder, "--part-images", 5)
    assert len(set(out.split()) - set(made)) == 1  # only the part that has changed is a new job
    assert len(set(out.split()) & set(made)) == 2


def test_bad_files_and_odd_names_keep_their_places(submit: Shell, tmp_path: Path) -> None:
    folder = drawn_folder(tmp_path / "set", 4, 2)
    (folder / "labels.csv").unlink()
    whole = (folder / "note-000.png").read_bytes()
    for name, data in (
        ("a:b.png", whole), ("broken.png", whole[:50]), ("empty.png", b""), ("large.png", bytes(2_100_000)),
    ):  # fmt: skip
        (folder / name).write_bytes(data)
    code, out, err = submit(folder, folder, "--wait", "--format", "jsonl")
    rows = read_rows(out)
    assert code == 1
    names = ["a:b.png", "broken.png", "empty.png", "large.png", "note-000.png", "note-001.png"]
    assert [row[0] for row in rows] == [str(folder / name) for name in names]
    assert [bool(row[4]) for row in rows] == [False, True, True, True, False, False]
    assert rows[0][1] == rows[4][1] != ""
    assert "at most 2,097,152 bytes" in str(rows[3][4])
    assert [line.split(": ")[1] for line in err.splitlines()] == ["warning"] * 3


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["FOLDER", "--model", "nope"], 2, "expected a model of the service (sliding, segmented), received 'nope'"),
        (["FOLDER", "--length", "x"], 2, "expected a length"),
        (["FOLDER", "--views", "x"], 2, "expected views auto or 1 to 7, received 'x'"),
        (["FOLDER", "--url", "ftp://x"], 2, "expected a URL"),
        (["FOLDER", "--key", "two words"], 2, "printable ASCII"),
        ([], 2, "Missing argument"),
        (["FOLDER", "--key", "wrong"], 3, "(401 unauthorized, request "),
        (["FOLDER", "--charset", "_-_"], 3, "expected characters the model reads"),
        (
            ["FOLDER", "--url", "http://127.0.0.1:1", "--retry-for", "0"],
            3,
            "expected an answer from http://127.0.0.1:1",
        ),
        (["FOLDER/none"], 3, "expected a folder"),
    ],
)
def test_errors_are_one_line(submit: Shell, tmp_path: Path, arguments: list[str], code: int, said: str) -> None:
    folder = drawn_folder(tmp_path / "set", 5, 1)
    got, out, err = submit(*(each.replace("FOLDER", str(folder)) for each in arguments))
    assert (got, out) == (code, "")
    assert said in err.splitlines()[-1]
    if code == 3:
        assert len(err.splitlines()) == 1


def test_a_folder_that_cannot_be_read_does_not_stop_the_others(submit: Shell, tmp_path: Path) -> None:
    folder = drawn_folder(tmp_path / "set", 6, 2)
    (tmp_path / "void").mkdir()
    code, out, err = submit(tmp_path / "void", folder, "--wait", "--format", "jsonl")
    assert code == 1
    assert len(out.splitlines()) == 2
    assert f"{tmp_path / 'void'}: expected a folder with images, received none" in err


def script(**more: Reply) -> dict[str, list[Reply]]:
    """A service that takes a job and tells nothing of it."""
    job = {"id": ID, "status": "running", "counts": {"total": 1, "done": 0}, "metadata": {}}
    return {
        "GET /v1/models": [answer({"items": [{"name": "sliding", "sha256": "a" * 64, "usual": True}]})],
        "GET /v1/jobs": [answer({"items": [], "next_cursor": None})],
        "POST /v1/jobs": [answer(job)],
        f"GET /v1/jobs/{ID}/events": [stream(("1-0", job), cut="hold")],
        **{place: [reply] for place, reply in more.items()},
    }


def until(holds: Callable[[], Any]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not holds():
        assert time.monotonic() < deadline, "it did not come to this in time"
        time.sleep(0.02)


def test_ctrl_c_ends_the_client_and_leaves_the_job(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(picture(0))
    with ScriptedServer(script()) as server:
        command = [sys.executable, "-m", "captcha_solver.cli.main", "submit", str(tmp_path), "--url", server.url]
        client = subprocess.Popen(
            [*command, "--wait", "--key", "very-secret", "--length", "4"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background ignores it
        )
        try:
            until(lambda: server.of(f"GET /v1/jobs/{ID}/events"))
            client.send_signal(signal.SIGINT)
            out, err = client.communicate(timeout=WITHIN_S)
        finally:
            client.kill()
            client.wait()
        places = {(each.method, each.path.split("?")[0]) for each in server.asked}
    assert client.returncode == 130
    assert out == ""
    (line,) = [line for line in err.splitlines() if line]
    assert f"job {ID} runs without this client" in line
    assert line.endswith(f"captcha-solver submit {tmp_path} --url {server.url} --key KEY --length 4 --wait")
    assert places == {
        ("GET", "/v1/models"), ("GET", "/v1/jobs"), ("POST", "/v1/jobs"), ("GET", f"/v1/jobs/{ID}/events"),
    }  # fmt: skip


def test_a_service_that_stays_busy_is_given_up(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(picture(0))
    full = problem(503, "store_full", "expected room, received none", Retry_After="30")
    with ScriptedServer(script(**{"POST /v1/jobs": full})) as server:
        code, out, err = shell("submit", tmp_path, "--url", server.url, "--retry-for", 10)
        assert len(server.of("POST /v1/jobs")) == 1
    assert (code, out) == (3, "")
    assert "expected room, received none (503 store_full, request r1), to be asked again in 30 s" in err
