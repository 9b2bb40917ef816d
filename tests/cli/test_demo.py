from pathlib import Path

import pytest
from PIL import Image

import api.demo
from captcha_solver.cli import demo
from captcha_solver.cli.main import run
from captcha_solver.designs.load import builtin_designs
from captcha_solver.errors import SetupError
from captcha_solver.solver import Solver
from tests.fakes import FakeRecognizer
from workers.redis_server import find_server


class AnyRecognizer(FakeRecognizer):
    """Reads the same text from every image."""

    def _one(self, red: int) -> object:  # type: ignore[override]
        return super()._one(0)


@pytest.fixture(autouse=True)
def fake_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "load_solver", lambda route: Solver(AnyRecognizer(["abcd"])))
    monkeypatch.setattr(demo, "DESIGNS", ("plain", "night"))


def test_it_draws_solves_and_saves(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "demo"
    assert run(demo.demo, "demo", ["--count", "5", "--out", str(out)]) == 0
    shown, err = capsys.readouterr()
    assert err == ""
    for name in ("plain", "night"):
        (row,) = [line.split() for line in shown.splitlines() if line.split()[:1] == [name]]
        assert row[1:5] == ["5", "0", "(0", "%)"]
    assert "seed 0" in shown
    assert "sliding solved" in shown
    assert "segmented solved" in shown
    sheet = Image.open(out / "contact-sheet.png")
    assert sheet.format == "PNG"
    assert sheet.width > 800
    assert sheet.height > 300


def test_the_same_seed_draws_the_same() -> None:
    one, two, other = (demo.drawn("plain", range(2, 5), seed) for seed in (1, 1, 2))
    assert one == two
    assert [sample.image for sample in one] != [sample.image for sample in other]


def test_a_folder_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert run(demo.demo, "demo", ["--out", str(tmp_path / "file")]) == 3
    assert "can be written" in capsys.readouterr().err


def test_the_designs_of_the_demo_are_built_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert len(demo.DESIGNS) >= 5
    assert set(demo.DESIGNS) <= set(builtin_designs())


def no_server() -> str:
    raise SetupError("no Redis server found")


def test_without_redis_it_says_so_in_a_line_and_reads_directly(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REDIS_URL", raising=False)
    monkeypatch.setattr(api.demo, "find_server", no_server)
    assert run(api.demo.demo, "demo", ["--count", "2", "--out", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    (line,) = err.splitlines()
    assert "no Redis server found" in line
    assert "python -m captcha_solver.cli.demo" in line
    assert "contact sheet" in out
    assert (tmp_path / "contact-sheet.png").is_file()


@pytest.mark.redis
def test_the_queued_way_finds_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    monkeypatch.delenv("REDIS_URL", raising=False)
    monkeypatch.setattr(demo, "DESIGNS", ("plain", "note"))
    try:
        find_server()
    except SetupError as error:
        pytest.skip(str(error))
    tables = []
    for way, command in (("direct", demo.demo), ("queued", api.demo.demo)):
        assert run(command, "demo", ["--count", "3", "--out", str(tmp_path / way)]) == 0
        out, _ = capsys.readouterr()
        rows = [line.split() for line in out.splitlines()]
        tables.append([row[:7] + row[8:13] if row[0] in {"plain", "note"} else row[:-1] for row in rows if row])
    assert tables[0] == tables[1]  # all but the times, and where the picture is
    pictures = [(tmp_path / way / "contact-sheet.png").read_bytes() for way in ("direct", "queued")]
    assert pictures[0] == pictures[1]
