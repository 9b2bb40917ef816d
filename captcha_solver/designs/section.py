"""One table of a design's TOML file: typed access to its keys, and complaints that say where.

Tested in ``tests/designs/drawing/test_draw.py``.
"""

from collections.abc import Mapping
from typing import Any

from captcha_solver.designs.design import Range
from captcha_solver.designs.line_numbers import line_of
from captcha_solver.errors import DesignError


class Section:
    """One table of the file: typed access to its keys, and complaints that say where."""

    def __init__(self, data: Mapping[str, Any], text: str, source: str, path: str, index: int = 0) -> None:
        self.data, self.text, self.source, self.path, self.index = data, text, source, path, index

    def fail(self, key: str, message: str) -> DesignError:
        where = f"{self.path}.{key}".strip(".") if key else self.path
        return DesignError(f"{self.source}, line {self.line_of(key)}: {where}: {message}")

    def line_of(self, key: str) -> int:
        """The line on which ``key`` of this table stands (1-based); the table's own where it is not found."""
        return line_of(self.text, self.path, self.index, key)

    def allow(self, *keys: str) -> None:
        for key in self.data:
            if key not in keys:
                raise self.fail(key, f"unknown key; expected one of {', '.join(keys)}")

    def section(self, key: str) -> "Section":
        value = self.data.get(key, {})
        if isinstance(value, list):
            value = value[0] if value else {}
        if not isinstance(value, dict):
            raise self.fail(key, f"expected a table [{key}], received {value!r}")
        return Section(value, self.text, self.source, key)

    def sections(self, key: str) -> list["Section"]:
        value = self.data.get(key, [])
        if isinstance(value, dict):
            value = [value]
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self.fail(key, f"expected tables [[{key}]], received {value!r}")
        return [Section(item, self.text, self.source, key, i) for i, item in enumerate(value)]

    def string(self, key: str, default: str) -> str:
        value = self.data.get(key, default)
        if not isinstance(value, str):
            raise self.fail(key, f"expected text, received {value!r}")
        return value

    def strings(self, key: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
        value = self.data.get(key, list(default))
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, list) or not all(isinstance(item, str) for item in values):
            raise self.fail(key, f"expected text or a list of texts, received {value!r}")
        if key in self.data and not values:
            raise self.fail(key, "expected at least one entry, received none")
        return tuple(values)

    def flag(self, key: str, default: bool) -> bool:
        value = self.data.get(key, default)
        if not isinstance(value, bool):
            raise self.fail(key, f"expected true or false, received {value!r}")
        return value

    def number(self, key: str, default: float, low: float, high: float) -> float:
        span = self.range(key, Range(default, default), low, high)
        if span.low != span.high:
            raise self.fail(key, f"expected one number, received {self.data[key]!r}")
        return span.low

    def range(self, key: str, default: Range, low: float, high: float) -> Range:
        """A number, or [low, high], within the limits."""
        if key not in self.data:
            return default
        value = self.data[key]
        ends = value if isinstance(value, list) and len(value) == 2 else [value, value]
        for end in ends:
            if isinstance(end, bool) or not isinstance(end, int | float):
                raise self.fail(key, f"expected a number or [low, high], received {value!r}")
            if not low <= end <= high:
                raise self.fail(key, f"expected {low:g} to {high:g}, received {value!r}")
        if ends[0] > ends[1]:
            raise self.fail(key, f"expected [low, high] with low <= high, received {value!r}")
        return Range(float(ends[0]), float(ends[1]))
