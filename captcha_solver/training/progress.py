"""Show and log a training: a bar with the time left, JSON lines in train.log, and a clean stop on Ctrl-C.

Tested in ``tests/training/test_loop.py``.
"""

import json
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

from captcha_solver.training.checkpoint import Progress

LOG = "train.log"


class Interruption:
    """While open, SIGINT and SIGTERM ask for a stop after the current step; a second one stops at once."""

    def __init__(self) -> None:
        self.requested = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for name in (signal.SIGINT, signal.SIGTERM):
                self._before[name] = signal.signal(name, self._request)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for name, handler in self._before.items():
            signal.signal(name, handler)

    def _request(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt("stopped at once; the last checkpoint is kept")
        self.requested = True


class Meter:
    """A progress bar on stderr where that is a terminal; ``OUT/train.log`` always."""

    def __init__(self, out: Path, *, label: str = "training") -> None:
        self._path = out / LOG
        self._label = label
        self._bar: Any = None
        self._task: Any = None
        self._accuracy: float | None = None

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            self._bar = Bar(
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.percentage:>3.0f} %"),
                TimeElapsedColumn(),
                TextColumn("left"),
                TimeRemainingColumn(elapsed_when_finished=False),
                TextColumn("{task.fields[note]}"),
                console=Console(stderr=True),
            )
            self._bar.start()
            self._task = self._bar.add_task(self._label, total=1.0, note="")
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()

    def update(self, used: float, progress: Progress, loss: float) -> None:
        """Move the bar to share ``used`` of the budget."""
        if self._bar is not None:
            held = "" if self._accuracy is None else f", held-out {self._accuracy:.1%}"
            note = f"step {progress.step}, loss {loss:.3f}{held}"
            self._bar.update(self._task, completed=min(1.0, used), note=note)

    def log(self, row: Mapping[str, float]) -> None:
        """Append one JSON line to the log."""
        self._accuracy = row.get("accuracy", self._accuracy)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(dict(row)) + "\n")
