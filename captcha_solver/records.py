"""JSON and a dataclass in, an object of that dataclass out: each field checked for its type, for files get edited."""

import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

Record = TypeVar("Record")
PLAIN: Mapping[type, str] = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}
ADDED = "added later"  # in the metadata of a field: files written before lack it
SHOWN = 60  # characters of what was received


def read_record(kind: type[Record], value: object) -> Record:
    """``value``, as ``json.loads`` gives it, as a ``kind``; ``ValueError`` says what was expected and received."""
    read: Record = _dataclass(kind, value, kind.__name__.lower())
    return read


def parse_record(kind: type[Record], text: bytes) -> Record:
    """As ``read_record``, of JSON in UTF-8."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise ValueError(f"expected JSON in UTF-8, received {_shown(text.decode('utf-8', 'replace'))}") from error
    return read_record(kind, value)


def _dataclass(kind: Any, value: object, where: str) -> Any:
    names = [each.name for each in fields(kind)]
    needed = {each.name for each in fields(kind) if ADDED not in each.metadata}
    if not isinstance(value, dict) or not needed <= set(value) <= set(names):
        received = ", ".join(map(str, value)) if isinstance(value, dict) else _shown(value)
        raise ValueError(f"{where}: expected the fields {', '.join(names)}, received {received or 'none'}")
    hints = _hints(kind)
    return kind(**{name: _typed(hints[name], value[name], name) for name in names if name in value})


def _typed(hint: Any, value: object, where: str) -> Any:
    """``value`` as its type hint wants it: lists become tuples, objects dataclasses."""
    if hint is Any:
        return value
    if is_dataclass(hint):
        return _dataclass(hint, value, where)
    origin, parts = get_origin(hint), get_args(hint)
    if origin is UnionType:  # X | None
        return None if value is None else _typed(next(part for part in parts if part is not NoneType), value, where)
    if origin is tuple:
        return _tuple(parts, value, where)
    if origin is Mapping:
        if not isinstance(value, dict):
            raise ValueError(f"{where}: expected an object, received {_shown(value)}")
        return {key: _typed(parts[1], each, f"{where} of {key!r}") for key, each in value.items()}
    if not _fits(hint, value):
        raise ValueError(f"{where}: expected {PLAIN[hint]}, received {_shown(value)}")
    return value


def _tuple(parts: tuple[Any, ...], value: object, where: str) -> tuple[Any, ...]:
    """A list as ``tuple[X, ...]``, or as ``tuple[X, Y]``."""
    if not isinstance(value, list):
        raise ValueError(f"{where}: expected a list, received {_shown(value)}")
    hints = [parts[0]] * len(value) if parts[-1] is Ellipsis else list(parts)
    if len(hints) != len(value):
        raise ValueError(f"{where}: expected {len(hints)} values, received {_shown(value)}")
    return tuple(_typed(hint, each, where) for hint, each in zip(hints, value, strict=True))


def _fits(hint: type, value: object) -> bool:
    """A whole number will do for a number; true, false, NaN and infinity will not."""
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return type(value) is hint


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return repr(text if len(text) <= SHOWN else f"{text[:SHOWN]}...")
