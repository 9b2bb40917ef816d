"""Tells the owner of a text-CAPTCHA design how strong that design is, before somebody else finds out.

    from captcha_solver import load_solver

    solution = load_solver("sliding").solve(png_bytes)
    solution.text, solution.confidence, solution.failure

Importing this package loads neither Keras, TensorFlow nor OpenCV: names are loaded when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from captcha_solver.errors import (
    BundleError,
    CaptchaSolverError,
    DatasetError,
    DesignError,
    ImageError,
    OptionError,
    SetupError,
)

if TYPE_CHECKING:
    from captcha_solver.charset import Charset
    from captcha_solver.decoding.decode import Constraints
    from captcha_solver.solver import Solver, load_solver
    from captcha_solver.types import Character, Reading, Sample, Scores, Solution

__version__ = "0.1.0"

_HOMES = {
    "Character": "types",
    "Charset": "charset",
    "Constraints": "decoding.decode",
    "Reading": "types",
    "Sample": "types",
    "Scores": "types",
    "Solution": "types",
    "Solver": "solver",
    "load_solver": "solver",
}

__all__ = [
    "BundleError",
    "CaptchaSolverError",
    "Character",
    "Charset",
    "Constraints",
    "DatasetError",
    "DesignError",
    "ImageError",
    "OptionError",
    "Reading",
    "Sample",
    "Scores",
    "SetupError",
    "Solution",
    "Solver",
    "__version__",
    "load_solver",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
