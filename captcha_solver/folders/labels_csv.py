"""The one reader of ``labels.csv``: bytes to rows, the names in them normalised; and how rows fit the images there."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from captcha_solver.errors import DatasetError
from captcha_solver.symbols import composed

LABELS = "labels.csv"
HEADER = ("filename", "label")
MOST_NAMED = 5  # of several that are told, those that are named


@dataclass(frozen=True, slots=True)
class Row:
    """One file that ``labels.csv`` names: its label, empty where that is not known, and what is wrong with the row.

    ``filename`` is the ``plain_name`` of what is written there, or what is written there where that is no name.
    """

    line: int
    filename: str
    label: str
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class LabelUse:
    """How a table of labels fits the images it came with.

    ``rows``: how many files it names; ``used``: of these, those with a label and an image. ``unlabelled``: images
    that it does not name. ``unmatched`` and ``problems`` name the other rows; at most ``MOST_NAMED`` are kept of each.
    """

    rows: int
    used: int
    unlabelled: int
    unmatched_rows: int = 0
    unmatched: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def told(self) -> tuple[str, ...]:
        """A sentence for each thing that does not fit; none where everything does."""
        return self.told_of(LABELS)

    def told_of(self, table: str) -> tuple[str, ...]:
        """As ``told``, of labels that stand elsewhere than in a ``labels.csv``."""
        said = []
        if self.unmatched_rows:
            named = "names" if self.unmatched_rows == 1 else "name"
            said.append(f"{counted(self.unmatched_rows, 'row')} of {table} {named} no image: {listed(self.unmatched)}")
        faulty = self.rows - self.used - self.unmatched_rows
        if faulty:
            given = "gives" if faulty == 1 else "give"
            said.append(f"{counted(faulty, 'row')} of {table} {given} no label: {'; '.join(self.problems)}")
        if self.unlabelled:
            said.append(f"{counted(self.unlabelled, 'image')} without a label in {table}")
        return tuple(said)


def plain_name(name: str) -> str | None:
    r"""A relative file name in one form: ``/`` between folders, no ``./``, Unicode NFC; None where it is no such name.

    ``.\a.png``, ``./a.png`` and ``a.png`` are one file. An absolute name, one with ``..`` in it and an empty one are
    None: they may lead out of a folder.
    """
    unified = composed(name).replace("\\", "/")
    parts = [part for part in unified.split("/") if part not in ("", ".")]
    absolute = unified.startswith("/") or unified[1:3] == ":/"
    if not parts or absolute or ".." in parts or "\0" in unified:
        return None
    return "/".join(parts)


def parse_labels(data: bytes, where: str, *, most: int | None = None) -> list[Row]:
    """One row a file that a ``labels.csv`` names, in its order; ``DatasetError`` where no row can be trusted.

    That is: not UTF-8, another header, an open quote, more than ``most`` rows. A file named twice is one row: with the
    same label it counts once, with two labels its text is not known. ``where`` is how errors call the file.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = data.count(b"\n", 0, error.start) + 1
        raise DatasetError(f"{where} row {row}: expected UTF-8, received byte 0x{data[error.start]:02x}") from error
    return merged(_at_most(most, _rows(text, where), where))


def fit(rows: Sequence[Row], names: Iterable[str]) -> tuple[dict[str, str], LabelUse]:
    """The labels of the images called ``names``, by these names; and how well the rows fit them."""
    there = {plain_name(name) or name: name for name in names}
    found = {there[row.filename]: row.label for row in rows if row.label and row.filename in there}
    lost = [row.filename for row in rows if row.filename not in there]
    named = {row.filename for row in rows}
    unlabelled = sum(name not in named for name in there)
    faulty = [row.problem for row in rows if row.problem and not row.label and row.filename in there]
    use = LabelUse(len(rows), len(found), unlabelled, len(lost), tuple(lost[:MOST_NAMED]), tuple(faulty[:MOST_NAMED]))
    return found, use


def rows_of(labels: Mapping[str, str]) -> list[Row]:
    """Labels that were given by name, as rows."""
    return merged(_row([name, label], line) for line, (name, label) in enumerate(labels.items(), 1))


def counted(count: int, what: str) -> str:
    """``1 image``, ``1,200 images``."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def listed(names: Sequence[str], total: int | None = None) -> str:
    """Names as a sentence has them: the first few, quoted, and how many more there are."""
    shown = [repr(name if len(name) <= 60 else f"{name[:60]}...") for name in names[:MOST_NAMED]]
    more = (len(names) if total is None else total) - len(shown)
    return ", ".join(shown) + (f" and {more:,} more" if more > 0 else "")


def _at_most(most: int | None, rows: Iterator[Row], where: str) -> Iterator[Row]:
    """The rows, up to the first one too many: a hostile file of millions must not fill the memory."""
    for number, row in enumerate(rows, 1):
        if most is not None and number > most:
            raise DatasetError(f"{where}: expected at most {most:,} labels, received more")
        yield row


def _rows(text: str, where: str) -> Iterator[Row]:
    """Every row below the header; blank lines are skipped, blanks around a field are not part of it."""
    reader = csv.reader(io.StringIO(text, newline=None), strict=True)
    header: list[str] | None = None
    try:
        for fields in reader:
            cells = [field.strip() for field in fields]
            if not any(cells):
                continue
            if header is None:
                header = cells
                if tuple(cell.lower() for cell in header) != HEADER:
                    raise DatasetError(
                        f"{where} row {reader.line_num}: expected the header {','.join(HEADER)}, "
                        f"received {','.join(fields)[:80]!r}"
                    )
                continue
            yield _row(cells, reader.line_num)
    except csv.Error as error:
        raise DatasetError(f"{where} row {reader.line_num}: expected filename,label, received {error}") from error
    if header is None:
        raise DatasetError(f"{where} row 1: expected the header {','.join(HEADER)}, received an empty file")


def _row(cells: Sequence[str], line: int) -> Row:
    filename = plain_name(cells[0]) or cells[0]
    label = composed(cells[1]) if len(cells) > 1 else ""
    if len(cells) > len(HEADER):
        return Row(line, filename, "", f"expected 2 fields, received {len(cells)} ({','.join(cells)[:80]!r})")
    if not label:
        return Row(line, filename, "", f"expected a label for {filename!r}, received an empty one")
    return Row(line, filename, label)


def merged(rows: Iterable[Row]) -> list[Row]:
    """One row a file: a repeated row counts once, and a file with two different labels has no known truth."""
    found: dict[str, Row] = {}
    for row in rows:
        first = found.setdefault(row.filename or f"row {row.line}", row)
        if first is row:
            continue
        if first.label == row.label:
            problem = f"duplicate of row {first.line} ({row.filename!r}), counted once"
            found[row.filename] = replace(first, problem=first.problem or problem)
        else:
            problem = f"{row.filename!r} has two labels, {first.label!r} and {row.label!r} (row {row.line})"
            found[row.filename] = replace(first, label="", problem=problem)
    return list(found.values())
