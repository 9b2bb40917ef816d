"""The benchmark of the peers: its figures, its process, and the whole of it on a few images."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.peers import contenders, measure
from benchmarks.peers.__main__ import labelled, main
from benchmarks.peers.report import Rate, rate, result, table
from captcha_solver import load_solver
from captcha_solver.designs.draw import draw_run
from captcha_solver.designs.load import load_design
from captcha_solver.errors import SetupError
from captcha_solver.image import encode_png


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("peers") / "plain"
    made.mkdir()
    rows = ["filename,label"]
    for number, drawing in zip(range(6), draw_run(load_design("plain"), 3), strict=False):
        (made / f"{number}.png").write_bytes(encode_png(drawing.image))
        rows.append(f"{number}.png,{drawing.text}")
    (made / "labels.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return made


def ours(name: str = "captcha-solver sliding (onnx)") -> contenders.Contender:
    return next(each for each in contenders.contenders() if each.name == name)


def test_a_rate_counts_exact_and_folded_and_every_image() -> None:
    three = measure.Labelled("s", (Path("a"), Path("b"), Path("c")), ("aB1", "xyz", "q"), "")
    counted = rate(three, ["ab1", "xyz", ""])
    assert (counted.n, counted.exact, counted.folded) == (3, 1, 2)
    assert counted.folded_ci95[0] < 2 / 3 < counted.folded_ci95[1]


def test_the_ratio_is_taken_round_by_round_and_times_are_medians() -> None:
    fast = [measure.Round((1.0, 3.0), 100.0, 0.5, 10.0), measure.Round((2.0, 9.0), 60.0, 0.7, 12.0)]
    slow = [measure.Round((9.0,), 10.0, 1.0, 5.0), measure.Round((9.0,), 2.0, 1.0, 5.0)]
    made = result(ours(), [Rate("s", 4, 1, 2)], fast, slow)
    assert made.times_yardstick == (10 + 30) / 2
    assert (made.median_ms, made.p95_ms, made.images_per_s) == (2.5, 9.0, 80.0)
    assert made.start_s == pytest.approx(0.6)
    assert made.peak_mib == 12.0
    assert (made.mean_exact, made.mean_folded) == (0.25, 0.5)
    assert result(ours(), [Rate("s", 4, 1, 2)], fast, None).times_yardstick is None
    assert "| captcha-solver sliding (onnx) | 50.0 | 25.0 | 2.50 / 9.00 | 80 | 20.0 | 0.60 | 12 |" in table([made])


def test_a_reader_in_its_process_reads_what_the_library_reads(folder: Path) -> None:
    paths = sorted(folder.glob("*.png"))
    read = measure.serve(ours(), paths, batch=4)
    solved = load_solver("sliding").solve_batch([path.read_bytes() for path in paths])
    assert read["texts"] == [solution.reading.text for solution in solved]
    assert len(read["call_ms"]) == 2
    assert read["peak_mib"] > 20


def test_a_reader_that_breaks_says_so(folder: Path) -> None:
    broken = contenders.Contender("broken", "captcha_solver_adapter", {"model": "none"}, ours().python, ())
    with pytest.raises(SetupError, match="broken failed: KeyError"):
        measure.serve(broken, [], batch=1)


def test_readers_that_are_not_installed_are_left_out_with_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contenders, "ENVIRONMENTS", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    missing = {each.name: each.missing for each in contenders.contenders() if each.missing}
    assert set(missing) == {"ddddocr (default)", "ddddocr (beta)", "RapidOCR", "Tesseract"}
    assert "make bench-peers" in str(missing["RapidOCR"])


def test_images_that_are_not_there_are_not_compared(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes((folder / "0.png").read_bytes())
    (tmp_path / "labels.csv").write_text("filename,label\nnone.png,x\na.png,y\n", encoding="utf-8")
    assert labelled(tmp_path, 10).texts == ("y",)


def test_the_whole_comparison(folder: Path, tmp_path: Path) -> None:
    options = ["--only", "sliding (onnx)", "--rounds", "1", "--timed", "3", "--limit", "5", "--out", str(tmp_path)]
    done = CliRunner().invoke(main, [str(folder), *options])
    assert done.exit_code == 0, done.output
    written = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    reader = written["readers"][0]
    assert reader["rates"][0]["n"] == 5
    assert len(written["rounds"][reader["name"]][0]["each_ms"]) == 3
    assert reader["model_mib"] == pytest.approx(ours().model_bytes / 2**20)
    assert written["sets"][0]["data_sha256"]
    assert (tmp_path / "results.png").read_bytes().startswith(b"\x89PNG")


def test_a_folder_that_is_none_is_one_clear_line(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, [str(tmp_path / "none"), "--out", str(tmp_path / "out")])
    assert done.exit_code == 3
    assert "error: " in done.output
