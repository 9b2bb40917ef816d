"""Starts child processes that end with their parent, so that a killed keeper leaves nothing behind."""

import ctypes
import signal
import sys
import threading
from collections.abc import Callable

PR_SET_PDEATHSIG = 1  # linux/prctl.h
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None  # loaded here: nothing may be imported after a fork


def end_with_parent() -> None:
    """For ``preexec_fn``: have the kernel send SIGTERM when the thread that started this process is gone (Linux)."""
    if _LIBC is not None:
        _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def from_main_thread() -> Callable[[], None] | None:
    """``end_with_parent``, where the thread that starts the process lasts as long as this one; else nothing."""
    return end_with_parent if threading.current_thread() is threading.main_thread() else None
