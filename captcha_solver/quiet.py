"""Keep what native libraries write to standard error off the terminal: all of it for a while, or remarks alone.

TensorFlow, XLA and Abseil write from C++, past Python, and heed no setting before they are set up. A program of ours
opens ``sieved_stderr``; as soon as Keras is loaded, what reaches file descriptor 2 goes through ``remarks``, a process
of its own. Python's ``sys.stderr`` goes on writing to the terminal itself, so that bars and errors are as they were.
"""

import contextlib
import io
import logging
import os
import sys
from collections.abc import Iterator
from typing import Any, TextIO

from captcha_solver import remarks

STDERR = 2
CLOSE_WITHIN_S = 1.0  # longer only where a process that was started meanwhile still holds the descriptor
LOGGERS = ("tensorflow", "absl")


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """Drop what is written to standard error meanwhile, by Python or natively: errors are raised, not written."""
    sys.stderr.flush()
    own = _descriptor(sys.stderr)
    kept = {each: os.dup(each) for each in {STDERR, STDERR if own is None else own}}
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        for each in kept:
            os.dup2(nowhere, each)
        yield
    finally:
        sys.stderr.flush()
        os.close(nowhere)
        for each, copy in kept.items():
            os.dup2(copy, each)
            os.close(copy)


class _Sieve:
    """Takes remarks out of file descriptor 2 from ``open`` to ``close``."""

    def __init__(self) -> None:
        self._kept: int | None = None
        self._process: Any = None
        self._python: TextIO | None = None

    def open(self) -> None:
        """Start it; does nothing where it runs already, or where there is no standard error."""
        if self._kept is not None:
            return
        try:
            self._kept = os.dup(STDERR)
        except OSError:
            return
        import subprocess  # here: a command that loads no Keras does without it

        read_end, write_end = os.pipe()
        command = [sys.executable, "-I", "-S", remarks.__file__]
        # In a session of its own: Ctrl-C is for the program, and what it still says then is to be heard.
        self._process = subprocess.Popen(command, stdin=read_end, stdout=subprocess.DEVNULL, start_new_session=True)
        os.close(read_end)
        if isinstance(sys.stderr, io.TextIOWrapper) and _descriptor(sys.stderr) == STDERR:
            self._python = sys.stderr
            self._python.flush()
            sys.stderr = os.fdopen(os.dup(self._kept), "w", 1, self._python.encoding, "backslashreplace")
        os.dup2(write_end, STDERR)
        os.close(write_end)

    def close(self) -> None:
        if self._kept is None or self._process is None:
            return
        import subprocess

        os.dup2(self._kept, STDERR)
        os.close(self._kept)
        self._kept = None
        if self._python is not None:
            sys.stderr.flush()  # not closed: a logger may have it
            sys.stderr, self._python = self._python, None
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(CLOSE_WITHIN_S)


_open: list[_Sieve] = []  # the sieve of the program that runs


@contextlib.contextmanager
def sieved_stderr() -> Iterator[None]:
    """While open, and once Keras is loaded, remarks are left out of standard error; one inside another does nothing."""
    if _open:
        yield
        return
    _open.append(_Sieve())
    try:
        if "keras" in sys.modules:
            sieve_now()
        yield
    finally:
        _open.pop().close()


def sieve_now() -> None:
    """Called before a library that makes remarks is loaded: those of Python's loggers are left out in any process."""
    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.ERROR)
    for sieve in _open:
        sieve.open()


def _descriptor(stream: TextIO) -> int | None:
    """Where a stream writes to; None for one that is no file, such as a test's capture."""
    try:
        return stream.fileno()
    except (OSError, ValueError):
        return None
