"""Designs that are commands: the generators really draw, and what goes wrong is one clear line."""

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from captcha_solver.charset import parse_charset
from captcha_solver.designs.external import ExternalCommand, complaint, draw_external, fill_in
from captcha_solver.designs.load import load_design
from captcha_solver.designs.places import data_folder
from captcha_solver.errors import CaptchaSolverError, DatasetError, DesignError, OptionError, SetupError

EXTERNAL = data_folder("external")
PYPI = [sys.executable, str(EXTERNAL / "pypi_captcha.py")]
GENERATORS = EXTERNAL.parents[1] / ".bench" / "generators" / "bin" / "python"
WRITE = """
import pathlib, sys
out = pathlib.Path(sys.argv[1])
(out / "a.png").write_bytes(b"x")
(out / "labels.csv").write_text(sys.argv[2])
"""


def writing(labels: str) -> list[str]:
    """A command that writes one image, and ``labels`` as labels.csv."""
    return ["{python}", "-c", WRITE, "{out}", labels]


def has_gregwar() -> bool:
    probe = ["php", "-r", 'require "Gregwar/Captcha/autoload.php";']
    return shutil.which("php") is not None and subprocess.run(probe, capture_output=True).returncode == 0


def has_npm(package: str) -> bool:
    return shutil.which("node") is not None and (EXTERNAL / package / "node_modules").is_dir()


NODE = pytest.mark.skipif(not has_npm("svg-captcha"), reason="needs Node.js and `make external`")
PPFUN = pytest.mark.skipif(not has_npm("ppfun-captcha"), reason="needs Node.js and `make external`")
TREK = pytest.mark.skipif(not has_npm("trek-captcha"), reason="needs Node.js and `make external`")
VENV = pytest.mark.skipif(not GENERATORS.is_file(), reason="needs `make external`")
PHP = pytest.mark.skipif(not has_gregwar(), reason="needs php-cli and php-gregwar-captcha")


def rows_of(folder: Path) -> list[list[str]]:
    with (folder / "labels.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))[1:]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def ink_share(image: Image.Image) -> float:
    """The share of pixels that do not have the commonest colour."""
    colours = image.convert("RGB").getcolors(image.width * image.height) or []
    return 1 - max(count for count, _ in colours) / (image.width * image.height)


@pytest.mark.parametrize(
    ("design", "charset", "length", "size_px"),
    [
        pytest.param("external-pypi-captcha", "lower+digits", 4, (160, 60)),
        pytest.param("external-wheezy-captcha", "upper+digits", 4, (200, 75)),
        pytest.param("external-svg-captcha", "alnum", 5, (150, 50), marks=NODE),
        pytest.param("external-gregwar", "lower+digits", 5, (150, 40), marks=PHP),
        pytest.param("external-django-simple-captcha", "upper", 4, None, marks=VENV),
        pytest.param("external-claptcha", "alnum", 5, (200, 80), marks=VENV),
        pytest.param("external-multicolorcaptcha", "digits", 4, (640, 360), marks=VENV),
        pytest.param("external-ppfun-captcha", "alnum", 4, (500, 300), marks=PPFUN),
        pytest.param("external-trek-captcha", "abcdfhijklmnopqrstuvwxy", 5, (200, 70), marks=TREK),
    ],
)
def test_a_generator_draws_the_same_folder_for_a_seed(
    design: str, charset: str, length: int, size_px: tuple[int, int] | None, tmp_path: Path
) -> None:
    command = load_design(design).command
    assert command is not None
    for folder, seed in (("one", 1), ("again", 1), ("other", 2)):
        draw_external(command, 6, tmp_path / folder, seed)
    assert contents(tmp_path / "one") == contents(tmp_path / "again")
    assert rows_of(tmp_path / "one") != rows_of(tmp_path / "other")
    for filename, label in rows_of(tmp_path / "one"):
        assert len(label) == length
        assert set(label) <= set(parse_charset(charset).symbols)
        with Image.open(tmp_path / "one" / filename) as image:
            assert size_px in (image.size, None)
            assert ink_share(image) > 0.01


def test_every_external_design_says_what_it_needs() -> None:
    for path in data_folder("designs").glob("external-*.toml"):
        command = load_design(path).command
        assert command is not None
        assert command.hint
        assert {"{count}", "{out}", "{seed}"} <= set(command.argv)


def test_the_options_of_a_python_generator(tmp_path: Path) -> None:
    argv = [*PYPI, "--count", "40", "--charset", "AB", "--length", "2-6", "--width", "99"]
    for processes in ("1", "3"):
        out = ["--out", str(tmp_path / processes), "--processes", processes]
        subprocess.run([*argv, *out], check=True, capture_output=True)
    assert contents(tmp_path / "1") == contents(tmp_path / "3")
    labels = [label for _, label in rows_of(tmp_path / "1")]
    assert {len(label) for label in labels} == {2, 3, 4, 5, 6}
    assert set("".join(labels)) == {"A", "B"}
    with Image.open(tmp_path / "1" / "00000.png") as image:
        assert image.size == (99, 60)


@VENV
@pytest.mark.parametrize("script", ["django_captcha.py", "pypi_claptcha.py"])
def test_the_options_of_an_installed_generator(script: str, tmp_path: Path) -> None:
    options = ["--charset", "AB", "--length", "3-5", "--width", "180", "--height", "60"]
    for processes in ("1", "2"):
        order = ["--count", "8", "--out", str(tmp_path / processes), "--processes", processes]
        run_generator(script, *order, *options).check_returncode()
    assert contents(tmp_path / "1") == contents(tmp_path / "2")
    for filename, label in rows_of(tmp_path / "1"):
        assert len(label) in {3, 4, 5}
        assert set(label) <= {"A", "B"}
        with Image.open(tmp_path / "1" / filename) as image:
            assert image.size == (180, 60)


def run_generator(script: str, *options: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(EXTERNAL.parents[1])}
    command = [str(GENERATORS), str(EXTERNAL / script), *options]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


@VENV
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (["--length", "3-5"], "error: expected --length 4, received 3-5\n"),
        (["--width", "641"], "error: expected --width and --height of one of 256x144, 426x240, 640x360, "),
    ],
)
def test_what_a_generator_cannot_draw_is_one_clear_line(wrong: list[str], message: str, tmp_path: Path) -> None:
    done = run_generator("multicolor_captcha.py", "--count", "1", "--out", str(tmp_path / "out"), *wrong)
    assert done.returncode == 1
    assert done.stderr.startswith(message)
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "design",
    ["django-simple-captcha", "claptcha", "multicolorcaptcha", "svg-captcha", "ppfun-captcha", "trek-captcha"],
)
def test_a_generator_that_is_not_installed_is_one_clear_line(
    design: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = tmp_path / "datasets" / "external"
    shutil.copytree(EXTERNAL, bare, ignore=shutil.ignore_patterns("node_modules"))
    monkeypatch.setattr("captcha_solver.designs.external.data_folder", lambda name: bare)
    command = load_design(f"external-{design}").command
    assert command is not None
    with pytest.raises(
        SetupError, match=r"(cannot run|Cannot find (package|module)) .*; it needs: .*`make external`"
    ) as caught:
        draw_external(command, 1, tmp_path / "out", 0)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "wrong", [["--length", "9-2"], ["--length", "x"], ["--count", "0"], ["--charset", ""]], ids=" ".join
)
def test_a_wrong_option_is_a_usage_error(wrong: list[str], tmp_path: Path) -> None:
    argv = [*PYPI, "--count", "1", "--out", str(tmp_path / "out"), *wrong]
    done = subprocess.run(argv, capture_output=True, text=True)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("argv", "error", "message"),
    [
        (["no-such-program"], SetupError, "cannot run 'no-such-program' .*it needs: a hint"),
        (["{python}", "-c", "import absent"], SetupError, "No module named 'absent'; it needs: a hint"),
        (["{python}", "-c", "pass"], DatasetError, "to write .*labels.csv, found none"),
        (["{python}", "{nonsense}"], DesignError, "may use {python}, .*{nonsense}"),
        (["{python}", "{"], DesignError, "may use {python}"),
        (writing("a,b"), DatasetError, "expected the header filename,label, received 'a,b'"),
        (writing(""), DatasetError, "expected the header filename,label, received an empty file"),
        (writing("filename,label\na.png,x\n"), DatasetError, "expected 2 images from .*, received 1"),
        (
            writing("filename,label\na.png,x\nb.png,x\n"),
            DatasetError,
            "row 3: .* received no file 'b.png'",
        ),
        (writing("filename,label\na.png,\nb.png,x\n"), DatasetError, "row 2: expected a label for 'a.png'"),
    ],
)
def test_what_goes_wrong_is_one_clear_line(
    argv: list[str], error: type[CaptchaSolverError], message: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=message) as caught:
        draw_external(ExternalCommand(tuple(argv), "a hint"), 2, tmp_path / "out", 0)
    assert "\n" not in str(caught.value)


def test_a_program_that_hangs_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("captcha_solver.designs.external.STARTUP_S", 0.2)
    command = ExternalCommand(("{python}", "-c", "import threading; threading.Event().wait()"), "")
    with pytest.raises(SetupError, match="was stopped"):
        draw_external(command, 1, tmp_path / "out", 0)


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.png").write_bytes(b"mine")
    with pytest.raises(OptionError, match=r"new or empty folder .*holds mine.png"):
        draw_external(ExternalCommand(("{python}",), ""), 1, tmp_path, 0)
    with pytest.raises(SetupError, match="expected a folder that can be written"):
        draw_external(ExternalCommand(("{python}",), ""), 1, tmp_path / "mine.png", 0)
    assert (tmp_path / "mine.png").read_bytes() == b"mine"


def test_at_least_one_image_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="at least 1 image to draw, received 0"):
        draw_external(ExternalCommand(("{python}",), ""), 0, tmp_path / "out", 0)


def test_placeholders_are_filled_in_without_a_shell(tmp_path: Path) -> None:
    given = ["{python}", "{external}/x.py", "--n={count}", "{out}", "{seed}", "$HOME; ls"]
    argv = fill_in(given, 7, tmp_path, 3)
    assert argv == [sys.executable, f"{EXTERNAL}/x.py", "--n=7", str(tmp_path), "3", "$HOME; ls"]


@pytest.mark.parametrize(
    ("stderr", "line"),
    [
        ("Traceback\n  File x\nImportError: no 'x'\n", "ImportError: no 'x'"),
        ("Error [ERR_X]: no package\n    at y\n\nNode.js v20\n", "Error [ERR_X]: no package"),
        ("first\nlast\n", "last"),
        ("", "it said nothing"),
    ],
)
def test_the_complaint_is_the_line_that_names_the_error(stderr: str, line: str) -> None:
    assert complaint(stderr) == line
