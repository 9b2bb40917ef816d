"""Read the tables that people keep labels in (CSV, TSV, text, JSON) as rows of cells.

Tested in ``tests/labels/test_importing.py``.
"""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from captcha_solver.errors import DatasetError

SUFFIXES = {
    "csv": frozenset({".csv"}),
    "tsv": frozenset({".tsv", ".tab"}),
    "json": frozenset({".json", ".jsonl", ".ndjson"}),
    "txt": frozenset({".txt", ".lst", ".list"}),
}
SEPARATORS = ("\t", ";", ",", "|")
MOST_BYTES = 256 * 1024 * 1024
BOMS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells, blanks around them removed; ``header`` is known for JSON alone, else it may be the first row."""

    rows: tuple[tuple[str, ...], ...]
    header: tuple[str, ...] | None = None


def kind_of(suffix: str) -> str | None:
    """Which kind of table a file with this suffix is: a key of ``SUFFIXES``, or None."""
    return next((kind for kind, suffixes in SUFFIXES.items() if suffix.lower() in suffixes), None)


def read_table(data: bytes, kind: str, where: str) -> Table:
    """The rows of a file of that kind; ``DatasetError`` where it is none. ``where`` is how errors call the file."""
    if len(data) > MOST_BYTES:
        raise DatasetError(f"{where}: expected at most {MOST_BYTES:,} bytes, received {len(data):,}")
    text = _text(data)
    return _json(text, where) if kind == "json" else Table(tuple(_lines(text, kind, where)))


def _text(data: bytes) -> str:
    """UTF-8, UTF-16 with a mark, or what Windows wrote in Western Europe."""
    for mark, encoding in BOMS.items():
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _lines(text: str, kind: str, where: str) -> Iterator[tuple[str, ...]]:
    separator = "\t" if kind == "tsv" else _separator(text)
    if separator is None and kind == "txt" and _are_pairs(text):
        yield from (tuple(line.split(maxsplit=1)) for line in text.splitlines() if line.strip())
        return
    reader = csv.reader(io.StringIO(text, newline=None), delimiter=separator or "\0")
    try:
        for cells in reader:
            row = tuple(cell.strip() for cell in cells)
            if any(row):
                yield row
    except csv.Error as error:
        raise DatasetError(f"{where} row {reader.line_num}: expected a table, received {error}") from error


def _separator(text: str) -> str | None:
    """What splits most lines into as many cells as the first line, at least two; None where nothing does."""
    lines = [line for line in text.splitlines()[:200] if line.strip()]
    best: tuple[float, str | None] = (0.5, None)
    for separator in SEPARATORS:
        counts = [len(cells) for cells in csv.reader(lines, delimiter=separator)] if lines else []
        share = sum(count == counts[0] for count in counts) / len(counts) if counts and counts[0] > 1 else 0.0
        best = max(best, (share, separator), key=lambda each: each[0])
    return best[1]


def _are_pairs(text: str) -> bool:
    """Whether every line is two words or more: a name and a label."""
    lines = [line.split() for line in text.splitlines() if line.strip()]
    return bool(lines) and all(len(words) > 1 for words in lines)


def _json(text: str, where: str) -> Table:
    """A list of objects, of pairs or of labels; an object of name to label, or of columns; a JSON text a line."""
    try:
        value = json.loads(text)
    except ValueError as whole:
        try:
            value = [json.loads(line) for line in text.splitlines() if line.strip()]
        except (ValueError, RecursionError):
            raise DatasetError(f"{where}: expected JSON, received {whole}") from whole
    except RecursionError as error:
        raise DatasetError(f"{where}: expected JSON, received one that is nested too deep") from error
    table = _of_value(value)
    if table is None or not table.rows:
        raise DatasetError(
            f"{where}: expected a JSON list of objects or labels, or an object of file name to label, "
            f"received {type(value).__name__} without them"
        )
    return table


def _of_value(value: Any) -> Table | None:
    if isinstance(value, list):
        return _of_list(value)
    if not isinstance(value, dict):
        return None
    if value and all(_is_scalar(each) for each in value.values()):
        return Table(tuple((str(name), str(each).strip()) for name, each in value.items()))
    lists = {str(name): each for name, each in value.items() if isinstance(each, list) and each}
    if len(lists) > 1 and len({len(each) for each in lists.values()}) == 1 and _flat(lists):
        return _records([dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)])
    if value and all(isinstance(each, dict) for each in value.values()):  # name -> {label: ...}
        return _records([{"filename": name, **each} for name, each in value.items()])
    inner = [table for each in value.values() if (table := _of_value(each)) is not None and table.rows]
    return max(inner, key=lambda table: len(table.rows), default=None)


def _of_list(value: Sequence[Any]) -> Table | None:
    if all(isinstance(each, dict) for each in value):
        return _records(value)
    if all(isinstance(each, list) and all(map(_is_scalar, each)) for each in value):
        return Table(tuple(tuple(str(cell).strip() for cell in row) for row in value))
    if all(_is_scalar(each) for each in value):
        return Table(tuple((str(each).strip(),) for each in value))
    return None


def _records(records: Sequence[dict[str, Any]]) -> Table:
    """Objects as rows; what is no text or number in them is left out."""
    names = dict.fromkeys(str(name) for each in records for name, cell in each.items() if _is_scalar(cell))
    rows = tuple(tuple(_cell(each.get(name)) for name in names) for each in records)
    return Table(rows, tuple(names)) if names else Table(())


def _flat(lists: dict[str, list[Any]]) -> bool:
    return all(_is_scalar(cell) for cells in lists.values() for cell in cells)


def _is_scalar(value: Any) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def _cell(value: Any) -> str:
    return str(value).strip() if _is_scalar(value) else ""
