"""Tesseract 5 by its command line, told that the image is one line (``--psm 7``) of 0-9A-Za-z.

Tested in ``tests/benchmarks/peers/test_measure.py``.
"""

import string
import subprocess
from collections.abc import Mapping, Sequence

ARGUMENTS = ("--psm", "7", "-c", f"tessedit_char_whitelist={string.digits}{string.ascii_letters}")
WORD = "5"  # the level of a row that holds a word


class Reader:
    """One process an image: that is how it is used where its C++ library is not."""

    def __init__(self, options: Mapping[str, str]) -> None:
        self._command = [options["program"], "stdin", "stdout", *ARGUMENTS]

    def read(self, images: Sequence[bytes]) -> list[str]:
        return ["".join(self._run(image).split()) for image in images]

    def read_sure(self, images: Sequence[bytes]) -> list[tuple[str, float | None]]:
        return [joined(self._run(image, "tsv")) for image in images]

    def _run(self, image: bytes, *output: str) -> str:
        command = [*self._command, *output]
        return subprocess.run(command, input=image, capture_output=True).stdout.decode("utf-8", "replace")


def joined(rows: str) -> tuple[str, float]:
    """All words of Tesseract's table as one text, as sure as the least sure of them; ("", 0.0) where there is none."""
    cells = [row.split("\t") for row in rows.splitlines()]
    words = [(row[11].strip(), float(row[10]) / 100) for row in cells if len(row) == 12 and row[0] == WORD]
    kept = [(text, confidence) for text, confidence in words if text]
    return "".join(text for text, _ in kept), min((confidence for _, confidence in kept), default=0.0)
