"""Progress on a terminal, in one place, by rich: bars, and a line that says where something is.

Where stderr is no terminal nothing is shown, and rich is not loaded.

Tested in ``tests/cli/test_main.py``.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


def is_watched() -> bool:
    """Whether stderr is a terminal."""
    return sys.stderr.isatty()


@contextmanager
def counting_bar(label: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar of ``total`` things while the block lasts; yields what tells it how many more are done."""
    if not is_watched():
        yield lambda count: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=_stderr(), transient=True) as bar:
        task = bar.add_task(label, total=total)
        yield lambda count: bar.advance(task, count)


@contextmanager
def share_bar(label: str) -> Iterator[Callable[[float, str], None]]:
    """A bar that stays; yields what tells it the share that is done, 0-1 and above, and a note beside it."""
    if not is_watched():
        yield lambda share, note: None
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(elapsed_when_finished=False),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=_stderr()) as bar:
        task = bar.add_task(label, total=1.0, note="")
        yield lambda share, note: bar.update(task, completed=min(1.0, share), note=note)


@contextmanager
def status_line() -> Iterator[Callable[[str], None]]:
    """A line while the block lasts; yields what tells it where things are."""
    if not is_watched():
        yield lambda text: None
        return
    with _stderr().status("") as line:
        yield line.update


def _stderr() -> Any:
    from rich.console import Console

    return Console(stderr=True)
