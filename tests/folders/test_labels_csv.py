"""``labels.csv`` is read in one way: names in one form, and how rows and images fit is counted and told."""

import unicodedata

import pytest

from captcha_solver.errors import DatasetError
from captcha_solver.folders.labels_csv import LabelUse, Row, fit, listed, parse_labels, plain_name, rows_of

NAMES = {
    "a.png": "a.png",
    "./a.png": "a.png",
    ".\\a.png": "a.png",
    "sub\\a.png": "sub/a.png",
    "sub//./a.png": "sub/a.png",
    "e\u0301.png": "\u00e9.png",
    "a:b.png": "a:b.png",
    "...png": "...png",
    "a b.png": "a b.png",
    "": None,
    ".": None,
    "./": None,
    "/a.png": None,
    "\\\\host\\a.png": None,
    "C:\\a.png": None,
    "../a.png": None,
    "sub/../../a.png": None,
    "a\0.png": None,
}


@pytest.mark.parametrize("name", list(NAMES))
def test_a_name_in_one_form(name: str) -> None:
    assert plain_name(name) == NAMES[name]


def table(*rows: str) -> bytes:
    return "\n".join(["filename,label", *rows]).encode()


def test_rows_are_known_by_their_plain_names_and_labels_are_composed() -> None:
    rows = parse_labels(table("./a.png,one", "sub\\b.png,cafe\u0301", "/c.png,x"), "t")
    assert rows == [Row(2, "a.png", "one"), Row(3, "sub/b.png", "caf\u00e9"), Row(4, "/c.png", "x")]


def test_one_file_under_two_spellings_is_one_row() -> None:
    (row,) = parse_labels(table("./a.png,one", "a.png,one"), "t")
    assert (row.label, row.problem) == ("one", "duplicate of row 2 ('a.png'), counted once")
    (row,) = parse_labels(table(".\\a.png,one", "a.png,two"), "t")
    assert row.label == ""
    assert "two labels, 'one' and 'two' (row 3)" in (row.problem or "")


def test_so_many_rows_and_no_more() -> None:
    assert len(parse_labels(table("a.png,x", "b.png,x"), "t", most=2)) == 2
    with pytest.raises(DatasetError, match="t: expected at most 1 labels, received more"):
        parse_labels(table("a.png,x", "b.png,x"), "t", most=1)


def test_how_rows_and_images_fit() -> None:
    decomposed = unicodedata.normalize("NFD", "\u00e9.png")
    rows = parse_labels(table("\u00e9.png,one", "b.png,", "gone.png,x", "./c.png,three", "../d.png,y"), "t")
    labels, use = fit(rows, [decomposed, "b.png", "c.png", "e.png", "f.png"])
    assert labels == {decomposed: "one", "c.png": "three"}
    problem = "expected a label for 'b.png', received an empty one"
    assert use == LabelUse(5, 2, 2, 2, ("gone.png", "../d.png"), (problem,))
    assert use.told == (
        "2 rows of labels.csv name no image: 'gone.png', '../d.png'",
        f"1 row of labels.csv gives no label: {problem}",
        "2 images without a label in labels.csv",
    )


def test_where_all_fits_nothing_is_told() -> None:
    labels, use = fit(rows_of({"./a.png": "x", "b.png": "y"}), ["a.png", "b.png"])
    assert labels == {"a.png": "x", "b.png": "y"}
    assert use == LabelUse(2, 2, 0)
    assert use.told == ()


def test_of_many_names_the_first_are_listed() -> None:
    assert listed(["a", "b"]) == "'a', 'b'"
    assert listed([*"abcdefg"]) == "'a', 'b', 'c', 'd', 'e' and 2 more"
    assert listed(["a"], total=1_200) == "'a' and 1,199 more"
    assert listed(["x" * 100]) == f"'{'x' * 60}...'"
