"""What lies in a folder: pictures are known by content, and what is none is told."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from captcha_solver.dataset import inspect_folder, unread
from captcha_solver.errors import DatasetError
from captcha_solver.folders.contents import Finder, look_into
from captcha_solver.image import FORMATS, HEAD_BYTES, is_picture


def encoded(form: str) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.full((20, 30, 3), 200, np.uint8)).save(stream, form)
    return stream.getvalue()


@pytest.mark.parametrize("form", FORMATS)
def test_each_format_is_known_by_its_first_bytes(form: str) -> None:
    assert is_picture(encoded(form)[:HEAD_BYTES])
    assert not is_picture(encoded(form)[:2])


@pytest.mark.parametrize("head", [b"", b"BM", b"BMW sells cars, and this is a text", b"RIFF\0\0\0\0WAVEfmt ", b"<?php"])
def test_what_is_none(head: bytes) -> None:
    assert not is_picture(head)


def filled(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def test_pictures_by_content_whatever_they_are_called(tmp_path: Path) -> None:
    files = {"a.jfif": "JPEG", "b.jpe": "JPEG", "c": "PNG", "d.php": "PNG", ".hidden": "GIF", "e.webp": "WEBP"}
    folder = filled(tmp_path, {name: encoded(form) for name, form in files.items()})
    filled(folder, {"broken.png": b"no image", "EMPTY.PNG": b"", "labels.csv": b"", "._e.webp": b"\0\5\x16\7"})
    filled(folder, {".DS_Store": b"x", "Thumbs.db": b"x", "notes.txt": b"x", "f.svg": b"<svg/>", "sub/g.png": b"x"})
    (folder / "x.png").mkdir()
    os.mkfifo(folder / "pipe.png")
    found = look_into(folder)
    assert {path.name for path in found.files} == {*files, "broken.png", "EMPTY.PNG"}
    assert [path.name for path in found.files] == sorted(path.name for path in found.files)
    assert found.skipped == ("f.svg", "notes.txt", "pipe.png")
    assert found.folders == ("sub", "x.png")
    assert found.told() == (
        "3 files skipped, of no format that is read: 'f.svg', 'notes.txt', 'pipe.png'",
        "2 folders not looked into: 'sub', 'x.png'",
    )
    assert found.told(used={"f.svg", "notes.txt", "pipe.png", "sub", "x.png"}) == ()


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="expected a folder that can be read"):
        look_into(tmp_path / "none")


def test_files_are_found_however_the_disk_spells_them(tmp_path: Path) -> None:
    filled(tmp_path, {"e\u0301.png": b"1", "sub\\a.png": b"2", "deep/cafe\u0301.png": b"3", "plain.png": b"4"})
    finder = Finder(tmp_path)
    for name, data in {"\u00e9.png": b"1", "sub/a.png": b"2", "deep/caf\u00e9.png": b"3", "plain.png": b"4"}.items():
        assert finder.path(name).read_bytes() == data
    assert not finder.path("other.png").exists()
    finder.path("x" * 5000)  # raises nothing


def test_a_folder_whose_labels_spell_names_in_other_ways(tmp_path: Path) -> None:
    folder = filled(tmp_path / "set", {"a.png": b"1", "e\u0301.png": b"2", "sub/b.png": b"3", "sub/c.png": b"4"})
    filled(folder, {"d.jfif": encoded("JPEG"), "other/x.png": b"5", "readme.md": b"x"})
    (folder / "labels.csv").write_text("filename,label\n./a.png,one\n\u00e9.png,two\nsub\\b.png,three\n", "utf-8")
    dataset = inspect_folder(folder)
    assert [(each.id, each.text, each.image) for each in dataset.samples] == [
        ("a.png", "one", b"1"),
        ("\u00e9.png", "two", b"2"),
        ("sub/b.png", "three", b"3"),
    ]
    assert dataset.problems == ()
    assert dataset.unlabelled == 2  # d.jfif, and sub/c.png beside sub/b.png
    assert dataset.notes == (
        "1 file skipped, of no format that is read: 'readme.md'",
        "1 folder not looked into: 'other'",
    )
    assert unread(folder) == ("2 images without a label in labels.csv", *dataset.notes)


def test_what_is_left_out_where_only_sound_samples_are_used(tmp_path: Path) -> None:
    folder = filled(tmp_path / "set", {"a.png": b"1", "b.png": b"2", "c.png": b"3"})
    (folder / "labels.csv").write_text("filename,label\na.png,one\na.png,one\nb.png,\ngone.png,x\n", "utf-8")
    dataset = inspect_folder(folder)
    assert [sample.id for sample in dataset.sound] == ["a.png"]
    lost, faulty, unlabelled = dataset.left_out
    assert lost == "1 row of labels.csv names no image: 'gone.png'"
    assert faulty.startswith("1 row of labels.csv gives no label: labels.csv row 4: expected a label for 'b.png'")
    assert unlabelled == "1 image without a label in labels.csv"


def test_the_folder_with_the_labels_is_one_further_down(tmp_path: Path) -> None:
    filled(tmp_path, {"set/labels.csv": b"filename,label\na.png,x\n", "set/a.png": b"1"})
    with pytest.raises(DatasetError, match=r"labels\.csv in set: name .*/set instead"):
        inspect_folder(tmp_path)


def test_a_folder_without_labels_is_told_how_to_make_one(tmp_path: Path) -> None:
    filled(tmp_path, {"abcd.png": b"1"})
    with pytest.raises(DatasetError, match=f"received 1 image without it; captcha-solver import {tmp_path} --out"):
        inspect_folder(tmp_path)
