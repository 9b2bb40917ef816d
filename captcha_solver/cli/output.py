"""What the command line shows people: tables on stdout, warnings and errors on stderr.

Tested in ``tests/cli/test_main.py``.
"""

import csv
import io
import json
import sys
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import click

DONE, NOT_ALL, USAGE, BROKEN, INTERRUPTED = 0, 1, 2, 3, 130  # exit codes

Row = Mapping[str, str | float | None]

GAP = "   "
MOST_WARNINGS = 8


def complain(text: str, *, kind: str = "error") -> None:
    """One line on stderr."""
    click.echo(f"captcha-solver: {kind}: {' '.join(text.split())}", err=True)


def warn_each(problems: Sequence[str], *, kind: str = "warning") -> None:
    """A line for each problem; of many, the first few and how many more there are."""
    for problem in problems[:MOST_WARNINGS]:
        complain(problem, kind=kind)
    if len(problems) > MOST_WARNINGS:
        complain(f"... and {len(problems) - MOST_WARNINGS} more like these", kind=kind)


def show_table(headers: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[str] = ()) -> None:
    """An aligned table on stdout; the columns named in ``right`` are numbers."""
    show = _terminal_table if sys.stdout.isatty() else _plain_table
    lines = [line.rstrip() for line in show(headers, rows, right)]
    click.echo("\n".join(line for line in lines if line))


def _plain_table(headers: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str]) -> list[str]:
    """For a file or a pipe: never wrapped, and without waiting for rich, which costs a tenth of reading one image."""
    widths = [max(map(cell_width, column)) for column in zip(headers, *rows, strict=True)]
    pads = [str.rjust if header in right else str.ljust for header in headers]
    lines = [
        GAP.join(
            pad(cell, width - cell_width(cell) + len(cell)) for pad, cell, width in zip(pads, row, widths, strict=True)
        )
        for row in (headers, *rows)
    ]
    return [lines[0], "─" * (sum(widths) + len(GAP) * (len(widths) - 1)), *lines[1:]]


def cell_width(text: str) -> int:
    """Columns that ``text`` takes: wide characters take two, marks on others none."""
    return sum(0 if unicodedata.combining(c) else 1 + (unicodedata.east_asian_width(c) in "WF") for c in text)


def _terminal_table(headers: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str]) -> list[str]:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for header in headers:
        number = header in right
        table.add_column(header, justify="right" if number else "left", no_wrap=number, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console = Console(file=sys.stdout, highlight=False)
    with console.capture() as capture:
        console.print(table)
    return capture.get().splitlines()


@contextmanager
def row_writer(form: str, fields: Sequence[str]) -> Iterator[Callable[[Row], None]]:
    """Yields what shows one row of ``fields``: at once as ``jsonl`` or ``csv``, at the end as a ``table``."""
    rows: list[Row] = []
    if form == "csv":
        click.echo(_csv_line(fields))
    show: dict[str, Callable[[Row], None]] = {
        "jsonl": lambda row: click.echo(json.dumps(row)),
        "csv": lambda row: click.echo(_csv_line([row[field] for field in fields])),
        "table": rows.append,
    }
    try:
        yield show[form]
    finally:
        if rows:
            show_table(fields, [[_cell(row[field]) for field in fields] for row in rows])


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def interval(ends: tuple[float, float]) -> str:
    """An interval of shares 0-1 as people read it."""
    return f"{100 * ends[0]:.1f}-{100 * ends[1]:.1f} %"


def printable(text: str) -> str:
    """``text`` that any stream takes: bytes of a file name that are no UTF-8 are shown as such."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _cell(value: str | float | None) -> str:
    if value is None:
        return ""
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _csv_line(values: Sequence[object]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(values)
    return line.getvalue()
