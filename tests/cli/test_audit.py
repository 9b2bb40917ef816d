"""The command ``audit`` as a process: stopped, killed and run again it ends with the same trials, byte for byte."""

import json
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from captcha_solver.audit_settings import BUDGETS, parse_budgets
from captcha_solver.cli import audit as audit_command
from captcha_solver.cli.main import main
from captcha_solver.dataset import write_folder
from captcha_solver.report_files import CELLS, TRIALS
from captcha_solver.terminal import status_line
from tests.audit.fake_attackers import TINY, images

# Perturbed images take a network that is slow to load: what is told here does not depend on them.
SOURCE = """
import sys
from captcha_solver.audit import campaign
campaign.untrainable = lambda: "nothing is trained here"
from captcha_solver.cli.main import main
sys.exit(main())
"""
PATIENCE_S = 120.0


@pytest.fixture
def design(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    return path


def command(subject: Path | str, out: Path, *options: str) -> list[str]:
    few = ["--tested", "30", "--budgets", "0,20"]
    return [sys.executable, "-c", SOURCE, "audit", str(subject), "--out", str(out), *few, *options]


def test_the_budgets_on_the_command_line_are_those_of_the_settings() -> None:
    (budgets,) = (each.default for each in audit_command.audit.params if each.name == "budgets")
    assert parse_budgets(str(budgets)) == BUDGETS


def run(argv: Sequence[str]) -> tuple[int, str]:
    """Exit code, stderr."""
    done = subprocess.run(argv, capture_output=True, text=True)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr


def hear_interrupts() -> None:
    """A process that was started in the background, as a test run may be, hands on that it ignores SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def cut_off(argv: Sequence[str], out: Path, how: signal.Signals) -> tuple[int, str]:
    """Signal the process once it has finished a few cells, and before it has finished all."""
    process = subprocess.Popen(
        argv, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, preexec_fn=hear_interrupts
    )
    ends = time.monotonic() + PATIENCE_S
    cells = out / CELLS
    while not cells.exists() or cells.read_bytes().count(b"\n") < 2:
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < ends
        time.sleep(0.02)
    process.send_signal(how)
    _, said = process.communicate(timeout=PATIENCE_S)
    return process.returncode, said


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("whole")
    (folder / "tiny.toml").write_text(TINY)
    code, said = run(command(folder / "tiny.toml", folder / "out"))
    assert code == 0, said
    return (folder / "out" / TRIALS).read_bytes()


@pytest.mark.parametrize(
    ("how", "code", "said"),
    [
        (
            signal.SIGINT,
            130,
            "captcha-solver: stopped: interrupted; what is finished is kept; the same command resumes",
        ),
        (signal.SIGKILL, -signal.SIGKILL, ""),
    ],
)
def test_the_same_command_goes_on_where_it_was_cut_off(
    how: signal.Signals, code: int, said: str, design: Path, tmp_path: Path, undisturbed: bytes
) -> None:
    out = tmp_path / "out"
    ended, stderr = cut_off(command(design, out), out, how)
    lines = [line for line in stderr.splitlines() if line and ": note: " not in line]
    assert (ended, len(lines)) == (code, bool(said)), stderr
    assert said in stderr
    finished = (out / CELLS).read_bytes().count(b"\n")
    assert 0 < finished < undisturbed.count(b"\n") // 30
    again, _ = run(command(design, out))
    assert again == 0
    assert (out / TRIALS).read_bytes() == undisturbed


def test_on_a_full_disk_it_ends_with_one_line_and_goes_on_once_there_is_room(
    design: Path, tmp_path: Path, undisturbed: bytes
) -> None:
    out = tmp_path / "out"
    room = len(undisturbed) // 3

    def little_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))

    done = subprocess.run(command(design, out), capture_output=True, text=True, preexec_fn=little_room)
    errors = [line for line in done.stderr.splitlines() if ": note: " not in line]
    assert done.returncode == 3
    assert len(errors) == 1
    assert "File too large" in errors[0]
    assert "kept" in errors[0]
    assert (out / CELLS).read_bytes().count(b"\n") > 3
    code, said = run(command(design, out))
    assert (code, (out / TRIALS).read_bytes() == undisturbed) == (0, True), said


def test_on_a_pipe_there_is_a_line_for_each_stage(design: Path, tmp_path: Path) -> None:
    code, said = run(command(design, tmp_path / "out"))
    notes = [line.split(": note: ")[1] for line in said.splitlines() if ": note: " in line]
    assert code == 0
    told = [note.rpartition(", about ")[0] for note in notes[:-1]]
    assert told[0].startswith("without labels: ")
    assert told[1:] == ["each distortion, non-adaptive attacker: 12 done", "pairs of distortions removed: 1 done"]
    assert notes[-1] == f"the report is {tmp_path / 'out' / 'report.html'}"


def test_on_a_terminal_one_line_is_written_over(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    said: list[str] = []
    audit_command._tell(said.append, "label curve", 1, 3, 61.0)
    audit_command._tell(said.append, "label curve", 3, 3, 0.0)
    assert said == ["label curve: 1 of 3, about 2 min to go", "label curve: 3 of 3, about 0 min to go"]
    assert capsys.readouterr().err == ""
    with status_line() as say:
        say(said[0])
    assert said[0] in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["nothing"], 2, "expected a design"),
        (["plain", "--budgets", "many"], 2, "expected numbers of labels by commas"),
        (["plain", "--budgets", "5"], 2, "or of 10 labels and more"),
        (["plain", "--minutes", "0"], 2, "Invalid value for '--minutes'"),
        (["theirs", "--command", "'"], 2, 'expected a command, received "\'": No closing quotation'),
        (["theirs", "--command", "no-such-program {out}"], 3, "cannot run 'no-such-program'"),
        (["os:nothing"], 3, "expected a function at os:nothing"),
        (["few"], 3, "few: expected at least 30 images to test on, received 12"),
    ],
)
def test_what_cannot_be_audited_is_one_line(
    arguments: list[str], code: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    write_folder(images(12), tmp_path / "few")
    assert main(["audit", *arguments, "--out", "out"]) == code
    stderr = capsys.readouterr().err
    assert said in stderr
    assert "Traceback" not in stderr
    assert code == 2 or stderr.count("\n") == 1


def test_a_rate_above_the_allowed_one_is_exit_code_1(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    write_folder(images(40), folder)
    options = ["--budgets", "0", "--format", "json", "--fail-above"]
    strict = subprocess.run(command(folder, tmp_path / "out", *options, "0.01"), capture_output=True, text=True)
    assert strict.returncode == 1
    assert max(row["rate"] for row in json.loads(strict.stdout)["attacks"]) > 0.9
    assert run(command(folder, tmp_path / "out", *options, "1"))[0] == 0
