"""Reads a file's bytes from the text that stands for an image in JSON: base64, or a ``data:`` URI."""

import base64
import re
from urllib.parse import unquote, unquote_to_bytes

from captcha_solver.errors import ImageError

SCHEME = "data:"
HEAD = re.compile(r'(?:"[^"]*"|[^,"])*,')  # up to the first comma that stands in no quoted parameter
ALPHABET = re.compile(r"[A-Za-z0-9+/]*")
URL_SAFE = str.maketrans("-_", "+/")
MOST_PERCENTS = 1_000_000  # each is a value that costs many times its bytes while it is decoded
LONGEST_ECHO = 40  # characters of what was sent that an error repeats
EXPECTED = "expected the image's file as base64 or as a data: URI"


def decode(text: str) -> bytes:
    """The bytes that ``text`` stands for; ``ImageError`` where it stands for none.

    Base64 may be wrapped, unpadded, percent-encoded, and of either alphabet; a ``data:`` URI may have any parameters.
    """
    if text.count("%") > MOST_PERCENTS:
        raise ImageError(f"{EXPECTED}, received more than {MOST_PERCENTS:,} percent signs")
    text = text.strip().removeprefix("\ufeff")
    if not _is_uri(text):
        text = unquote(text).strip()  # base64 has no percent sign of its own
    data = _of_uri(text[len(SCHEME) :]) if _is_uri(text) else _of_base64(text)
    if not data:
        raise ImageError(f"{EXPECTED}, received nothing")
    return data


def _is_uri(text: str) -> bool:
    return text[: len(SCHEME)].lower() == SCHEME


def _of_uri(rest: str) -> bytes:
    """What a ``data:`` URI (RFC 2397) holds; ``rest``: all behind its scheme."""
    match = HEAD.match(rest)
    end = match.end() if match else rest.find(",") + 1
    if not end:
        head, comma, data = unquote(rest).partition(",")
        if not comma:
            raise ImageError(f"{EXPECTED}, received a data: URI without a comma")
    else:
        head, data = unquote(rest[: end - 1]), rest[end:]
    if "base64" in [part.strip().lower() for part in head.split(";")]:
        return _of_base64(unquote(data))
    return unquote_to_bytes(data)


def _of_base64(text: str) -> bytes:
    packed = "".join(text.split()).translate(URL_SAFE).rstrip("=")
    if not ALPHABET.fullmatch(packed):
        raise ImageError(f"{EXPECTED}, received {text[:LONGEST_ECHO]!r}, which is neither")
    if len(packed) % 4 == 1:
        raise ImageError(f"{EXPECTED}, received base64 that is cut: {len(packed):,} characters")
    return base64.b64decode(packed + "=" * (-len(packed) % 4))
