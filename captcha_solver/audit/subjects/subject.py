"""What is audited: a design, a command, a Python callable or a folder; each gives labelled images on demand."""

import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from captcha_solver.audit.subjects.function import CallableSubject
from captcha_solver.audit.subjects.record import SubjectKind, SubjectRecord
from captcha_solver.dataset import Dataset, inspect_folder, read_folder
from captcha_solver.designs.design import Design
from captcha_solver.designs.drawing.draw import draw_batch, random_texts
from captcha_solver.designs.external import ExternalCommand, draw_external
from captcha_solver.designs.load import builtin_designs, load_design
from captcha_solver.errors import OptionError
from captcha_solver.image import encode_png
from captcha_solver.types import Sample

AT_ONCE = 256  # drawings made together


class Subject(Protocol):
    """Something that gives labelled images. ``design`` is there where its distortions can be changed."""

    @property
    def name(self) -> str: ...

    @property
    def kind(self) -> SubjectKind: ...

    @property
    def design(self) -> Design | None: ...

    @property
    def available(self) -> int | None:
        """How many images there are; None where more can be drawn."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What of a folder is not used, a sentence each."""
        ...

    def samples(self, count: int, seed: int) -> list[Sample]:
        """``count`` labelled images (a folder's: all it has, in an order of its own); other seeds, other images."""
        ...

    def provenance(self) -> SubjectRecord:
        """What this is, with a hash of its content where it has one."""
        ...


def open_subject(spec: str, *, command: Sequence[str] | None = None) -> Subject:
    """A subject from what stands on the command line.

    A built-in design's name, a ``.toml`` file, a folder of labelled images, or ``package.module:function``; or a
    ``command`` with the placeholders that a design's ``[command]`` takes (``{count}``, ``{out}``, ``{seed}``).
    """
    if command is not None:
        return CommandSubject(spec, ExternalCommand(tuple(command), ""))
    if Path(spec).is_dir():
        return FolderSubject(Path(spec))
    if spec in builtin_designs() or Path(spec).suffix == ".toml":
        design = load_design(spec)
        return CommandSubject(design.name, design.command) if design.command else DesignSubject(design)
    if ":" in spec and not Path(spec).exists():
        return CallableSubject(spec)
    raise OptionError(
        f"expected a design ({', '.join(builtin_designs())}), a .toml file, a folder of labelled images or "
        f"package.module:function, received {spec!r}"
    )


@dataclass(frozen=True, slots=True)
class DesignSubject:
    """A design of this project's own kind."""

    own: Design
    kind: SubjectKind = "design"
    available: int | None = None
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.own.name

    @property
    def design(self) -> Design:
        return self.own

    def samples(self, count: int, seed: int) -> list[Sample]:
        """The texts depend on the seed alone, so that variants of a design are compared on the same texts."""
        texts = random_texts(self.own, count, np.random.default_rng([seed, 0]))
        drawn: list[Sample] = []
        for start in range(0, count, AT_ONCE):
            part = texts[start : start + AT_ONCE]
            for drawing in draw_batch(self.own, part, np.random.default_rng([seed, 1 + start])):
                name = f"{seed}-{len(drawn):05d}"
                drawn.append(Sample(name, encode_png(drawing.image), drawing.text, self.name, seed))
        return drawn

    def provenance(self) -> SubjectRecord:
        return SubjectRecord(self.kind, self.name, sha256=hashlib.sha256(repr(self.own).encode()).hexdigest())


@dataclass(frozen=True, slots=True)
class FolderSubject:
    """A folder with ``labels.csv``; it has what it has."""

    folder: Path
    kind: SubjectKind = "folder"
    design: Design | None = None

    @property
    def name(self) -> str:
        return self.folder.resolve().name

    @property
    def available(self) -> int:
        return len(self.samples(0, 0))

    @property
    def notes(self) -> tuple[str, ...]:
        return inspect_folder(self.folder).left_out

    def samples(self, count: int, seed: int) -> list[Sample]:
        """All that have an image and a label, so that any part is a random part."""
        return shuffled(inspect_folder(self.folder).sound, seed)

    def provenance(self) -> SubjectRecord:
        return provenance_of(inspect_folder(self.folder), self.name)


@dataclass(frozen=True, slots=True)
class GivenSubject:
    """Labelled images that are at hand already; audited as a folder that holds them in this order."""

    name: str
    given: tuple[Sample, ...]
    kind: SubjectKind = "folder"
    design: Design | None = None
    notes: tuple[str, ...] = ()

    @property
    def available(self) -> int:
        return len(self.given)

    def samples(self, count: int, seed: int) -> list[Sample]:
        """All of them, as those of a folder."""
        return shuffled(self.given, seed)

    def provenance(self) -> SubjectRecord:
        return provenance_of(Dataset(self.name, self.given, (), frozenset(), 0), self.name)


def shuffled(samples: Sequence[Sample], seed: int) -> list[Sample]:
    """Ordered by a hash of seed and name."""
    return sorted(samples, key=lambda each: hashlib.sha256(f"{seed}|{each.id}".encode()).digest())


def provenance_of(dataset: Dataset, name: str) -> SubjectRecord:
    """What a folder of images is, with a hash of all that it holds."""
    return SubjectRecord("folder", name, sha256=dataset.sha256, images=len(dataset.samples))


@dataclass(frozen=True, slots=True)
class CommandSubject:
    """Another program that fills a folder. Whether the same seed gives the same images is the program's own affair."""

    name: str
    command: ExternalCommand
    kind: SubjectKind = "command"
    design: Design | None = None
    available: int | None = None
    notes: tuple[str, ...] = ()

    def samples(self, count: int, seed: int) -> list[Sample]:
        with tempfile.TemporaryDirectory(prefix="captcha-audit-") as folder:
            out = Path(folder) / "drawn"
            draw_external(self.command, count, out, seed)
            return [replace(each, id=f"{seed}-{each.id}", design=self.name, seed=seed) for each in read_folder(out)]

    def provenance(self) -> SubjectRecord:
        return SubjectRecord(self.kind, self.name, argv=self.command.argv)
