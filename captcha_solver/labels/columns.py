"""Which column of a table names the images, and which holds the labels.

Tested in ``tests/labels/test_importing.py``.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from captcha_solver.errors import DatasetError, OptionError
from captcha_solver.labels.image_names import ImageNames
from captcha_solver.labels.tables import Table

FILE_WORDS = (
    "filename",
    "file",
    "file_name",
    "name",
    "image",
    "img",
    "image_name",
    "image_file",
    "imagename",
    "img_name",
    "image_path",
    "img_path",
    "file_path",
    "filepath",
    "path",
    "picture",
    "image_id",
    "id",
    "key",
    "src",
)
LABEL_WORDS = (
    "label",
    "labels",
    "text",
    "answer",
    "solution",
    "captcha",
    "captcha_text",
    "captcha_code",
    "code",
    "value",
    "word",
    "words",
    "target",
    "truth",
    "ground_truth",
    "gt",
    "transcription",
    "string",
    "content",
    "result",
    "class",
)
ENOUGH = 0.5  # of the rows must name an image for a column to be the one that does


@dataclass(frozen=True, slots=True)
class Choice:
    """The columns of a table, from 0: ``file`` is None where rows name no image; and the rows below the header."""

    file: int | None
    label: int
    rows: tuple[tuple[str, ...], ...]
    header: tuple[str, ...] | None

    def called(self, column: int) -> str:
        """A column by its name, or by its number, from 1."""
        return f"'{self.header[column]}'" if self.header else str(column + 1)


def choose(table: Table, images: ImageNames, asked: tuple[str, str] | None, where: str) -> Choice:
    """The columns of ``table``: those ``asked`` for, by name or number from 1, else the likely ones.

    ``DatasetError`` where no column names images, or the label may be in more than one of the others.
    """
    header, rows = _without_header(table, images)
    if asked is not None:
        file, label = (_asked(column, header, rows, where) for column in asked)
        return Choice(file, label, rows, header)
    width = max(map(len, rows), default=0)
    shares = [_share(rows, column, images) for column in range(width)]
    named = [column for column in range(width) if shares[column] > 0]
    if not named or (width == 1 and max(shares) < ENOUGH):
        if width == 1:
            return Choice(None, 0, rows, header)
        raise DatasetError(f"{where}: expected a column that names the images, received {_columns(header, rows)}")
    file = max(named, key=lambda each: (round(shares[each], 2), _is_word(header, each, FILE_WORDS), -each))
    return Choice(file, _label_column(header, rows, file, where), rows, header)


def _without_header(table: Table, images: ImageNames) -> tuple[tuple[str, ...] | None, tuple[tuple[str, ...], ...]]:
    """The header, where there is one: a first row that names no image, unlike the rows below it."""
    if table.header is not None or not table.rows:
        return table.header, table.rows
    first, rest = table.rows[0], table.rows[1:]
    words = {cell.casefold() for cell in first}
    if any(images.find(cell) for cell in first):
        return None, table.rows
    named = [column for column in range(len(first)) if _share(rest, column, images) >= ENOUGH]
    if named or (words & {*FILE_WORDS, *LABEL_WORDS} and len(table.rows) == len(images.names) + 1):
        return first, rest
    return None, table.rows


def _label_column(header: tuple[str, ...] | None, rows: Sequence[Sequence[str]], file: int, where: str) -> int:
    others = [column for column in range(max(map(len, rows))) if column != file]
    filled = [column for column in others if any(_cell(row, column) for row in rows)]
    if len(filled) == 1:
        return filled[0]
    worded = [column for column in filled if _is_word(header, column, LABEL_WORDS)]
    if len(worded) == 1:
        return worded[0]
    told = [column for column in filled if len({_cell(row, column) for row in rows}) > 1]
    if len(told) == 1 and not worded:
        return told[0]
    raise DatasetError(
        f"{where}: expected one column with labels, received {_columns(header, rows)}; "
        f"--columns FILE,LABEL says which (names, or numbers from 1)"
    )


def _asked(column: str, header: tuple[str, ...] | None, rows: Sequence[Sequence[str]], where: str) -> int:
    width = max(map(len, rows), default=0)
    names = [name.casefold() for name in header or ()]
    if column.casefold() in names:
        return names.index(column.casefold())
    if column.isdecimal() and 1 <= int(column) <= width:
        return int(column) - 1
    raise OptionError(f"--columns: expected columns of {where} ({_columns(header, rows)}), received {column!r}")


def _columns(header: tuple[str, ...] | None, rows: Sequence[Sequence[str]]) -> str:
    if header:
        return "the columns " + ", ".join(header)
    shown = " | ".join(rows[0])[:80] if rows else "nothing"
    return f"{max(map(len, rows), default=0)} columns without names ({shown})"


def _share(rows: Sequence[Sequence[str]], column: int, images: ImageNames) -> float:
    """The share of rows whose cell in ``column`` names an image, each image once."""
    found = {images.find(_cell(row, column)) for row in rows} - {None}
    return len(found) / len(rows) if rows else 0.0


def _is_word(header: tuple[str, ...] | None, column: int, words: Sequence[str]) -> bool:
    return header is not None and column < len(header) and header[column].casefold().replace(" ", "_") in words


def _cell(row: Sequence[str], column: int) -> str:
    return row[column] if column < len(row) else ""
