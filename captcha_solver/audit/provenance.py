"""What is needed to do an audit again: its subject, its images, its settings and this machine.

Tested in ``tests/audit/test_report.py``.
"""

import platform
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any, Literal

from captcha_solver import __version__
from captcha_solver.audit.figures import Count, Sha256, said
from captcha_solver.audit.subjects.record import SubjectRecord
from captcha_solver.audit.subjects.split import Split
from captcha_solver.audit.subjects.subject import Subject
from captcha_solver.audit_settings import AuditSettings

PACKAGES = ("numpy", "opencv-python-headless", "onnxruntime", "keras", "tensorflow", "torch", "jax", "ddddocr")


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where an audit's figures come from."""

    subject: Annotated[SubjectRecord, said("What was attacked, so that it can be told from another of its name.")]
    seed: Annotated[Count, said("Of everything drawn at random: the same seed gives the same trials.")]
    fold_case: Annotated[bool, said("Whether upper and lower case count as the same letter.")]
    budgets: Annotated[tuple[Count, ...], said("Labels that were asked for.")]
    minutes: Annotated[float | None, said("What the audit was held to; null: it took its time.")]
    images_sha256: Annotated[Sha256, said("Of the tested images and their texts, in order.")]
    labelled: Annotated[Count, said("Images that an attacker could have labelled; none of them is tested.")]
    duplicates: Annotated[Count, said("Images taken out of the tested ones because a labelled one shows the same.")]
    version: Annotated[str, said("Of captcha-solver.")]
    python: Annotated[str, said("Version of Python.")]
    platform: Annotated[str, said("Operating system and processor.")]
    packages: Annotated[Mapping[str, str], said("Package -> version, of those installed that figures can depend on.")]
    keras_backend: Annotated[str | None, said("What Keras ran on; null where nothing needed Keras.")]
    device: Annotated[Literal["cpu", "gpu"], said("What attackers were trained on. Reading is always done on a CPU.")]
    written_at: Annotated[str, said("When the audit wrote it, UTC; computing the report anew leaves it as it is.")]
    answer: Annotated[str | None, said("Of sums, what counted: expression or result; null: the texts as they are.")] = (
        None
    )
    infer: Annotated[
        bool, said("Whether models inferred length and characters of the texts from their own answers.")
    ] = False


def provenance_here(subject: Subject, split: Split, settings: AuditSettings) -> Provenance:
    """Of an audit on this machine, now."""
    return Provenance(
        subject=subject.provenance(),
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
        answer=settings.answer,
        infer=settings.infer,
        written_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    )


def backend_and_device() -> tuple[str | None, Literal["cpu", "gpu"]]:
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
