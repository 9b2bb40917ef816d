from pathlib import Path

import pytest

from captcha_solver.dataset import (
    Dataset,
    inspect_folder,
    read_folder,
    writable_folder,
    write_folder,
)
from captcha_solver.errors import DatasetError, OptionError, SetupError
from captcha_solver.types import Sample


def folder_of(path: Path, labels: str | bytes, names: str = "a.png b.png c.png") -> Path:
    """A folder whose images are their own names, with the given labels.csv."""
    path.mkdir(exist_ok=True)
    for name in names.split():
        (path / name).write_bytes(name.encode())
    (path / "labels.csv").write_bytes(labels.encode() if isinstance(labels, str) else labels)
    return path


def pairs(dataset: Dataset) -> list[tuple[str, str]]:
    return [(sample.id, sample.text) for sample in dataset.samples]


GOOD = [("a.png", "one"), ("b.png", "2 x"), ("c.png", "Drei")]


@pytest.mark.parametrize(
    "labels",
    [
        "filename,label\na.png,one\nb.png,2 x\nc.png,Drei\n",
        "filename,label\r\na.png,one\r\nb.png,2 x\r\nc.png,Drei\r\n",
        "filename,label\ra.png,one\rb.png,2 x\rc.png,Drei",
        "\ufefffilename,label\na.png,one\nb.png,2 x\nc.png,Drei",
        '\ufeff"filename","label"\r\n"a.png","one"\r\n\r\nb.png, 2 x \r\nc.png,Drei\r\n\r\n',
        "Filename,LABEL\na.png,one\nb.png,2 x\nc.png,Drei\n",
    ],
    ids=["LF", "CRLF", "CR", "BOM", "quotes, blank lines and blanks", "capitals"],
)
def test_every_way_to_end_a_line(tmp_path: Path, labels: str) -> None:
    dataset = inspect_folder(folder_of(tmp_path / "set", labels))
    assert pairs(dataset) == GOOD
    assert dataset.problems == ()
    assert dataset.name == "set"
    assert [sample.image for sample in dataset.samples] == [b"a.png", b"b.png", b"c.png"]
    assert {sample.design for sample in dataset.samples} == {"set"}


def test_the_limit_takes_the_first_rows(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "set", "filename,label\na.png,one\nb.png,2 x\nc.png,Drei\n")
    assert pairs(inspect_folder(folder, limit=2)) == GOOD[:2]
    assert [sample.id for sample in read_folder(folder, limit=1)] == ["a.png"]


PROBLEMS = {
    "missing file": ("z.png,q", [("z.png", "q")], "row 3: 'z.png': expected a file, received nothing there"),
    "empty label": ("b.png,", [("b.png", "")], "row 3: expected a label for 'b.png', received an empty one"),
    "no label": ("b.png", [("b.png", "")], "row 3: expected a label for 'b.png'"),
    "three fields": ("b.png,x,y", [("b.png", "")], "row 3: expected 2 fields, received 3"),
    "duplicate": ("a.png,one", [], "row 2: duplicate of row 2 ('a.png'), counted once"),
    "two labels": ("a.png,two", None, "row 2: 'a.png' has two labels, 'one' and 'two' (row 3)"),
    "above": ("../a.png,q", [("../a.png", "q")], "row 3: expected the name of a file in the folder"),
    "absolute": (
        "/etc/hostname,q",
        [("/etc/hostname", "q")],
        "row 3: expected the name of a file in the folder",
    ),
    "no name": (",q", [("", "q")], "row 3: expected the name of a file in the folder, received ''"),
    "a folder": ("sub,q", [("sub", "q")], "row 3: 'sub': expected a file, received a folder"),
}


@pytest.mark.parametrize("name", list(PROBLEMS))
def test_a_wrong_row_is_named_and_keeps_its_place(tmp_path: Path, name: str) -> None:
    row, added, problem = PROBLEMS[name]
    folder = folder_of(tmp_path / "set", f"filename,label\na.png,one\n{row}\nc.png,Drei\n")
    (folder / "sub").mkdir()
    dataset = inspect_folder(folder)
    first = ("a.png", "one") if added is not None else ("a.png", "")
    assert pairs(dataset) == [first, *(added or []), ("c.png", "Drei")]
    assert len(dataset.problems) == 1
    assert problem in dataset.problems[0]
    with pytest.raises(DatasetError, match="row"):
        read_folder(folder)


def test_missing_files_have_no_bytes_and_are_listed(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "set", "filename,label\nx.png,1\na.png,2\ny.png,3\n")
    dataset = inspect_folder(folder)
    assert dataset.missing == {"x.png", "y.png"}
    assert [sample.image for sample in dataset.samples] == [b"", b"a.png", b""]
    with pytest.raises(DatasetError, match=r"x\.png.*\(and 1 more\)"):
        read_folder(folder)


def test_images_without_a_label_are_counted(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "set", "filename,label\na.png,one\n")
    assert inspect_folder(folder).unlabelled == 2


UNUSABLE: dict[str, tuple[str | bytes, str]] = {
    "wrong header": (
        "file;text\na.png;one\n",
        "row 1: expected the header filename,label, received 'file;text'",
    ),
    "no header": ("a.png,one\n", "row 1: expected the header filename,label, received 'a.png,one'"),
    "swapped header": ("label,filename\none,a.png\n", "row 1: expected the header"),
    "late header": ("\n\nname,text\n", "row 3: expected the header"),
    "empty file": ("", "row 1: expected the header filename,label, received an empty file"),
    "header alone": ("filename,label\n", "expected a row for each image below the header, received none"),
    "latin-1": (b"filename,label\na.png,one\nb.png,caf\xe9\n", "row 3: expected UTF-8, received byte 0xe9"),
    "utf-16": ("filename,label\na.png,one\n".encode("utf-16"), "row 1: expected UTF-8, received byte 0xff"),
    "open quote": ('filename,label\na.png,one\nb.png,"two\n', "row 3: expected filename,label"),
    "no image of all": (
        "filename,label\nx.png,1\ny.png,2\n",
        "expected images, received 2 rows and no image",
    ),
}


@pytest.mark.parametrize("name", list(UNUSABLE))
def test_an_unusable_file_is_one_clear_error(tmp_path: Path, name: str) -> None:
    labels, message = UNUSABLE[name]
    folder = folder_of(tmp_path / "set", labels)
    for read in (inspect_folder, read_folder):
        with pytest.raises(DatasetError) as caught:
            read(folder)
        assert message in str(caught.value)
        assert str(folder) in str(caught.value)


def test_folders_that_are_no_datasets(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    (pictures / "a.PNG").touch()
    for name, message in {
        "none": "expected a folder, received nothing there",
        "file": "expected a folder, received a file",
        "empty": "received a folder without images",
        "pictures": "received 1 image without it",
    }.items():
        with pytest.raises(DatasetError, match=message):
            inspect_folder(tmp_path / name)


def test_hash_depends_on_names_labels_and_images(tmp_path: Path) -> None:
    labels = "filename,label\na.png,one\nb.png,two\n"
    first = inspect_folder(folder_of(tmp_path / "x", labels)).sha256
    assert inspect_folder(folder_of(tmp_path / "y", labels)).sha256 == first
    changed = [
        folder_of(tmp_path / "label", labels.replace("two", "twp")),
        folder_of(tmp_path / "name", labels.replace("b.png", "c.png")),
        folder_of(tmp_path / "less", "filename,label\na.png,one\n"),
        folder_of(tmp_path / "image", labels),
    ]
    (changed[-1] / "b.png").write_bytes(b"another")
    hashes = {inspect_folder(folder).sha256 for folder in changed}
    assert len(hashes | {first}) == 5


SAMPLES = [Sample("00000", b"first", "ab", "plain"), Sample("own.gif", b"second", 'c,"d', "plain")]


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "set"
    assert write_folder(iter(SAMPLES), folder) == 2
    read = read_folder(folder)
    assert [(sample.id, sample.text, sample.image) for sample in read] == [
        ("00000.png", "ab", b"first"),
        ("own.gif", 'c,"d', b"second"),
    ]
    assert sorted(path.name for path in folder.iterdir()) == ["00000.png", "labels.csv", "own.gif"]


def test_nothing_is_overwritten_or_mixed(tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("mine")
    with pytest.raises(OptionError, match=r"new or empty folder, received one that holds precious\.txt"):
        write_folder(SAMPLES, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["precious.txt"]


def test_a_broken_off_folder_has_no_labels(tmp_path: Path) -> None:
    def broken() -> object:
        yield SAMPLES[0]
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError):
        write_folder(broken(), tmp_path / "set")  # type: ignore[arg-type]
    assert not (tmp_path / "set" / "labels.csv").exists()


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(SetupError, match="expected a folder that can be written to"):
            writable_folder(folder)
        with pytest.raises(SetupError):
            write_folder(SAMPLES, folder)
    assert writable_folder(tmp_path / "x" / "y").is_dir()
    assert list((tmp_path / "x" / "y").iterdir()) == []
