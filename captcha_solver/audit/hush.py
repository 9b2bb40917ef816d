"""Standard error in, the same without the lines that begin in a certain way out: what native code writes included."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

STDERR = 2
END = b"\0\n"  # no text has it
WAIT_S = 1.0  # for what was written before the end to be passed on
GRAPPLER = b"error: 'tfg."  # TensorFlow's graph optimiser gives up one of its passes, and computes the same without it


@contextmanager
def without_lines(prefix: bytes) -> Iterator[None]:
    """Leave lines that begin with ``prefix`` out of this process's standard error."""
    try:
        kept = os.dup(STDERR)
    except OSError:  # it has none
        yield
        return
    read_end, write_end = os.pipe()
    os.dup2(write_end, STDERR)
    os.close(write_end)
    passed_on = threading.Event()
    threading.Thread(target=_pass_on, args=(read_end, kept, prefix, passed_on), daemon=True).start()
    try:
        yield
    finally:
        os.write(STDERR, END)
        os.dup2(kept, STDERR)
        passed_on.wait(WAIT_S)


def _pass_on(read_end: int, kept: int, prefix: bytes, passed_on: threading.Event) -> None:
    """Goes on behind the end for as long as a process that was started before it writes something."""
    with open(read_end, "rb") as lines, open(kept, "wb", buffering=0) as out:
        for line in lines:
            if not line.startswith(prefix):
                out.write(line.removesuffix(END))
            if line.endswith(END):
                passed_on.set()
