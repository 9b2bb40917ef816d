import csv
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from PIL import Image

import captcha_solver.cli.read
from captcha_solver import __version__
from captcha_solver.charset import Charset
from captcha_solver.cli.main import main, run
from captcha_solver.decoding.decode import Constraints, parse_length
from captcha_solver.errors import BundleError
from captcha_solver.solver import Solver
from captcha_solver.statistics import wilson
from tests.fakes import FakeRecognizer, picture

TEXTS = ["alpha", "Beta7", "c"]
KEYS = ["file", "text", "confidence", "recognizer", "elapsed_ms", "views", "frames", "failure"]


@pytest.fixture(autouse=True)
def fake_model(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """A model that reads by colour; what was asked for is listed."""
    asked: list[dict[str, Any]] = []

    def load(
        model: str,
        *,
        runtime: str,
        charset: str | None,
        length: str | None,
        views: str,
        fold_case: bool,
        answer: str | None = None,
    ) -> Solver:
        asked.append({
            "model": model, "runtime": runtime, "charset": charset, "length": length, "views": views,
            "fold_case": fold_case, "answer": answer,
        })  # fmt: skip
        low, high = parse_length(length) if length else (None, None)
        return Solver(FakeRecognizer(TEXTS), Constraints(charset, low, high, fold_case, answer))

    monkeypatch.setattr(captcha_solver.cli.read, "load_solver", load)
    return asked


Shell = Callable[..., tuple[int, str, str]]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """a.png reads alpha, b.gif Beta7, c.png c."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name, red in {"a.png": 0, "b.gif": 1, "c.png": 2}.items():
        (folder / name).write_bytes(picture(red, name[-3:]))
    return folder


def labelled(folder: Path, rows: str) -> Path:
    (folder / "labels.csv").write_text(f"filename,label\n{rows}")
    return folder


GOOD = "a.png,alpha\nb.gif,beta7\nc.png,x\n"


def test_solve_jsonl(shell: Shell, pictures: Path) -> None:
    code, out, err = shell("solve", pictures, "--format", "jsonl")
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert err == ""
    assert [list(row) for row in rows] == [KEYS] * 3
    assert [row["file"] for row in rows] == [str(pictures / name) for name in ("a.png", "b.gif", "c.png")]
    assert [row["text"] for row in rows] == TEXTS
    assert [row["failure"] for row in rows] == [None] * 3
    assert rows[0]["confidence"] == pytest.approx(0.9**5, abs=1e-6)
    assert rows[0]["recognizer"] == "fake"
    assert all(row["elapsed_ms"] > 0 for row in rows)


def test_solve_csv_and_table(shell: Shell, pictures: Path) -> None:
    code, out, _ = shell("solve", pictures, "--format", "csv")
    rows = list(csv.reader(io.StringIO(out)))
    assert code == 0
    assert rows[0] == KEYS
    assert [row[1] for row in rows[1:]] == TEXTS
    code, out, _ = shell("solve", pictures / "a.png", pictures / "c.png")
    assert code == 0
    lines = [line.split() for line in out.splitlines() if "png" in line]
    assert [line[:2] for line in lines] == [
        [str(pictures / "a.png"), "alpha"],
        [str(pictures / "c.png"), "c"],
    ]


def test_solve_reads_standard_input(shell: Shell, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = (pictures / "b.gif").read_bytes()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
    code, out, err = shell("solve", pictures / "a.png", "-", "--format", "jsonl")
    assert (code, err) == (0, "")
    rows = [json.loads(line) for line in out.splitlines()]
    assert [(row["file"], row["text"]) for row in rows] == [(str(pictures / "a.png"), TEXTS[0]), ("-", TEXTS[1])]


def test_solve_refuses_standard_input_that_is_no_image(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"")))
    code, _, err = shell("solve", "-")
    assert code == 1
    assert "-: expected an image" in err


def test_solve_says_that_an_animation_has_frames(shell: Shell, pictures: Path) -> None:
    first, second = (Image.open(pictures / "a.png").convert("RGB") for _ in range(2))
    second.paste((0, 0, 200), (first.width - 4, first.height - 4, first.width, first.height))
    first.save(pictures / "moving.png", save_all=True, append_images=[second])
    code, out, err = shell("solve", pictures / "moving.png", pictures / "a.png", "--format", "jsonl")
    assert code == 0
    assert [json.loads(line)["frames"] for line in out.splitlines()] == [2, 1]
    assert err.splitlines() == [
        f"captcha-solver: note: {pictures / 'moving.png'}: 2 frames that differ, read as one picture"
    ]


def test_solve_a_labelled_folder_solves_its_images(shell: Shell, pictures: Path) -> None:
    labelled(pictures, "a.png,alpha\n")
    code, out, _ = shell("solve", pictures, "--format", "jsonl")
    assert code == 0
    assert len(out.splitlines()) == 3


def test_solve_goes_on_after_bad_images(shell: Shell, pictures: Path) -> None:
    (pictures / "a2.png").write_bytes(b"")
    (pictures / "b2.png").write_bytes(picture(0)[:60])
    code, out, err = shell("solve", pictures, pictures / "none.png", "--format", "jsonl")
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 1
    assert [row["text"] for row in rows] == ["alpha", "", "Beta7", "", "c", ""]
    assert [row["failure"] is None for row in rows] == [True, False, True, False, True, False]
    assert "zero bytes" in rows[1]["failure"]
    assert "nothing there" in rows[5]["failure"]
    assert [line.split(": ")[1] for line in err.splitlines()] == ["warning"] * 3
    assert f"{pictures / 'a2.png'}: expected an image" in err.splitlines()[0]


def test_solve_an_empty_answer_is_a_failure(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "blank.png").write_bytes(picture(255))
    code, out, _ = shell("solve", tmp_path / "blank.png", "--format", "jsonl")
    assert code == 1
    assert json.loads(out)["failure"] == "no text found"


def test_solve_nothing_there(shell: Shell, tmp_path: Path, pictures: Path) -> None:
    (tmp_path / "empty").mkdir()
    code, out, err = shell("solve", tmp_path / "none.png")
    assert code == 3
    assert "nothing there" in out
    assert err == f"captcha-solver: error: {tmp_path / 'none.png'}: expected a file, received nothing there\n"
    code, out, err = shell("solve", tmp_path / "empty", "--format", "jsonl")
    assert (code, out) == (3, "")
    assert len(err.splitlines()) == 1
    assert "expected a folder with images" in err
    code, out, err = shell("solve", tmp_path / "empty", pictures, "--format", "jsonl")
    assert code == 1
    assert len(out.splitlines()) == 3


def test_file_names_of_any_bytes(shell: Shell, tmp_path: Path) -> None:
    path = Path(str(tmp_path) + "/\udcff[bold]é.png")
    try:
        path.write_bytes(picture(0))
    except OSError:
        pytest.skip("this file system takes UTF-8 names alone")
    for form in ("table", "jsonl", "csv"):
        code, out, _ = shell("solve", path, "--format", form)
        assert code == 0
        assert "[bold]" in out
        assert "alpha" in out


def test_what_is_known_is_passed_on(shell: Shell, pictures: Path, fake_model: list[dict[str, Any]]) -> None:
    code, out, _ = shell(
        "solve", pictures / "b.gif", "--charset", "lower", "--length", "3-3",
        "--model", "digits", "--runtime", "keras", "--views", "2", "--format", "jsonl",
    )  # fmt: skip
    assert code == 0
    assert json.loads(out)["text"] == "eta"
    assert fake_model == [{
        "model": "digits", "runtime": "keras", "charset": "lower", "length": "3-3", "views": "2", "fold_case": False,
        "answer": None,
    }]  # fmt: skip


def test_characters_that_the_model_lacks_are_told(shell: Shell, pictures: Path) -> None:
    code, _, err = shell("solve", pictures / "a.png", "--charset", "alph#é")
    assert code == 0
    assert err == "captcha-solver: warning: model sliding does not have '#é' of the charset\n"


def test_score_json(shell: Shell, pictures: Path) -> None:
    code, out, err = shell("score", labelled(pictures, GOOD), "--format", "json")
    report = json.loads(out)
    assert code == 0
    assert err == ""
    assert report["model"] == "fake"
    assert report["runtime"] == "none"  # as the recognizer says, whatever was asked for
    assert report["version"] == __version__
    assert report["model_sha256"] == "f" * 64
    (measured,) = report["sets"]
    assert {"name", "n", "solved", "accuracy", "ci95", "cer", "ms_per_image"} <= set(measured)
    assert (measured["name"], measured["n"], measured["solved"]) == ("pictures", 3, 1)
    assert measured["accuracy"] == pytest.approx(1 / 3)
    assert measured["ci95"] == pytest.approx(wilson(1, 3))
    assert measured["cer"] == pytest.approx(2 / 11)
    assert measured["ms_per_image"] > 0
    assert len(measured["data_sha256"]) == 64


def test_score_options(shell: Shell, pictures: Path) -> None:
    labelled(pictures, GOOD)
    _code, out, _ = shell("score", pictures, "--format", "json", "--fold-case", "--limit", "2")
    (measured,) = json.loads(out)["sets"]
    assert (measured["n"], measured["solved"], measured["cer"]) == (2, 2, 0)


def test_with_case_folded_a_charset_means_both_cases(shell: Shell, pictures: Path) -> None:
    labelled(pictures, GOOD.replace("alpha", "x"))
    options = ["score", pictures, "--format", "json", "--charset", "lower+digits"]
    solved = {}
    for more in ([], ["--fold-case"]):
        code, out, err = shell(*options, *more)
        assert (code, err) == (0, "")
        solved[len(more)] = json.loads(out)["sets"][0]["solved"]
    assert solved == {0: 0, 1: 1}


def test_of_the_other_case_nothing_lacks(shell: Shell, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeRecognizer(["abc"] * 3, charset=Charset("abc"))
    monkeypatch.setattr(captcha_solver.cli.read, "load_solver", lambda *_, **__: Solver(fake, Constraints()))
    labelled(pictures, GOOD)
    lacks = "captcha-solver: warning: model sliding does not have '{}' of the charset"
    assert lacks.format("ABCD") in shell("score", pictures, "--charset", "ABCD")[2]
    assert lacks.format("D") in shell("score", pictures, "--charset", "ABCD", "--fold-case")[2]


def test_score_table(shell: Shell, pictures: Path) -> None:
    labelled(pictures, GOOD)
    code, out, _ = shell("score", pictures, pictures)
    assert code == 0
    rows = [line.split() for line in out.splitlines()]
    assert ["set", "n", "solved", "rate", "95", "%", "interval", "cer", "ms/image"] in rows
    assert ["pictures", "3", "1", "33.3", "%", "6.1-79.2", "%"] in [row[:7] for row in rows]
    assert any(row[:1] == [str(pictures)] for row in rows)  # the second of a name goes by its path
    assert ["mean", "of", "the", "sets", "6", "33.3", "%"] in rows
    assert "model fake ffffffffffff" in out


def test_score_keeps_what_is_wrong_in_the_denominator(shell: Shell, pictures: Path) -> None:
    (pictures / "broken.png").write_bytes(b"broken")
    (pictures / "zero.png").write_bytes(b"")
    rows = GOOD + "gone.png,q\na.png,alpha\nbroken.png,q\nzero.png,q\n"
    (pictures / "d.png").write_bytes(picture(0))
    (pictures / "e.png").write_bytes(picture(0))
    code, out, err = shell("score", labelled(pictures, rows + "d.png,\ne.png,é#\n"), "--format", "json")
    (measured,) = json.loads(out)["sets"]
    assert code == 1
    assert (measured["n"], measured["solved"], measured["problems"]) == (8, 1, 6)
    lines = err.splitlines()
    assert len(lines) == 6
    assert all(line.startswith("captcha-solver: warning: pictures: ") for line in lines)
    for wrong in (
        "row 5: 'gone.png': expected a file, received nothing there",
        "row 2: duplicate of row 2 ('a.png'), counted once",
        "row 9: expected a label for 'd.png', received an empty one",
        "1 labels hold characters the model does not have (#é): not solved",
        "broken.png: expected an image",
        "zero.png: expected an image (PNG, JPEG, GIF, BMP or WEBP), received zero bytes",
    ):
        assert wrong in err


def test_score_names_images_that_are_left_out(shell: Shell, pictures: Path) -> None:
    code, _, err = shell("score", labelled(pictures, "a.png,alpha\n"))
    assert (code, err) == (0, "captcha-solver: note: pictures: 2 images without a label in labels.csv\n")


def test_score_many_problems_are_counted_not_all_listed(shell: Shell, pictures: Path) -> None:
    rows = "".join(f"gone{i}.png,q\n" for i in range(30))
    code, out, err = shell("score", labelled(pictures, GOOD + rows), "--format", "json")
    assert code == 1
    assert json.loads(out)["sets"][0]["n"] == 33
    assert len(err.splitlines()) == 9
    assert "and 22 more" in err


def test_what_a_folder_holds_besides_is_told(shell: Shell, pictures: Path) -> None:
    (pictures / "notes.txt").write_text("not an image")
    (pictures / "other").mkdir()
    (pictures / "odd.php").write_bytes((pictures / "a.png").read_bytes())
    expected = [
        "1 file skipped, of no format that is read: 'notes.txt'",
        "1 folder not looked into: 'other'",
    ]
    code, out, err = shell("solve", pictures, "--format", "jsonl")
    assert code == 0
    assert [Path(json.loads(line)["file"]).name for line in out.splitlines()].count("odd.php") == 1
    assert err.splitlines() == [f"captcha-solver: note: {pictures}: {note}" for note in expected]
    expected.insert(0, "1 image without a label in labels.csv")
    code, out, err = shell("score", labelled(pictures, GOOD), "--format", "json")
    assert code == 0
    assert json.loads(out)["sets"][0]["n"] == len(GOOD.splitlines())
    assert err.splitlines() == [f"captcha-solver: note: pictures: {note}" for note in expected]


def test_score_no_text_found_is_an_answer(shell: Shell, pictures: Path) -> None:
    (pictures / "blank.png").write_bytes(picture(255))
    code, out, err = shell("score", labelled(pictures, GOOD + "blank.png,q\n"), "--format", "json")
    assert (code, err) == (0, "")
    assert json.loads(out)["sets"][0]["n"] == 4


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (b"file;label\n", "row 1: expected the header filename,label, received 'file;label'"),
        (b"filename,label\na.png,caf\xe9\n", "row 2: expected UTF-8, received byte 0xe9"),
        (b"filename,label\n", "expected a row for each image"),
        (None, "received 3 images without it"),
    ],
)
def test_score_a_broken_folder(shell: Shell, pictures: Path, labels: bytes | None, message: str) -> None:
    if labels is not None:
        (pictures / "labels.csv").write_bytes(labels)
    code, out, err = shell("score", pictures)
    assert (code, out) == (3, "")
    assert len(err.splitlines()) == 1
    assert err.startswith("captcha-solver: error: ")
    assert message in err


def test_score_goes_on_after_a_broken_folder(shell: Shell, pictures: Path, tmp_path: Path) -> None:
    labelled(pictures, GOOD)
    (tmp_path / "empty").mkdir()
    code, out, err = shell("score", tmp_path / "none", tmp_path / "empty", pictures, "--format", "json")
    assert code == 1
    assert [measured["name"] for measured in json.loads(out)["sets"]] == ["pictures"]
    assert len(err.splitlines()) == 2
    assert "a folder without images" in err


@pytest.mark.parametrize(
    "arguments",
    [
        ["solve", "PICTURES", "--length", "9-2"],
        ["solve", "PICTURES", "--length", "0"],
        ["solve", "PICTURES", "--charset", "a b"],
        ["solve", "PICTURES", "--charset", "#!"],
        ["solve", "PICTURES", "--runtime", "torch"],
        ["solve", "PICTURES", "--format", "xml"],
        ["solve", "PICTURES", "--quick"],
        ["solve"],
        ["score"],
        ["score", "PICTURES", "--limit", "0"],
        ["score", "PICTURES", "--length", "x"],
        ["draw", "plain", "--out", "x"],
        ["draw", "plain", "--count", "0", "--out", "x"],
        ["draw", "plain", "--count", "1", "--out", "x", "--seed", "-1"],
        ["train", "plain"],
        ["train", "plain", "--out", "x", "--minutes", "0"],
        ["train", "plain", "--out", "x", "--route", "walking"],
        ["nonsense"],
    ],
    ids=" ".join,
)
def test_usage_errors(shell: Shell, pictures: Path, arguments: list[str]) -> None:
    labelled(pictures, GOOD)
    code, out, err = shell(*(pictures if argument == "PICTURES" else argument for argument in arguments))
    assert (code, out) == (2, "")
    assert err


def test_an_impossible_length_says_what_is_expected(shell: Shell, pictures: Path) -> None:
    _, _, err = shell("solve", pictures, "--length", "9-2")
    assert err == (
        "captcha-solver: error: expected a length N or a range A-B with 1 <= A <= B (4, or 4-6), received '9-2'\n"
    )


def test_an_unknown_model_lists_the_valid_ones(shell: Shell, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from captcha_solver.solver import load_solver

    shipped = {"digits": pictures, "sliding": pictures}
    monkeypatch.setattr(captcha_solver.cli.read, "load_solver", load_solver)
    monkeypatch.setattr("captcha_solver.recognizers.shipped_bundles", lambda: shipped)
    code, _, err = shell("solve", pictures, "--model", "slidng")
    assert code == 2
    assert "digits, sliding" in err
    code, _, err = shell("solve", pictures, "--model", pictures)
    assert code == 3
    assert "bundle.json" in err


def test_draw_is_deterministic_and_complete(shell: Shell, tmp_path: Path) -> None:
    for name, seed, count in (("one", 7, 5), ("two", 7, 5), ("three", 8, 5), ("more", 7, 8)):
        code, out, err = shell("draw", "plain", "--count", count, "--out", tmp_path / name, "--seed", seed)
        assert (code, err) == (0, "")
        assert str(tmp_path / name) in out
    one, two, three, more = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
        for name in ("one", "two", "three", "more")
    )
    assert one == two
    assert sorted(one) == ["00000.png", "00001.png", "00002.png", "00003.png", "00004.png", "labels.csv"]
    assert one != three
    assert {name: more[name] for name in one if name != "labels.csv"} == {
        name: data for name, data in one.items() if name != "labels.csv"
    }
    assert more["labels.csv"].startswith(one["labels.csv"])
    code, _, err = shell("draw", "plain", "--count", 1, "--out", tmp_path / "one")
    assert code == 2
    assert "expected a new or empty folder" in err


def test_drawn_folders_can_be_scored(shell: Shell, tmp_path: Path) -> None:
    shell("draw", "night", "--count", 4, "--out", tmp_path / "set")
    _code, out, _ = shell("score", tmp_path / "set", "--format", "json")
    assert json.loads(out)["sets"][0]["n"] == 4


def test_draw_a_design_that_is_a_command(shell: Shell, tmp_path: Path) -> None:
    design = tmp_path / "mine.toml"
    script = "import sys, pathlib; p = pathlib.Path(sys.argv[1]); (p / 'a.png').touch();"
    script += "(p / 'labels.csv').write_text('filename,label\\na.png,' + sys.argv[2] + '\\n')"
    (tmp_path / "draw.py").write_text(script)
    design.write_text(
        f'name = "mine"\nsummary = "s"\n[command]\nargv = ["{{python}}", "{tmp_path}/draw.py", "{{out}}", "{{seed}}"]\n'
    )
    code, _, err = shell("draw", design, "--count", 1, "--out", tmp_path / "set", "--seed", 9)
    assert (code, err) == (0, "")
    assert (tmp_path / "set" / "labels.csv").read_text() == "filename,label\na.png,9\n"


def test_draw_broken_designs_and_folders(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "bad.toml").write_text('name = "x"\nsummary = "y"\nflavour = 3\n')
    for arguments, message in (
        (["draw", "plain", "--count", 1, "--out", tmp_path / "file" / "x"], "folder that can be written"),
        (["draw", tmp_path / "bad.toml", "--count", 1, "--out", tmp_path / "x"], "flavour"),
        (["draw", "no-such", "--count", 1, "--out", tmp_path / "x"], "plain"),
    ):
        code, out, err = shell(*arguments)
        assert (code, out) == (3, "")
        assert len(err.splitlines()) == 1
        assert message in err
    assert not (tmp_path / "x").exists()


def test_train_passes_the_request_on(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from captcha_solver.training import run as training

    asked: list[training.TrainRequest] = []

    def fake_run(request: training.TrainRequest) -> Path:
        asked.append(request)
        return request.out

    monkeypatch.setattr(training, "run", fake_run)
    out = tmp_path / "bundle"
    code, shown, _ = shell("train", "plain", "wild:3", "--out", out)
    assert code == 0
    assert str(out) in shown
    code, _, _ = shell(
        "train", "set", "--out", out, "--route", "segmented", "--from", "sliding", "--labels", 50,
        "--steps", 20, "--batch", 8, "--learning-rate", 0.01, "--seed", 4, "--workers", 2,
    )  # fmt: skip
    assert code == 0
    first, second = asked
    assert (first.sources, first.out, first.route, first.start_from) == (
        ("plain", "wild:3"),
        out,
        "sliding",
        None,
    )
    assert first.options == training.TrainOptions(seed=0, workers=1)  # the rest is the route's to choose
    assert (second.route, second.start_from, second.labels) == ("segmented", "sliding", 50)
    assert second.options == training.TrainOptions(max_steps=20, batch=8, learning_rate=0.01, seed=4, workers=2)


def test_an_interrupted_training_says_how_to_go_on(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(request: object) -> Path:
        raise KeyboardInterrupt("interrupted at step 7; run the same command again to resume")

    monkeypatch.setattr("captcha_solver.training.run.run", interrupted)
    code, out, err = shell("train", "plain", "--out", tmp_path / "x")
    assert (code, out) == (130, "")
    assert err.strip() == "captcha-solver: stopped: interrupted at step 7; run the same command again to resume"


def test_designs_and_models(shell: Shell) -> None:
    code, out, _ = shell("designs")
    assert code == 0
    for name in ("plain", "wild"):
        assert any(line.split()[:1] == [name] for line in out.splitlines())
    code, out, _ = shell("models")
    assert code == 0
    assert "route" in out


def test_help_and_version(shell: Shell) -> None:
    code, out, _ = shell("--help")
    assert code == 0
    for name in ("solve", "score", "draw", "train", "designs", "models", "doctor"):
        assert name in out
        assert shell(name, "--help")[0] == 0
    assert shell("--version")[1].strip().endswith(__version__)


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (BundleError("expected\na bundle"), 3, "captcha-solver: error: expected a bundle\n"),
        (
            PermissionError(13, "Permission denied", "x"),
            3,
            "captcha-solver: error: [Errno 13] Permission denied: 'x'\n",
        ),
        (click.FileError("x", "broken"), 3, "captcha-solver: error: "),
        (KeyboardInterrupt(), 130, "captcha-solver: stopped: interrupted\n"),
        (ZeroDivisionError("by zero"), 3, "captcha-solver: unexpected: ZeroDivisionError: by zero"),
    ],
)
def test_what_goes_wrong_is_one_line(
    error: BaseException, code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    @click.command()
    def broken() -> None:
        raise error

    assert run(broken, "broken", []) == code
    assert capsys.readouterr().err.strip().startswith(message.strip())


def test_debug_shows_where(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: object, **options: object) -> Solver:
        raise ZeroDivisionError

    monkeypatch.setattr(captcha_solver.cli.read, "load_solver", broken)
    with pytest.raises(ZeroDivisionError):
        main(["--debug", "solve", str(pictures)])


def test_a_bar_is_shown_on_a_terminal_alone(
    shell: Shell, pictures: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, plain, err = shell("solve", pictures, "--format", "csv")
    assert err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    code = main(["solve", str(pictures), "--format", "csv"])
    out, err = capsys.readouterr()
    assert code == 0
    assert "solving" in err
    assert [row.split(",")[:2] for row in out.splitlines()] == [row.split(",")[:2] for row in plain.splitlines()]
