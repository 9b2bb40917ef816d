"""The lock, the Makefile and the tree: pinned by hash, naming no package index, listing their tasks."""

import json
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.paths import ROOT

LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
LOCKED = ("*.lock", "deploy/*.lock", "benchmarks/*/*.lock", "datasets/external/*.lock", "docs/*.lock")
LOCK_FILES = [path for pattern in LOCKED for path in ROOT.glob(pattern)]
LOCKS = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in LOCK_FILES}
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
# Joined here, so that this file does not name them either.
INDEX_HOSTS = [f"{name}.{end}" for name in ("pypi", "pythonhosted", "npmjs") for end in ("org", "com", "io")]
MAKE = pytest.mark.skipif(shutil.which("make") is None, reason="needs make")


def locked(lock: str = LOCK) -> dict[str, str]:
    """Each pinned package and its block of the lock."""
    blocks = re.split(r"^(?=\S)", re.sub(r"^#.*\n", "", lock, flags=re.MULTILINE), flags=re.MULTILINE)
    return {re.split(r"[=\s;\[]", block, maxsplit=1)[0]: block for block in blocks if block.strip()}


def tracked() -> list[Path]:
    """Files that belong to the project: what git tracks or would, else all but what was installed."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True)
    if listing.returncode == 0:
        paths = [ROOT / name.decode() for name in listing.stdout.split(b"\0") if name]
    else:
        paths = [path for path in ROOT.rglob("*") if not {".venv", "node_modules"} & set(path.parts)]
    return [path for path in paths if path.is_file()]


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    command = ["make", *arguments]
    return subprocess.run(command, cwd=ROOT, env=inherited, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("lock", "least"),
    [
        ("requirements.lock", 30),
        ("requirements-service.lock", 30),
        ("deploy/gpu.lock", 50),
        ("deploy/audits.lock", 50),
        ("deploy/dashboard.lock", 10),
        ("benchmarks/peers/ddddocr.lock", 5),
        ("datasets/external/generators.lock", 7),
    ],
)
def test_a_lock_holds_a_whole_environment(lock: str, least: int) -> None:
    assert len(locked(LOCKS[lock])) > least


@pytest.mark.parametrize("lock", LOCKS)
def test_every_requirement_is_pinned_by_hash(lock: str) -> None:
    for name, block in locked(LOCKS[lock]).items():
        assert re.match(r"[\w.-]+==\S+", block), f"{name} is not pinned"
        assert re.search(r"--hash=sha256:[0-9a-f]{64}\b", block), f"{name} has no hash"


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_place(lock: str) -> None:
    entries = re.sub(r"^ *#.*\n", "", LOCKS[lock], flags=re.MULTILINE)  # comments name the project's own files
    assert not [named for named in ("/", "file:", " @ ") if named in entries]


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_sets_no_option_but_hashes(lock: str) -> None:
    assert set(re.findall(r"(?<!\S)--?[a-z][\w-]*", LOCKS[lock])) <= {"--hash", "-r", "-c"}


@pytest.mark.parametrize(
    ("lock", "extras"),
    [
        ("requirements.lock", ["train", "client", "service", "dev"]),
        ("requirements-service.lock", ["client", "service"]),
        ("deploy/gpu.lock", ["client", "service"]),
        ("deploy/audits.lock", ["client", "service", "train"]),
    ],
)
def test_a_lock_holds_what_the_project_asks_for(lock: str, extras: list[str]) -> None:
    build = PROJECT["build-system"]["requires"] if "dev" in extras else []
    there = {*locked(LOCKS[lock]), "captcha-solver"}
    assert {name.lower().replace(".", "-") for name in [*asked_for(*extras), *map(name_of, build)]} - there == set()


def test_the_generators_are_the_versions_asked_for() -> None:
    asked = (ROOT / "datasets/external/generators.in").read_text(encoding="utf-8")
    pins = [line for line in asked.splitlines() if not line.startswith("#")]
    generators = locked(LOCKS["datasets/external/generators.lock"])
    assert {pin: generators[name_of(pin)].startswith(f"{pin} ") for pin in pins} == dict.fromkeys(pins, True)
    assert generators["pillow"].split()[0] == locked()["pillow"].split()[0]  # the one the tests ran with


def test_make_external_knows_every_npm_generator() -> None:
    folders = {path.parent.name for path in (ROOT / "datasets" / "external").glob("*/package.json")}
    listed = re.findall(r"^NODE := (.*)$", MAKEFILE, flags=re.MULTILINE)
    assert set(" ".join(listed).split()) == folders


def name_of(requirement: str) -> str:
    return re.split(r"[\[=<>~!; ]", requirement, maxsplit=1)[0]


def asked_for(*extras: str) -> list[str]:
    """The packages that the project and these extras name."""
    optional = PROJECT["project"]["optional-dependencies"]
    named = [*PROJECT["project"]["dependencies"], *(wanted for extra in extras for wanted in optional[extra])]
    return [name_of(each) for each in named]


def test_each_dependency_has_its_reason_written_down() -> None:
    reasons = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    described = {
        name.strip() for row in re.findall(r"^\| ([^|]+) \|", reasons, re.MULTILINE) for name in row.split(",")
    }
    assert set(asked_for(*PROJECT["project"]["optional-dependencies"])) - {"captcha-solver"} - described == set()


@pytest.mark.parametrize("host", INDEX_HOSTS)
def test_no_file_names_a_package_index(host: str) -> None:
    naming = [str(path.relative_to(ROOT)) for path in tracked() if host.encode() in path.read_bytes()]
    assert naming == []


@pytest.mark.parametrize(
    ("folder", "wanted"),
    [
        ("svg-captcha", {"svg-captcha", "@resvg/resvg-js"}),
        ("ppfun-captcha", {"ppfun-captcha", "@resvg/resvg-js"}),
        ("trek-captcha", {"trek-captcha"}),
    ],
)
def test_an_npm_lock_is_pinned_by_hash_and_names_no_place(folder: str, wanted: set[str]) -> None:
    lock = json.loads((ROOT / "datasets/external" / folder / "package-lock.json").read_text(encoding="utf-8"))
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert {f"node_modules/{name}" for name in wanted} <= set(packages)
    for name, entry in packages.items():
        assert entry["integrity"].startswith("sha512-"), name
        assert "resolved" not in entry, name


@MAKE
def test_make_alone_lists_every_task() -> None:
    tasks = re.findall(r"^([a-z-]+):.*## ", MAKEFILE, flags=re.MULTILINE)
    assert {"demo", "test", "lint", "lock", "fonts", "swagger", "external", "clean", "help"} <= set(tasks)
    assert make().stdout == make("help").stdout
    assert re.findall(r"^make ([a-z-]+)  ", make("help").stdout, flags=re.MULTILINE) == tasks
    phony = re.findall(r"^\.PHONY: (.*)$", MAKEFILE, flags=re.MULTILINE)
    assert sorted(" ".join(phony).split()) == sorted(tasks)


@MAKE
@pytest.mark.parametrize("unfit", ["/no/such/python", "/bin/false"])
def test_make_without_a_python_that_will_do_says_what_is_needed(unfit: str, tmp_path: Path) -> None:
    done = make("setup", f"PYTHON={unfit}", f"VENV={tmp_path / 'venv'}")
    assert done.returncode == 2
    assert f"needs Python 3.11, 3.12 or 3.13 with venv; tried: {unfit}" in done.stderr
    assert not (tmp_path / "venv").exists()


def test_continuous_integration_runs_make_test() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert script.read_text(encoding="utf-8").startswith("#!/usr/bin/env bash\n")
    assert "set -euo pipefail" in script.read_text(encoding="utf-8")
    assert script.read_text(encoding="utf-8").endswith("exec make test\n")
