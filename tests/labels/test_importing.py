"""Labelled images in other people's layouts become a folder with ``labels.csv``; what cannot be used is told."""

import json
import zipfile
from pathlib import Path

import pytest

from captcha_solver.dataset import read_folder
from captcha_solver.errors import DatasetError, OptionError
from captcha_solver.folders.labels_csv import LabelUse
from captcha_solver.labels.finding import How
from captcha_solver.labels.importing import import_folder
from tests.labels.layouts import COUNT, LAYOUTS, TEXTS, named, numbered, png, tabled

WANTED = {png(number): text for number, text in enumerate(TEXTS)}


def pairs(folder: Path) -> dict[bytes, str]:
    return {sample.image: sample.text for sample in read_folder(folder)}


@pytest.mark.parametrize("layout", list(LAYOUTS))
def test_a_layout(tmp_path: Path, layout: str) -> None:
    kind, make = LAYOUTS[layout]
    source = tmp_path / "theirs"
    make(source)
    before = {path: path.stat().st_mtime_ns for path in source.rglob("*")}
    for number, asked in enumerate((kind, None)):
        imported = import_folder(source, tmp_path / f"ours-{number}", How(asked))
        assert imported.left_out == ()
        assert pairs(tmp_path / f"ours-{number}") == WANTED
        assert len(imported.pairs) == COUNT
    assert {path: path.stat().st_mtime_ns for path in source.rglob("*")} == before


def test_two_images_of_one_label(tmp_path: Path) -> None:
    for number, name in enumerate(("abcd.png", "abcd_1.png", "efgh (1).png", "efgh.png")):
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / name).write_bytes(png(number))
    import_folder(tmp_path / "in", tmp_path / "out", How())
    assert pairs(tmp_path / "out") == {png(0): "abcd", png(1): "abcd", png(2): "efgh", png(3): "efgh"}


@pytest.mark.parametrize(
    ("names", "pattern"),
    [
        ("x{0:04}{1}.png", r"x\d{4}(?P<label>\w+)\."),
        ("x{0:04}{1}.png", r"^x\d{4}(\w+)\.png$"),
        ("{1}/{0}.png", r"(?P<label>[^/]+)/\d+\.png$"),
    ],
)
def test_a_pattern(tmp_path: Path, names: str, pattern: str) -> None:
    named(names)(tmp_path / "in")
    import_folder(tmp_path / "in", tmp_path / "out", How(pattern=pattern))
    assert pairs(tmp_path / "out") == WANTED


@pytest.mark.parametrize("columns", [("b", "d"), ("2", "4"), ("B", "4")])
def test_columns_that_are_asked_for(tmp_path: Path, columns: tuple[str, str]) -> None:
    tabled("t.csv", "x{0},{0}.png,y{0},{1}", "a,b,c,d\n")(tmp_path / "in")
    with pytest.raises(
        DatasetError, match=r"t\.csv: expected one column with labels, received the columns a, b, c, d; --columns"
    ):
        import_folder(tmp_path / "in", tmp_path / "none", How("csv"))
    imported = import_folder(tmp_path / "in", tmp_path / "out", How(columns=columns))
    assert pairs(tmp_path / "out") == WANTED
    assert imported.labels.told == "t.csv, image in column 'b', label in column 'd'"
    with pytest.raises(OptionError, match=r"expected columns of t\.csv \(the columns a, b, c, d\), received '5'"):
        import_folder(tmp_path / "in", tmp_path / "none", How(columns=("1", "5")))


def test_names_that_could_be_labels_do_not_mislead(tmp_path: Path) -> None:
    """Images 0000 to 0029, and labels of four digits, some of which are names of other images."""
    numbered(tmp_path / "in", "{0:04}.png")
    digits = [f"{(7 * number) % 40:04}" for number in range(COUNT)]
    (tmp_path / "in" / "t.csv").write_text("".join(f"{text},{n:04}\n" for n, text in enumerate(digits)))
    import_folder(tmp_path / "in", tmp_path / "out", How())
    assert pairs(tmp_path / "out") == {png(number): text for number, text in enumerate(digits)}


def test_of_two_tables_the_one_that_fits_more_and_the_other_is_told(tmp_path: Path) -> None:
    tabled("all.csv", "{0}.png,{1}")(tmp_path / "in")
    (tmp_path / "in" / "few.csv").write_text("0.png,WRONG\n1.png,WRONG\n")
    imported = import_folder(tmp_path / "in", tmp_path / "out", How())
    assert pairs(tmp_path / "out") == WANTED
    assert imported.left_out == ("not used, though it fits too: few.csv, image in column 1, label in column 2",)
    import_folder(tmp_path / "in" / "few.csv", tmp_path / "two", How())
    assert pairs(tmp_path / "two") == {png(0): "WRONG", png(1): "WRONG"}


def test_what_cannot_be_used_is_counted_and_told(tmp_path: Path) -> None:
    tabled("t.csv", "{0}.png,{1}", "file,label\ngone.png,X\n28.png,\n")(tmp_path / "in")
    (tmp_path / "in" / "more.png").write_bytes(png(40))
    (tmp_path / "in" / "29.png").write_bytes(b"no image")
    imported = import_folder(tmp_path / "in", tmp_path / "out", How())
    assert imported.labels.use == LabelUse(31, 29, 1, 1, ("gone.png",), imported.labels.use.problems)
    lost = imported.left_out
    assert lost[0] == "1 row of t.csv names no image: 'gone.png'"
    assert lost[1].startswith("1 row of t.csv gives no label: '28.png' has two labels, '' and ")
    assert lost[2] == "1 image without a label in t.csv"
    assert lost[3].startswith("29.png is not taken: expected an image")
    assert len(lost) == 4
    assert pairs(tmp_path / "out") == {png(n): TEXTS[n] for n in range(28)}


def test_images_of_one_name_in_two_folders(tmp_path: Path) -> None:
    for number, folder in enumerate(("train", "test")):
        path = tmp_path / "in" / folder / "0.png"
        path.parent.mkdir(parents=True)
        path.write_bytes(png(number))
    (tmp_path / "in" / "t.csv").write_text("test/0.png,two\ntrain/0.png,one\n")
    imported = import_folder(tmp_path / "in", tmp_path / "out", How())
    assert pairs(tmp_path / "out") == {png(0): "one", png(1): "two"}
    assert {name for name, _ in imported.pairs} == {"train_0.png", "test_0.png"}


def test_a_zip(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "theirs.zip", "w") as archive:
        for number in range(COUNT):
            archive.writestr(f"theirs/images/{number}.png", png(number))
        archive.writestr("theirs/answers.json", json.dumps({f"{n}": text for n, text in enumerate(TEXTS)}))
        archive.writestr("__MACOSX/theirs/images/._0.png", b"junk")
    import_folder(tmp_path / "theirs.zip", tmp_path / "out", How())
    assert pairs(tmp_path / "out") == WANTED


def test_a_name_without_the_suffix_of_an_image_gets_one(tmp_path: Path) -> None:
    named("{1}.php")(tmp_path / "in")
    imported = import_folder(tmp_path / "in", tmp_path / "out", How())
    assert pairs(tmp_path / "out") == WANTED
    assert imported.pairs[0][0].endswith(".php.png")


def test_what_is_no_source(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="expected a folder, a zip or a table, received nothing there"):
        import_folder(tmp_path / "gone", tmp_path / "out", How())
    (tmp_path / "x.rar").write_bytes(b"Rar!")
    with pytest.raises(DatasetError, match=r"expected a folder, a zip or a table \(csv, tsv, json, txt\)"):
        import_folder(tmp_path / "x.rar", tmp_path / "out", How())
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="expected images, received none"):
        import_folder(tmp_path / "empty", tmp_path / "out", How())
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("file", "content", "kind", "message"),
    [
        ("t.json", "{", "json", r"t\.json: expected JSON, received"),
        ("t.json", "[" * 100_000, "json", r"t\.json: expected JSON, received one that is nested too deep"),
        ("t.json", '{"a": true}', "json", "expected a JSON list of objects or labels"),
        ("t.txt", "one\ntwo\n", "txt", r"as many labels as there are images \(30\), received 2"),
        ("t.csv", "a,b\nc,d\n", "csv", r"t\.csv: expected a column that names the images, received 2 columns"),
        ("t.csv", "0.png,\n1.png,\n", "csv", "expected one column with labels"),
    ],
)
def test_what_is_no_table(tmp_path: Path, file: str, content: str, kind: str, message: str) -> None:
    numbered(tmp_path / "in")
    (tmp_path / "in" / file).write_text(content)
    with pytest.raises(DatasetError, match=message):
        import_folder(tmp_path / "in", tmp_path / "out", How(kind))


def test_options_that_do_not_fit() -> None:
    with pytest.raises(OptionError, match="a pattern is for labels in file names"):
        How("csv", pattern="(.)")
    with pytest.raises(OptionError, match="columns are for tables"):
        How("name", columns=("1", "2"))


@pytest.mark.parametrize(("pattern", "message"), [("(", "expected a regular expression"), ("abc", "with a group")])
def test_a_pattern_that_is_none(tmp_path: Path, pattern: str, message: str) -> None:
    numbered(tmp_path / "in")
    with pytest.raises(OptionError, match=message):
        import_folder(tmp_path / "in", tmp_path / "out", How(pattern=pattern))


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    numbered(tmp_path / "in")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "x").touch()
    with pytest.raises(OptionError, match="expected a new or empty folder"):
        import_folder(tmp_path / "in", tmp_path / "out", How())
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["x"]
