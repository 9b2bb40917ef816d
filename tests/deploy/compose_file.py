"""What Compose makes of docker-compose.yml and of values for its variables."""

import re
from collections.abc import Mapping
from typing import Any

import yaml

from tests.paths import ROOT

PATH = ROOT / "docker-compose.yml"
VALUES = {"REDIS_PASSWORD": "0123456789abcdef" * 4, "CAPTCHA_API_KEYS": "cs_" + "k" * 43}
VARIABLE = re.compile(r"\$(?:(\$)|\{(\w+)(?:(:[-?])([^}]*))?\})")
UNITS_S = {"s": 1, "m": 60, "h": 3600}


def compose(values: Mapping[str, str] = VALUES) -> dict[str, Any]:
    """The file, variables replaced; ``KeyError`` where one that must be given is not."""
    text = PATH.read_text(encoding="utf-8")
    content: dict[str, Any] = replaced(yaml.safe_load(text), values)
    return content


def replaced(node: Any, values: Mapping[str, str]) -> Any:
    """``node`` with ``${NAME}``, ``${NAME:-default}`` and ``${NAME:?message}`` in its strings replaced."""
    if isinstance(node, dict):
        return {key: replaced(value, values) for key, value in node.items()}
    if isinstance(node, list):
        return [replaced(value, values) for value in node]
    return VARIABLE.sub(lambda match: _value(match, values), node) if isinstance(node, str) else node


def _value(match: re.Match[str], values: Mapping[str, str]) -> str:
    dollar, name, kind, rest = match.groups()
    if dollar:
        return "$"
    if values.get(name):
        return values[name]
    if kind != ":-":
        raise KeyError(f"{name}: {rest}")
    return str(rest)


def variables() -> dict[str, tuple[str, str]]:
    """Each variable of the file: how it is asked for (``:?``, ``:-``) and its default or message."""
    found = VARIABLE.findall(PATH.read_text(encoding="utf-8"))
    return {name: (kind, rest) for _, name, kind, rest in found if name}


def seconds(duration: str) -> int:
    """``75s`` or ``1m`` as seconds."""
    match = re.fullmatch(r"(\d+)([smh])", duration)
    assert match, f"expected a duration like 75s, received {duration}"
    return int(match[1]) * UNITS_S[match[2]]
