"""What a bundle says about its training: versions, data, settings and figures, as JSON.

Tested in ``tests/training/test_loop.py``.
"""

import datetime
import importlib.metadata
import platform
from collections.abc import Mapping
from typing import Any

from captcha_solver.models.runtimes import import_keras

PACKAGES = (
    "captcha-solver",
    "keras",
    "tensorflow",
    "torch",
    "jax",
    "numpy",
    "opencv-python-headless",
    "onnxruntime",
)


def versions() -> dict[str, str]:
    """Installed versions of what shapes a training's outcome."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def surroundings() -> dict[str, Any]:
    """Backend, versions and date (UTC)."""
    return {
        "backend": import_keras().backend.backend(),
        "versions": versions(),
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
    }


def training_card(entries: Mapping[str, Any]) -> dict[str, Any]:
    """A card: ``entries`` (data, seed, steps, minutes, figures) and the surroundings they were made in."""
    return {**entries, **surroundings()}
