"""Finds the owner of a bearer token. Nobody sees another's jobs."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable

from captcha_solver.errors import OptionError

KEY_BYTES = 32  # 256 random bits
HASHED = "sha256:"
SHORT = 32  # characters: a key of fewer is no key for a public address
OWNER_DIGITS = 16


class KeyRing:
    """The keys that may ask, as their SHA-256; the keys themselves are not kept."""

    def __init__(self, keys: Iterable[str]) -> None:
        given = list(keys)
        self._hashes = [_hash_of(key) for key in given]
        self.weak = any(not key.startswith(HASHED) and len(key) < SHORT for key in given)

    def __len__(self) -> int:
        return len(self._hashes)

    def owner(self, token: str) -> str | None:
        """Who ``token`` belongs to, None for nobody. Every key is compared, each in constant time."""
        given = hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
        found = [known for known in self._hashes if hmac.compare_digest(known, given)]
        return found[0][:OWNER_DIGITS] if found else None


def new_key() -> str:
    """A key of 256 random bits."""
    return "cs_" + secrets.token_urlsafe(KEY_BYTES)


def hashed(key: str) -> str:
    """How a key is written where it should not be readable: CAPTCHA_API_KEYS takes this form too."""
    return HASHED + hashlib.sha256(key.encode()).hexdigest()


def _hash_of(key: str) -> str:
    if not key.startswith(HASHED):
        return hashed(key).removeprefix(HASHED)
    digest = key.removeprefix(HASHED).lower()
    if not re.fullmatch(r"[0-9a-f]{64}", digest):
        raise OptionError(f"expected sha256: and 64 hex digits in CAPTCHA_API_KEYS, received {key[:16]!r}...")
    return digest
