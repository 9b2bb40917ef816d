"""Find the labels of images: in a table, in a text file beside each image, or in the file names.

Tested in ``tests/labels/test_importing.py``.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from captcha_solver.attempt import attempt
from captcha_solver.errors import DatasetError, OptionError
from captcha_solver.folders.labels_csv import LABELS, LabelUse, Row, fit, merged
from captcha_solver.labels.columns import choose
from captcha_solver.labels.file_names import likely_rule, pattern_rule
from captcha_solver.labels.image_names import ImageNames
from captcha_solver.labels.tables import kind_of, read_table

NAME = "name"
KINDS = (NAME, "csv", "tsv", "json", "txt")
BESIDE = 0.5  # of the images must have a text file of their own for labels to be taken from these


@dataclass(frozen=True, slots=True)
class How:
    """Where labels are looked for: ``kind`` of ``KINDS`` or None for wherever they are.

    ``pattern`` is a regular expression for file names; ``columns`` are those of the file and the label in a table.
    """

    kind: str | None = None
    pattern: str | None = None
    columns: tuple[str, str] | None = None

    def __post_init__(self) -> None:
        if self.pattern is not None and self.kind not in (None, NAME):
            raise OptionError(f"a pattern is for labels in file names (--labels name), received --labels {self.kind}")
        if self.columns is not None and self.kind == NAME:
            raise OptionError("columns are for tables, received --labels name")


@dataclass(frozen=True, slots=True)
class Labels:
    """Labels of images by their names below the source; ``use`` says how well they fit.

    ``where`` is what they stand in, ``told`` how they were found there.
    """

    by_name: dict[str, str]
    where: str
    told: str
    use: LabelUse
    notes: tuple[str, ...] = ()


def find_labels(root: Path, images: Sequence[str], how: How, *, table: Path | None = None) -> Labels:
    """The labels of ``images``, named below ``root``: in ``table`` if given, else as ``how`` says, else wherever.

    Wherever is, in this order: a table that names images, a text file beside each image, the file names.
    """
    if how.kind == NAME or how.pattern is not None:
        return _from_names(images, how)
    tables = [table] if table is not None else _tables(root, how)
    beside = None if table is not None or how.kind not in (None, "txt") else _beside(root, images)
    if beside is not None:
        return beside
    found = [attempt(lambda path: _from_table(path, root, images, how), each) for each in tables]
    right = [each.value for each in found if each.value is not None and each.value.by_name]
    if right:
        best = max(right, key=lambda each: len(each.by_name))
        others = tuple(f"not used, though it fits too: {each.told}" for each in right if each is not best)
        return replace(best, notes=others)
    failures = [each.failure for each in found if each.failure]
    if how.kind is not None or how.columns is not None or table is not None:
        kind = how.kind or "table"
        raise DatasetError(
            failures[0] if failures else f"{root}: expected a {kind} that names its images, received none"
        )
    return _from_names(images, how)


def _from_names(images: Sequence[str], how: How) -> Labels:
    rule = pattern_rule(how.pattern) if how.pattern is not None else likely_rule(images)
    rows = [Row(0, name, label) for name in images if (label := rule.label_of(name))]
    by_name, use = fit(rows, images)
    return Labels(by_name, "the file names", rule.told, use)


def _from_table(path: Path, root: Path, images: Sequence[str], how: How) -> Labels:
    where = path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
    names = ImageNames(images)
    table = read_table(path.read_bytes(), how.kind if how.kind in KINDS[1:] else kind_of(path.suffix) or "txt", where)
    chosen = choose(table, names, how.columns, where)
    if chosen.file is None:
        rows = _in_order(chosen.rows, images, where)
        told = f"{where}, a label a line, in the order of the file names"
    else:
        told = f"{where}, image in column {chosen.called(chosen.file)}, label in column {chosen.called(chosen.label)}"
        first = 1 if chosen.header is None else 2
        rows = [_row(line, cells, names, chosen.file, chosen.label) for line, cells in enumerate(chosen.rows, first)]
    by_name, use = fit(merged(rows), images)
    return Labels(by_name, where, told, use)


def _row(line: int, cells: Sequence[str], names: ImageNames, file: int, label: int) -> Row:
    written = cells[file] if file < len(cells) else ""
    text = cells[label] if label < len(cells) else ""
    problem = None if text else f"expected a label for {written!r}, received an empty one"
    return Row(line, names.find(written) or written, text, problem)


def _in_order(rows: Sequence[Sequence[str]], images: Sequence[str], where: str) -> list[Row]:
    """One label a line, the first of the first image: counted files, 2 before 10."""
    if len(rows) != len(images):
        raise DatasetError(
            f"{where}: expected lines that name images, or as many labels as there are images ({len(images):,}), "
            f"received {len(rows):,}"
        )
    ordered = sorted(images, key=_natural)
    return [Row(line, name, cells[0]) for line, (name, cells) in enumerate(zip(ordered, rows, strict=True), 1)]


def _natural(name: str) -> list[tuple[int, str]]:
    """Sorts 2.png before 10.png."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]


def _beside(root: Path, images: Sequence[str]) -> Labels | None:
    """The labels of images that have a text file of the same name beside them; None where most have none."""
    texts = {name: root / PurePosixPath(name).with_suffix(".txt") for name in images}
    there = {name: path for name, path in texts.items() if path.is_file()}
    if len(there) < max(1, BESIDE * len(images)):
        return None
    rows = []
    for name, path in there.items():
        text = path.read_text(encoding="utf-8-sig", errors="replace").strip()
        problem = None if text and "\n" not in text else f"expected one line in {path.name}, received {text[:40]!r}"
        rows.append(Row(1, name, "" if problem else text, problem))
    by_name, use = fit(rows, images)
    return Labels(by_name, "the text files", "the text file beside each image", use)


def _tables(root: Path, how: How) -> list[Path]:
    """The tables below ``root``, those of the kind that is asked for; the nearest first."""
    kinds = [how.kind] if how.kind else list(KINDS[1:])
    files = (path for path in root.rglob("*") if kind_of(path.suffix) in kinds and path.is_file())
    return sorted(files, key=lambda path: (len(path.parts), path.name != LABELS, path))
