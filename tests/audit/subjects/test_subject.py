"""What is audited: a function, a command, a folder or a design; whatever comes back wrong is one clear line."""

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from captcha_solver.audit.subjects.subject import open_subject
from captcha_solver.designs.external import run
from captcha_solver.errors import CaptchaSolverError, DatasetError, OptionError, SetupError
from captcha_solver.image import read_image
from tests.fakes import encoded
from tests.workers.some_jobs import until

PICTURE = Image.new("RGB", (40, 20), "red")
OWN = "their_own_module"


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module of somebody else."""
    module = ModuleType(OWN)
    monkeypatch.setitem(sys.modules, OWN, module)
    return module


def raising(error: BaseException) -> Any:
    def function() -> tuple[Any, str]:
        raise error

    return function


@pytest.mark.parametrize(
    ("image", "shape"),
    [
        (PICTURE, (20, 40, 3)),
        (PICTURE.convert("LA"), (20, 40, 3)),
        (encoded(PICTURE), (20, 40, 3)),
        (np.zeros((20, 40), np.uint8), (20, 40, 3)),
        (np.zeros((20, 40, 3), np.uint8), (20, 40, 3)),
        (np.zeros((20, 40, 4), np.uint8), (20, 40, 3)),
    ],
)
def test_what_a_function_may_return(image: Any, shape: tuple[int, ...], own: ModuleType) -> None:
    own.draw = lambda: (image, "ab")  # type: ignore[attr-defined]
    (sample,) = open_subject(f"{OWN}:draw").samples(1, 3)
    assert read_image(sample.image).shape == shape
    assert (sample.text, sample.id, sample.seed) == ("ab", "3-00000", 3)


@pytest.mark.parametrize(
    ("function", "error", "said"),
    [
        (raising(ValueError("no\nfont")), SetupError, "raised ValueError: no"),
        (raising(SystemExit(0)), SetupError, "raised SystemExit: 0"),
        (lambda: None, DatasetError, "to return an image and its text, received NoneType None"),
        (lambda: (PICTURE, "a", 1), DatasetError, "to return an image and its text, received tuple"),
        (lambda: "ab", DatasetError, "to return an image and its text, received str 'ab'"),
        (lambda: (PICTURE, ""), DatasetError, "the text of its image second, received str ''"),
        (lambda: (PICTURE, 12), DatasetError, "the text of its image second, received int 12"),
        (lambda: ("ab", PICTURE), DatasetError, "first; .*received 'ab', and there is no such file"),
        (lambda: (np.zeros((2, 2)), "a"), DatasetError, "expected at least 8 x 8 pixels, received 2 x 2"),
        (lambda: (np.zeros((2, 2, 7), np.uint8), "a"), DatasetError, "first; .*received an array .2, 2, 7."),
        (lambda: (b"junk", "a"), DatasetError, "expected an image first; expected an image .PNG, JPEG"),
        (lambda length: (PICTURE, "a"), SetupError, "to need no arguments but rng and seed, received length"),
        (7, SetupError, "expected a function at their_own_module:draw, received int"),
    ],
)
def test_a_function_that_does_something_else(
    function: Any, error: type[CaptchaSolverError], said: str, own: ModuleType
) -> None:
    own.draw = function  # type: ignore[attr-defined]
    with pytest.raises(error, match=said):
        open_subject(f"{OWN}:draw").samples(1, 0)


def test_a_function_that_takes_a_generator_or_a_seed_can_be_repeated(own: ModuleType) -> None:
    def draw(rng: np.random.Generator, seed: int, length: int = 4) -> tuple[Any, str]:
        return rng.integers(0, 256, (20, 40), np.uint8), str(seed)[-length:]

    own.draw = draw  # type: ignore[attr-defined]
    subject = open_subject(f"{OWN}:draw")
    first = subject.samples(3, 1)
    assert first == subject.samples(3, 1)
    assert first[:2] == subject.samples(2, 1)
    assert len({each.image for each in (*first, *subject.samples(3, 2))}) == 6
    assert len({each.text for each in (*first, *subject.samples(3, 2))}) == 6


def test_a_module_in_the_folder_of_the_command_is_found(tmp_path: Path) -> None:
    (tmp_path / "shop_captcha.py").write_text("def draw():\n    raise LookupError('found')\n")
    source = "from captcha_solver.cli.main import main; raise SystemExit(main())"
    argv = [sys.executable, "-P", "-c", source, "audit", "shop_captcha:draw", "--out", "out"]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (
        3,
        "captcha-solver: error: shop_captcha:draw raised LookupError: found\n",
    )


@pytest.mark.parametrize(
    ("spec", "error", "said"),
    [
        ("nothing", OptionError, "expected a design .*crowded.*, received 'nothing'"),
        ("no.such.module:draw", SetupError, "expected a function at no.such.module:draw, received ModuleNotFoundError"),
        ("os:nothing", SetupError, "expected a function at os:nothing, received AttributeError"),
    ],
)
def test_a_subject_that_is_none(spec: str, error: type[CaptchaSolverError], said: str) -> None:
    with pytest.raises(error, match=said):
        open_subject(spec).samples(1, 0)


@pytest.mark.parametrize(
    ("source", "error", "said"),
    [
        ("import sys; sys.exit('RuntimeError: no ink')", SetupError, "ended with status 1: RuntimeError: no ink"),
        ("import sys; print('what a day', file=sys.stderr)", DatasetError, "found none; on stderr it said: what a day"),
        ("", DatasetError, "labels.csv, found none$"),
        (
            "import pathlib, sys; pathlib.Path(sys.argv[1], 'labels.csv').write_bytes(b'\\xff\\xfe\\x00')",
            DatasetError,
            "labels.csv from .* row 1: expected UTF-8, received byte 0xff",
        ),
    ],
)
def test_a_command_that_fails_or_writes_nonsense(source: str, error: type[CaptchaSolverError], said: str) -> None:
    subject = open_subject("theirs", command=[sys.executable, "-c", source, "{out}"])
    with pytest.raises(error, match=said) as caught:
        subject.samples(2, 0)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("after", ["sleep 600", "true"])
def test_a_command_that_hangs_is_stopped_with_all_that_it_started(after: str) -> None:
    argv, limit_s = ["sh", "-c", f"sleep 600 & echo child $! >&2; {after}"], 1.6
    with pytest.raises(SetupError, match=r"was stopped: it had not finished after 2 s; it said: child \d+") as caught:
        run(argv, "", limit_s)
    child = int(str(caught.value).split()[-1])
    until(lambda: not is_running(child), 10.0)  # it was killed; that it is gone takes the system a moment


def is_running(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        return not Path("/proc").is_dir()
