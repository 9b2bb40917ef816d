"""A subject, its images and settings in, what is needed to do an audit again out.

Tested in ``tests/audit/test_report.py``.
"""

import platform
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from captcha_solver import __version__
from captcha_solver.audit.subjects.split import Split
from captcha_solver.audit.subjects.subject import Subject
from captcha_solver.audit_settings import AuditSettings

PACKAGES = ("numpy", "opencv-python-headless", "onnxruntime", "keras", "tensorflow", "torch", "jax", "ddddocr")


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where an audit's figures come from. ``device``: what attackers were trained on; reading is done on a CPU."""

    subject: Mapping[str, Any]
    seed: int
    fold_case: bool
    budgets: tuple[int, ...]
    minutes: float | None
    images_sha256: str
    labelled: int
    duplicates: int
    version: str
    python: str
    platform: str
    packages: Mapping[str, str]
    keras_backend: str | None
    device: str
    written_at: str


def provenance_here(subject: Subject, split: Split, settings: AuditSettings) -> Provenance:
    """Of an audit on this machine, now."""
    return Provenance(
        subject=dict(subject.provenance()),
        seed=settings.seed,
        fold_case=settings.fold_case,
        budgets=tuple(settings.budgets),
        minutes=settings.minutes,
        images_sha256=split.sha256,
        labelled=len(split.pool),
        duplicates=split.duplicates,
        version=__version__,
        python=platform.python_version(),
        platform=platform.platform(),
        packages={name: found for name in PACKAGES if (found := _version(name))},
        keras_backend=backend_and_device()[0],
        device=backend_and_device()[1],
        written_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    )


def backend_and_device() -> tuple[str | None, str]:
    """Keras' backend, and what it computes on; None and ``cpu`` where no training has needed Keras in this process."""
    keras: Any = sys.modules.get("keras")
    if keras is None:  # not imported for this alone: it takes seconds
        return None, "cpu"
    return str(keras.config.backend()), "gpu" if keras.distribution.list_devices("gpu") else "cpu"


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
