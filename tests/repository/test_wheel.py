"""The wheel: it holds every file that the installed program opens, and nothing of the tests."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.paths import ROOT

PLACES = {"captcha_solver": "captcha_solver", "datasets/designs": "captcha_solver/data/designs",
          "datasets/fonts": "captcha_solver/data/fonts"}  # fmt: skip


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-qq",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        str(out),
    ]
    done = subprocess.run([*command, str(ROOT)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (built,) = out.glob("*.whl")
    return built


def test_the_wheel_holds_what_the_program_opens(wheel: Path) -> None:
    tracked = subprocess.run(["git", "ls-files", *PLACES], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    wanted = set()
    for name in tracked.splitlines():
        folder = next(place for place in PLACES if name.startswith(f"{place}/"))
        wanted.add(PLACES[folder] + name.removeprefix(folder))
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert {Path(name).suffix for name in wanted} >= {".py", ".json", ".j2", ".toml", ".ttf", ".onnx"}
    assert wanted - held == set()
    assert {name for name in held - wanted if not name.startswith("captcha_solver/")} == set()


def test_an_installed_wheel_finds_its_files(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path)
    code = (
        "import captcha_solver, sys\n"
        "from captcha_solver.audit.pages import page\n"
        "from captcha_solver.designs.fonts import families\n"
        "from captcha_solver.designs.load import builtin_designs\n"
        "from captcha_solver.models.bundle import shipped_bundles\n"
        "found = [captcha_solver.__file__, page.TEMPLATES, *builtin_designs().values(), *shipped_bundles().values()]\n"
        f"assert all(str(each).startswith({str(tmp_path)!r}) for each in found), found\n"
        "assert all(p.exists() for p in found[1:]) and len(families()) > 5\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
