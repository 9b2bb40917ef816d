"""A frozen dataclass as a hash of Redis, and back: numbers and texts as they are, all else as JSON.

Tested in ``tests/workers/jobs/test_record.py``.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

RecordT = TypeVar("RecordT")


def to_hash(record: Any) -> dict[str, str]:
    """The fields of a dataclass; those that are None or False are left out."""
    fields: dict[str, Any] = msgspec.to_builtins(record)
    return {name: _text(value) for name, value in fields.items() if value is not None and value is not False}


def of_hash(kind: type[RecordT], fields: Mapping[bytes, bytes], *, nested: frozenset[str]) -> RecordT:
    """The dataclass of a hash; ``nested`` fields are JSON. Fields that it does not have are passed over."""
    known = {
        name.decode(): msgspec.json.decode(value) if name.decode() in nested else value.decode()
        for name, value in fields.items()
    }
    return msgspec.convert(known, kind, strict=False)


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode() if isinstance(value, dict | list | tuple) else str(value)
