"""The documentation: every link leads somewhere, every file and module that it names exists, no page is unreachable."""

import re
import subprocess
import tomllib
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

from captcha_solver.cli.main import COMMANDS
from tests.paths import ROOT

LINK = re.compile(r"(?<!\!)\[[^\]]*\]\(([^)\s]+)\)|\!\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
NAMED_FILE = re.compile(r"`((?:captcha_solver|workers|api|tests|benchmarks|scripts|datasets|docs|deploy)/[\w./-]+)`")
NAMED_SOURCE = re.compile(r"`((?:\w+/)+\w+\.py)\b")  # any Python file with a folder, even one outside the folders above
NAMED_COMMAND = re.compile(r"(?:^|[`( ])captcha-solver ([a-z]+)\b", re.MULTILINE)
NAMED_TASK = re.compile(r"(?:^|`)make ([a-z][a-z -]*)", re.MULTILINE)
NAMED_MODULE = re.compile(r"python -m ((?:captcha_solver|workers|api|benchmarks|scripts)(?:\.\w+)*)")
REFERENCED = re.compile(r"^::: ([\w.]+)$", re.MULTILINE)


@cache
def pages() -> list[Path]:
    """Every committed page, vendored ones left out."""
    listed = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    found = [ROOT / line for line in listed.splitlines()] or sorted((ROOT / "docs").rglob("*.md"))
    return [path for path in found if path.is_file()]


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub and the site make them."""
    headings = re.findall(r"^#+ (.*)$", CODE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    plain = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in headings]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in plain}


def links(page: Path) -> list[str]:
    return [a or b for a, b in LINK.findall(CODE.sub("", page.read_text(encoding="utf-8")))]


def target(page: Path, link: str) -> Path:
    """The file that a relative link of a page leads to."""
    path = link.partition("#")[0]
    return (page.parent / path).resolve() if path else page


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    for link in links(page):
        if re.match(r"[a-z]+:", link):
            continue
        found = target(page, link)
        assert found.exists(), f"{link} leads to nothing"
        anchor = link.partition("#")[2]
        if anchor and found.suffix == ".md":
            assert anchor in anchors(found), f"{link}: no heading of that name"


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_names_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    if page.name == "CHANGELOG.md":  # what was there once
        return
    for name in NAMED_FILE.findall(text):
        assert list(ROOT.glob(name.rstrip("/"))) or re.search(r"[A-Z]{3}|x/|/audits$", name), f"there is no {name}"
    for name in NAMED_SOURCE.findall(text):
        placeholder = re.match(r"(tests/)?x/", name)
        there = (ROOT / name).is_file() or (page.parent / name).is_file()
        assert there or placeholder, f"there is no {name}: name it from the root"
    for module in NAMED_MODULE.findall(text) + REFERENCED.findall(text):
        assert find_spec(module) is not None, f"there is no module {module}"


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_and_tasks_that_a_page_names_exist(page: Path) -> None:
    if page.name == "CHANGELOG.md":
        return
    text = page.read_text(encoding="utf-8")
    blocks = "\n".join(CODE.findall(text)) + "\n".join(re.findall(r"`[^`\n]+`", CODE.sub("", text)))
    tasks = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert {name for named in NAMED_TASK.findall(blocks) for name in named.split()} <= tasks
    assert set(NAMED_COMMAND.findall(blocks)) <= set(COMMANDS)


@pytest.mark.parametrize("page", sorted((ROOT / "docs").rglob("*.md")), ids=lambda page: page.name)
def test_a_page_of_the_site_links_to_pages_of_the_site(page: Path) -> None:
    """The site holds docs/ alone: a link to anything else is dead there, so such a file is named and not linked."""
    outside = [link for link in links(page) if not re.match(r"[a-z]+:", link)]
    assert not [link for link in outside if not target(page, link).is_relative_to(ROOT / "docs")]


def test_every_page_of_the_documentation_can_be_reached() -> None:
    navigation = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))["project"]["nav"]
    named = {ROOT / "docs" / name for name in _names(navigation)}
    assert all(page.is_file() for page in named)
    reached: set[Path] = set()
    waiting = [*named, ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached:
            continue
        reached.add(page)
        waiting += [found for link in links(page) if (found := target(page, link)).suffix == ".md" and found.is_file()]
    assert {page for page in pages() if page.is_relative_to(ROOT / "docs")} <= reached


def test_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


def _names(navigation: object) -> list[str]:
    if isinstance(navigation, str):
        return [navigation]
    if isinstance(navigation, dict):
        return [name for each in navigation.values() for name in _names(each)]
    assert isinstance(navigation, list)
    return [name for each in navigation for name in _names(each)]
