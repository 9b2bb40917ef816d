"""Labelled images as other people keep them: the same thirty, in one layout after the other."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from captcha_solver.image import encode_png

COUNT = 30
ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
TEXTS = tuple("".join(np.random.default_rng(7 * number).choice(list(ALPHABET), 4)) for number in range(COUNT))


def png(number: int) -> bytes:
    """An image that says which it is."""
    return encode_png(np.full((12, 30, 3), 5 * number + 20, np.uint8))


def numbered(root: Path, name: str = "{0}.png") -> None:
    for number in range(COUNT):
        path = root / name.format(number, TEXTS[number])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(number))


def lines(form: str) -> str:
    return "".join(form.format(number, text) + "\n" for number, text in enumerate(TEXTS))


def named(form: str) -> Callable[[Path], None]:
    """The label is in the file name."""
    return lambda root: numbered(root, form)


def tabled(
    file: str, form: str, header: str = "", *, images: str = "{0}.png", encoding: str = "utf-8"
) -> Callable[[Path], None]:
    """A row an image."""

    def make(root: Path) -> None:
        numbered(root, images)
        (root / file).write_bytes((header + lines(form)).encode(encoding))

    return make


def as_json(value: object) -> Callable[[Path], None]:
    def make(root: Path) -> None:
        numbered(root)
        (root / "answers.json").write_text(json.dumps(value))

    return make


def beside(root: Path) -> None:
    numbered(root)
    for number, text in enumerate(TEXTS):
        (root / f"{number}.txt").write_text(f"{text}\n")


LAYOUTS: dict[str, tuple[str, Callable[[Path], None]]] = {  # name -> (--labels, what makes it)
    "the label alone": ("name", named("{1}.png")),
    "label, number": ("name", named("{1}_{0}.png")),
    "number, label": ("name", named("{0:04}-{1}.png")),
    "a word, label, number": ("name", named("captcha_{1}_{0}.png")),
    "label, hash": ("name", named("{1}-5f3a9c{0:02x}77d1.png")),
    "hash, label": ("name", named("5f3a9c{0:02x}77d1 {1}.png")),
    "time, label": ("name", named("16094592{0:05}_{1}.png")),
    "in subfolders": ("name", named("part {0}/{1}.png")),
    "comma": ("csv", tabled("train.csv", "{0}.png,{1}", "image,text\n")),
    "semicolon and further columns": ("csv", tabled("train.csv", "{0};30;{1};12", "id;width;Answer;height\n")),
    "no header": ("csv", tabled("train.csv", "{1},{0}.png")),
    "Windows' UTF-16": ("csv", tabled("train.csv", "{0}.png\t{1}", "File\tLabel\n", encoding="utf-16")),
    "paths of another machine": ("tsv", tabled("gt.tsv", "C:\\data\\all\\{0}.png\t{1}", images="all/{0}.png")),
    "absolute paths": ("tsv", tabled("gt.tsv", "/home/x/all/{0}.png\t{1}", images="all/{0}.png")),
    "one folder further up": ("csv", tabled("t.csv", "set/a/{0}.png,{1}", images="a/{0}.png")),
    "another case": ("csv", tabled("t.csv", "{0}.PNG,{1}")),
    "a line an image": ("txt", tabled("answers.txt", "{1}")),
    "a line an image below a header": ("txt", tabled("answers.txt", "{1}", "label\n")),
    "pairs": ("txt", tabled("list.txt", "{0}.png {1}")),
    "beside each image": ("txt", beside),
    "JSON list of objects": (
        "json",
        as_json([{"image": f"{n}.png", "text": text, "box": [1, 2]} for n, text in enumerate(TEXTS)]),
    ),
    "JSON list within": (
        "json",
        as_json({"about": "x", "images": [{"id": n, "label": t} for n, t in enumerate(TEXTS)]}),
    ),
    "JSON list of labels": ("json", as_json(list(TEXTS))),
    "JSON list of pairs": ("json", as_json([[f"{n}.png", text] for n, text in enumerate(TEXTS)])),
    "JSON object": ("json", as_json({f"{n}.png": text for n, text in enumerate(TEXTS)})),
    "JSON object of objects": ("json", as_json({str(n): {"label": text, "ok": True} for n, text in enumerate(TEXTS)})),
    "JSON columns": ("json", as_json({"file": [f"{n}.png" for n in range(COUNT)], "label": list(TEXTS)})),
    "JSON lines": ("json", tabled("metadata.jsonl", '{{"file_name": "{0}.png", "text": "{1}"}}')),
}
