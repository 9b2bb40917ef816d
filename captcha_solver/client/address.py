"""Checks a service's address and key as a user gives them.

Tested in ``tests/client/test_service.py``.
"""

import ipaddress
from urllib.parse import urlsplit

from captcha_solver.errors import OptionError


def checked_url(url: str) -> str:
    """``url`` without a slash at its end; ``OptionError`` where it is no address of a web service."""
    try:
        parts = urlsplit(url)
        fits = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fits = False
    if not fits or not url.isascii() or not url.isprintable() or parts.query or parts.fragment or parts.username:
        raise OptionError(f"expected a URL as in http://127.0.0.1:8000, received {url[:200]!r}")
    return url.rstrip("/")


def checked_key(key: str) -> str:
    if not key.isascii() or not key.isprintable() or " " in key:
        raise OptionError("expected a key of printable ASCII without spaces, received another")
    return key


def is_local(url: str) -> bool:
    """Whether ``url`` is on this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
