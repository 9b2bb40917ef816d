"""docs/service.md against the code: settings, endpoints, codes, and the way it says to check a webhook."""

import ast
import importlib.util
import re
import time
from dataclasses import fields
from pathlib import Path
from types import ModuleType

import pytest
from fastapi.routing import APIRoute

from api.problems import CODES
from api.routes import audits, jobs, results, solve, state
from tests.paths import ROOT
from workers.jobs import webhooks
from workers.settings import Settings

PAGE = (ROOT / "docs/service.md").read_text(encoding="utf-8")
SECRET = "whsec_" + "c2VjcmV0" * 8


def section(title: str) -> str:
    match = re.search(rf"^#+ {re.escape(title)}\n(.*?)(?=^#+ |\Z)", PAGE, flags=re.MULTILINE | re.DOTALL)
    assert match, f"no section {title}"
    return match[1]


def rows(text: str) -> list[list[str]]:
    """Cells of the tables in ``text``, without their heads."""
    lines = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in cells] for cells in lines if set(cells[0].strip()) != {"-"}]


def default(value: object) -> str:
    if value is None or value == ():
        return "-"
    text = ",".join(value) if isinstance(value, tuple) else str(int(value) if isinstance(value, bool) else value)
    return f"`{text}`"


def test_every_setting_is_described_as_it_is() -> None:
    described = rows(section("Settings"))[1:]
    assert described == [[f"`{f.metadata['name']}`", default(f.default), f.metadata["help"]] for f in fields(Settings)]


def test_every_route_is_described() -> None:
    routes = [route for module in (solve, jobs, results, audits, state) for route in module.router.routes]
    there = {
        f"`{method} {route.path}`" for route in routes if isinstance(route, APIRoute) for method in route.methods or ()
    }
    assert {row[0] for row in rows(section("Endpoints"))[1:]} == there


def codes(folder: str, callers: dict[str, str], at: int = 1) -> set[str]:
    """Codes that are given as the ``at``-th argument to these functions anywhere in ``folder``."""
    found = set()
    for path in sorted((ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in callers:
                given = node.args[at] if len(node.args) > at else None
                if isinstance(given, ast.Constant) and isinstance(given.value, str):
                    found.add(callers[node.func.id] + given.value)
    return found


def test_every_code_of_an_error_is_described() -> None:
    raised = codes("api", {"Problem": "", "later": "", "Resource": ""}) | codes("api", {"_refused": "archive_"}, at=0)
    raised |= {*CODES.values(), "http_error"}
    assert len(raised) > 25
    assert {code for row in rows(section("Errors"))[1:] for code in re.findall(r"`(\w+)`", row[1])} == raised


def test_every_code_of_an_answer_is_described() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "workers").rglob("*.py"))
    given = set(re.findall(r'(?:code=|"code": |indexes, )"([a-z0-9_]+)"', source))
    assert {row[0].strip("`") for row in rows(section("Shapes").split("`error.code`")[1])[1:]} == given


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """The block of Python in the section on webhooks, as a module."""
    match = re.search(r"```python\n(.*?)```", section("Webhooks"), flags=re.DOTALL)
    assert match
    path: Path = tmp_path_factory.mktemp("recipe") / "recipe.py"
    path.write_text(match[1], encoding="utf-8")
    spec = importlib.util.spec_from_file_location("recipe", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("sent", "age_s", "key", "expected"),
    [
        (b"{}", 0, SECRET, True),
        (b"{ }", 0, SECRET, False),
        (b"{}", 301, SECRET, False),
        (b"{}", -301, SECRET, False),
        (b"{}", 0, SECRET.replace("c2", "c3"), False),
    ],
)
def test_the_way_to_check_a_webhook_works(
    recipe: ModuleType, sent: bytes, age_s: int, key: str, expected: bool
) -> None:
    stamp = int(time.time()) - age_s
    headers = {
        "webhook-id": "job_1",
        "webhook-timestamp": str(stamp),
        "webhook-signature": webhooks.signature(webhooks.signing_key(key), "job_1", stamp, b"{}"),
    }
    assert recipe.verified(SECRET, headers, sent) is expected
