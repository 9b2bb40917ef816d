"""Passes lines on without TensorFlow's remarks. As a program: from standard input to standard error.

It imports nothing of the package, so that it starts at once as a process of its own: one that outlives the process
whose lines it passes on, so that the last words of a crash are heard.

Tested in ``tests/test_quiet.py``.
"""

import os
import re

REMARK = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog\(\)"
    rb"|[IW]\d{4} [\d:.]+ +\d+ \S+:\d+\] "  # Abseil's information and warnings
    rb"|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+: [IW] \S+:\d+\] "  # TensorFlow's own
    rb"|(?:E\d{4} [\d:.]+ +\d+|[\d-]+ [\d:.]+: E) \S+:\d+\] "  # errors that only say that there is no GPU
    rb"(?:failed call to cuInit|Unable to register cu\w+ (?:plugin )?factory)"
    rb"|To enable the following instructions: "  # the second line of one of the above
    rb"|WARNING:(?:tensorflow|absl):"
    rb"|error: 'tfg\."  # its graph optimiser gives up one of its passes, and computes the same without it
)
CHUNK_BYTES = 1 << 16


def is_remark(line: bytes) -> bool:
    """Whether ``line`` (without its end) is a remark: nothing went wrong, and no user can do anything about it."""
    return REMARK.match(line) is not None


def pass_on(source: int, target: int) -> None:
    """Copy from one file descriptor to another, line by line, until the end, but for remarks."""
    held = b""
    while chunk := os.read(source, CHUNK_BYTES):
        *lines, held = (held + chunk).split(b"\n")
        _write(target, b"".join(line + b"\n" for line in lines if not is_remark(line)))
    if not is_remark(held):
        _write(target, held)


def _write(target: int, data: bytes) -> None:
    while data:
        data = data[os.write(target, data) :]


if __name__ == "__main__":
    pass_on(0, 2)
