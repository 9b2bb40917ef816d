"""Finds the line of a TOML file on which a key stands. The library reads, and nothing else.

A line begins the entry of a key if what stands before it is whole TOML without that key, and with it (and as many lines
as its value has) the key is there. So brackets, hashes and names in texts of several lines do not mislead.
"""

import tomllib
from collections.abc import Mapping, Sequence
from typing import Any


def line_of(text: str, table: str, index: int, key: str) -> int:
    """The line (1-based) of ``key`` in the table ``[table]``, or in the ``index``-th ``[[table]]``; "" is the top.

    The table's own line, where it lacks the key, and 1 where there is no such table.
    """
    if key and (found := _first(text, key, (table, index, key))):
        return found
    return (_first(text, table, (table, index, "")) if table else None) or 1


def _first(text: str, mentioned: str, wanted: tuple[str, int, str]) -> int | None:
    """The first line that mentions a name and brings what is wanted."""
    lines = text.split("\n")  # as TOML has it: other separators may stand within a text
    for number, line in enumerate(lines):
        if mentioned not in line:
            continue
        before = _parsed(lines[:number])
        if before is None or _has(before, wanted):  # within a value, or behind what is wanted
            continue
        ends = (_parsed(lines[:end]) for end in range(number + 1, len(lines) + 1))
        after = next((each for each in ends if each is not None), None)
        if after is not None and _has(after, wanted):
            return number + 1
    return None


def _parsed(lines: Sequence[str]) -> Mapping[str, Any] | None:
    try:
        return tomllib.loads("\n".join([*lines, ""]))
    except tomllib.TOMLDecodeError:
        return None


def _has(data: Mapping[str, Any], wanted: tuple[str, int, str]) -> bool:
    table, index, key = wanted
    found: Any = data.get(table) if table else data
    if isinstance(found, list):
        found = found[index] if index < len(found) else None
    elif index:
        found = None
    return found is not None and (not key or (isinstance(found, Mapping) and key in found))
