"""The benchmark of the peers: its figures, its process, and the whole of it on a few images."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from PIL import Image

from benchmarks.peers import contenders, measure
from benchmarks.peers.__main__ import labelled, main
from benchmarks.peers.adapters import rapidocr_adapter, tesseract_adapter
from benchmarks.peers.flat import flattened
from benchmarks.peers.report import Rate, rate, result, table, worth
from benchmarks.peers.sureness import PeerAnswer, Sureness
from captcha_solver import load_solver
from captcha_solver.designs.drawing.draw import draw_run
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
    made = result(ours(), ([Rate("s", 4, 1, 2)], Sureness(1.0, 0.75, 0.5, 0.25)), fast, slow)
    assert made.times_yardstick == (10 + 30) / 2
    assert (made.median_ms, made.p95_ms, made.images_per_s) == (2.5, 9.0, 80.0)
    assert made.start_s == pytest.approx(0.6)
    assert made.peak_mib == 12.0
    assert (made.mean_exact, made.mean_folded) == (0.25, 0.5)
    unsure = result(ours(), ([Rate("s", 4, 1, 2)], None), fast, None)
    assert unsure.times_yardstick is None
    assert "| captcha-solver sliding (onnx) | 100.0 | 75.0 | 50.0 | 25.0 |" in table([made])
    assert "| captcha-solver sliding (onnx) | - | - | - | - |" in table([unsure])
    assert "| captcha-solver sliding (onnx) | 50.0 | 25.0 | 2.50 / 9.00 | 80 | 20.0 | 0.60 | 12 |" in table([made])


def test_a_reader_in_its_process_reads_what_the_library_reads(folder: Path) -> None:
    paths = sorted(folder.glob("*.png"))
    read = measure.serve(ours(), paths, batch=4)
    solved = load_solver("sliding").solve_batch([path.read_bytes() for path in paths])
    assert read["texts"] == [solution.reading.text for solution in solved]
    assert read["confidences"] is None
    assert len(read["call_ms"]) == 2
    assert read["peak_mib"] > 20


def test_answers_come_set_by_set_with_the_confidence_of_the_library(folder: Path) -> None:
    paths = tuple(sorted(folder.glob("*.png")))
    sets = [measure.Labelled("a", paths[:2], ("", ""), ""), measure.Labelled("b", paths[2:], ("",) * 4, "")]
    first, second = measure.answers(ours(), sets)
    solved = load_solver("sliding", runtime="onnx").solve_batch([path.read_bytes() for path in paths])
    assert [answer.text for answer in first + second] == [solution.text for solution in solved]
    assert [answer.confidence for answer in first + second] == pytest.approx([each.confidence for each in solved])
    assert (len(first), len(second)) == (2, 4)


def test_confidence_is_worth_what_it_says_over_all_sets_together() -> None:
    sets = [measure.Labelled("a", (Path("a"),), ("Ab",), ""), measure.Labelled("b", (Path("b"),), ("cd",), "")]
    assert worth(sets, [[PeerAnswer("aB", 0.9)], [PeerAnswer("x", 0.2)]]) == Sureness(1.0, 0.5, 0.5, 0.5)
    assert worth(sets, [[PeerAnswer("aB", 0.9)], [PeerAnswer("x", None)]]) is None


def test_transparent_images_are_laid_on_white_and_others_left_alone(tmp_path: Path) -> None:
    see_through, opaque, palette, none = (tmp_path / name for name in ("a.png", "b.png", "c.png", "d.png"))
    image = Image.new("RGBA", (2, 1), (0, 0, 0, 0))
    image.putpixel((1, 0), (255, 0, 0, 51))  # a fifth of red on four fifths of white
    image.save(see_through)
    Image.new("RGB", (2, 1), "blue").save(opaque)
    Image.new("P", (2, 1), 0).save(palette, transparency=0)
    none.write_bytes(b"no image")
    flat = flattened([see_through, opaque, palette, none], tmp_path / "flat")
    assert (flat[1], flat[3]) == (opaque, none)
    with Image.open(flat[0]) as laid, Image.open(flat[2]) as from_palette:
        assert laid.mode == from_palette.mode == "RGB"
        assert [laid.getpixel((0, 0)), laid.getpixel((1, 0))] == [(255, 255, 255), (255, 204, 204)]
        assert from_palette.getpixel((0, 0)) == (255, 255, 255)


def test_peers_get_the_flat_images_and_ours_the_files_themselves() -> None:
    labelled = measure.Labelled("s", (Path("a.png"),), ("x",), "", flat=(Path("0.png"),))
    given = {each.name: labelled.given_to(each) for each in contenders.contenders()}
    assert given.pop(ours().name) == (Path("a.png"),)
    assert given["ddddocr (default)"] == given["RapidOCR (recogniser)"] == given["Tesseract"] == (Path("0.png"),)


def test_an_answer_in_parts_is_as_sure_as_its_least_sure_part() -> None:
    found = SimpleNamespace(txts=("T-B", "口", "e W"), scores=(0.9, 0.1, 0.7))
    assert rapidocr_adapter.joined(found) == ("TBeW", 0.7)
    assert rapidocr_adapter.joined(SimpleNamespace(txts=None, scores=None)) == ("", 0.0)
    head = "level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext\n"
    line = "4\t1\t1\t1\t1\t0\t4\t4\t56\t17\t-1\t\n"
    words = "5\t1\t1\t1\t1\t1\t4\t4\t20\t17\t80.5\tWu\n5\t1\t1\t1\t1\t2\t30\t4\t30\t17\t50\tRZ\n"
    assert tesseract_adapter.joined(head + line + words) == ("WuRZ", 0.5)
    assert tesseract_adapter.joined(head + line) == ("", 0.0)


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
    rapid = {"RapidOCR (recogniser)", "RapidOCR (with detector)"}
    assert set(missing) == {"ddddocr (default)", "ddddocr (beta)", "Tesseract"} | rapid
    assert "make bench-peers" in str(missing["RapidOCR (recogniser)"])


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
    assert reader["sureness"]["precision_100"] == reader["rates"][0]["folded"] / 5
    assert len(written["rounds"][reader["name"]][0]["each_ms"]) == 3
    assert reader["model_mib"] == pytest.approx(ours().model_bytes / 2**20)
    assert written["sets"][0]["data_sha256"]
    assert (tmp_path / "results.png").read_bytes().startswith(b"\x89PNG")


def test_a_folder_that_is_none_is_one_clear_line(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, [str(tmp_path / "none"), "--out", str(tmp_path / "out")])
    assert done.exit_code == 3
    assert "error: " in done.output
