import subprocess
import sys

import pytest

from captcha_solver.models.bundle import shipped_bundles

HEAVY = ("keras", "tensorflow", "cv2", "onnxruntime", "matplotlib", "PIL", "numpy")

SCORE = """
import sys
from pathlib import Path
import numpy as np
from captcha_solver.solver import Solver
from captcha_solver.recognizers import Recognizer, load_recognizer
from captcha_solver.models.bundle import shipped_bundles
from captcha_solver.image import encode_png
for name in shipped_bundles():
    Solver(load_recognizer(name, "onnx")).solve(encode_png(np.full((40, 120, 3), 255, np.uint8)))
"""


def loaded_by(code: str) -> set[str]:
    """Which heavy modules a fresh interpreter holds after ``code``."""
    shown = f"{code}\nimport sys\nprint(*(name for name in {HEAVY!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", shown], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert loaded_by("import captcha_solver; captcha_solver.__version__, captcha_solver.ImageError") == set()


@pytest.mark.parametrize(
    "code",
    [
        "from captcha_solver import Solver, load_solver, Constraints, Solution",
        "import captcha_solver.cli.main",
        SCORE,
    ],
    ids=["its names", "the command line", "solving with onnx"],
)
def test_keras_and_tensorflow_stay_away(code: str) -> None:
    assert not loaded_by(code) & {"keras", "tensorflow", "matplotlib"}


def test_the_shipped_models_are_run_by_onnx() -> None:
    assert not shipped_bundles() or {"onnxruntime", "cv2"} <= loaded_by(SCORE)


def test_unknown_names_are_attribute_errors() -> None:
    import captcha_solver

    with pytest.raises(AttributeError, match="no attribute 'solvr'"):
        captcha_solver.solvr  # noqa: B018
    assert set(captcha_solver.__all__) <= set(dir(captcha_solver))
    for name in captcha_solver.__all__:
        assert getattr(captcha_solver, name) is not None
