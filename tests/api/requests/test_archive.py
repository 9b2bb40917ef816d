"""The labels of an archive: each labels.csv names files relative to its own folder, in whatever spelling."""

import io
import unicodedata
import zipfile
from collections.abc import Mapping

import pytest

from api.problems import Problem
from api.requests.archive import Archive, ArchiveLimits
from captcha_solver.folders.labels_csv import LabelUse

LIMITS = ArchiveLimits(files=10, file_bytes=1000, total_bytes=10_000)


def archive(files: Mapping[str, str]) -> Archive:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as zipped:
        for name, text in files.items():
            zipped.writestr(name, text)
    return Archive(buffer, LIMITS)


def table(*rows: str) -> str:
    return "\n".join(["filename,label", *rows])


def labels(files: Mapping[str, str]) -> dict[str, str | None]:
    return {upload.name: upload.label for upload in archive(files)}


COMPOSED = "\u00e9.png"
CASES: dict[str, tuple[dict[str, str], dict[str, str | None]]] = {
    "plain": ({"a.png": "1", "labels.csv": table("a.png,x")}, {"a.png": "x"}),
    "one top folder": ({"set/a.png": "1", "set/labels.csv": table("a.png,x")}, {"set/a.png": "x"}),
    "two folders deep": ({"up/set/a.png": "1", "up/set/labels.csv": table("a.png,x")}, {"up/set/a.png": "x"}),
    "rows that name the folder": ({"set/a.png": "1", "labels.csv": table("./set/a.png,x")}, {"set/a.png": "x"}),
    "two folders with labels": (
        {"p/a.png": "1", "p/labels.csv": table("a.png,x"), "q/a.png": "2", "q/labels.csv": table("a.png,y")},
        {"p/a.png": "x", "q/a.png": "y"},
    ),
    "backslashes": ({"set\\a.png": "1", "set\\labels.csv": table(".\\a.png,x")}, {"set/a.png": "x"}),
    "decomposed": (
        {unicodedata.normalize("NFD", COMPOSED): "1", "labels.csv": table(f"{COMPOSED},x")},
        {COMPOSED: "x"},
    ),
    "decomposed in the table": (
        {COMPOSED: "1", "labels.csv": table(f"{unicodedata.normalize('NFD', COMPOSED)},x")},
        {COMPOSED: "x"},
    ),
    "what a Mac leaves": (
        {"set/a.png": "1", "set/labels.csv": table("a.png,x"), "__MACOSX/set/._labels.csv": "?", "set/._a.png": "?"},
        {"set/a.png": "x"},
    ),
    "two labels for one file": (
        {"set/a.png": "1", "set/labels.csv": table("a.png,x"), "labels.csv": table("set/a.png,y")},
        {"set/a.png": None},
    ),
}


@pytest.mark.parametrize("case", list(CASES))
def test_labels_find_their_images(case: str) -> None:
    files, expected = CASES[case]
    assert labels(files) == expected


def test_what_does_not_fit_is_counted() -> None:
    rows = table("a.png,x", "b.png,", "gone.png,y", "../up.png,z")
    found = archive({"set/a.png": "1", "set/b.png": "2", "set/c.png": "3", "set/labels.csv": rows})
    problem = "expected a label for 'b.png', received an empty one"
    assert found.label_use == LabelUse(4, 1, 1, 2, ("set/gone.png", "set/../up.png"), (problem,))


def test_the_same_name_in_two_spellings_is_refused() -> None:
    with pytest.raises(Problem, match="each name once"):
        archive({"a.png": "1", "./a.png": "2"})


def test_labels_without_end_are_refused() -> None:
    with pytest.raises(Problem, match=r"labels\.csv: expected at most 10 labels"):
        archive({"a.png": "1", "labels.csv": table(*(f"{n}.png,x" for n in range(11)))})
    with pytest.raises(Problem, match=r"labels of at most 100 characters in labels\.csv"):
        archive({"a.png": "1", "labels.csv": table("a.png," + "x" * 101)})
