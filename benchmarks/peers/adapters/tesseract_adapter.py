"""Tesseract 5 by its command line, told that the image is one line (``--psm 7``) of 0-9A-Za-z."""

import string
import subprocess
from collections.abc import Mapping, Sequence

ARGUMENTS = ("--psm", "7", "-c", f"tessedit_char_whitelist={string.digits}{string.ascii_letters}")


class Reader:
    """One process an image: that is how it is used where its C++ library is not."""

    def __init__(self, options: Mapping[str, str]) -> None:
        self._command = [options["program"], "stdin", "stdout", *ARGUMENTS]

    def read(self, images: Sequence[bytes]) -> list[str]:
        return ["".join(self._run(image).split()) for image in images]

    def _run(self, image: bytes) -> str:
        return subprocess.run(self._command, input=image, capture_output=True).stdout.decode("utf-8", "replace")
