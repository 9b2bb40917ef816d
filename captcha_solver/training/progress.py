"""How far a training is: a bar with the time left, JSON lines in train.log; and a clean stop on Ctrl-C.

Tested in ``tests/training/test_loop.py``.
"""

import json
import signal
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

from captcha_solver.terminal import share_bar
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
        self._bar = ExitStack()
        self._show: Callable[[float, str], None] = lambda share, note: None
        self._accuracy: float | None = None

    def __enter__(self) -> Self:
        self._show = self._bar.enter_context(share_bar(self._label))
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._bar.close()

    def update(self, used: float, progress: Progress, loss: float) -> None:
        """Move the bar to share ``used`` of the budget."""
        held = "" if self._accuracy is None else f", held-out {self._accuracy:.1%}"
        self._show(used, f"step {progress.step}, loss {loss:.3f}{held}")

    def log(self, row: Mapping[str, float]) -> None:
        """Append one JSON line to the log."""
        self._accuracy = row.get("accuracy", self._accuracy)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(dict(row)) + "\n")
