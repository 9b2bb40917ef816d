"""What an audit writes down of its subject, so that it can be told from another of its name.

Tested in ``tests/audit/subjects/test_subject.py``.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import UNSET, UnsetType

from captcha_solver.audit.figures import Count, Sha256, said

SubjectKind = Literal["design", "folder", "command", "callable"]


@dataclass(frozen=True, slots=True)
class SubjectRecord:
    """A design, a folder, a command or a function; what one of its kind does not have is left out of the JSON."""

    kind: Annotated[str, said("As design.kind.")]
    name: Annotated[str, said("As design.name.")]
    sha256: Annotated[
        Sha256 | UnsetType,
        said(
            "Of the design, of the folder's labels and images, or of the function's source. Of a command: see "
            "images_sha256."
        ),
    ] = UNSET
    images: Annotated[Count | UnsetType, said("Of a folder: its labelled images.")] = UNSET
    argv: Annotated[tuple[str, ...] | UnsetType, said("Of a command: the program and its arguments.")] = UNSET
