"""Turn a folder of images with ``labels.csv`` (``filename,label``) into samples, and back."""

import csv
import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from captcha_solver.errors import DatasetError, ImageError, OptionError, SetupError
from captcha_solver.files import whole_file
from captcha_solver.folders.contents import Finder, look_into
from captcha_solver.folders.labels_csv import (
    HEADER,
    LABELS,
    MOST_NAMED,
    LabelUse,
    Row,
    counted,
    parse_labels,
    plain_name,
)
from captcha_solver.image import read_file
from captcha_solver.types import Sample


@dataclass(frozen=True, slots=True)
class Dataset:
    """What a folder holds: its samples in row order, and one line for each thing that is wrong with them.

    Nothing is dropped: a sample whose file is missing has ``image == b""``, one whose label is unknown has
    ``text == ""``; neither can ever count as solved. ``missing`` holds the ids of the former; ``unlabelled``
    counts the images that ``labels.csv`` does not name. ``notes``: what else lies there unread, a sentence each.
    """

    name: str
    samples: tuple[Sample, ...]
    problems: tuple[str, ...]
    missing: frozenset[str]
    unlabelled: int
    notes: tuple[str, ...] = ()

    @property
    def sound(self) -> tuple[Sample, ...]:
        """The samples that have an image and a text."""
        return tuple(sample for sample in self.samples if sample.text and sample.image)

    @property
    def left_out(self) -> tuple[str, ...]:
        """A sentence for each thing that is lost where only the sound samples are used."""
        lost = [sample.id for sample in self.samples if sample.id in self.missing]
        faulty = [sample.id for sample in self.samples if not sample.text and sample.id not in self.missing]
        told = tuple(problem for problem in self.problems if any(repr(each) in problem for each in faulty))
        use = LabelUse(
            len(self.samples),
            len(self.sound),
            self.unlabelled,
            len(lost),
            tuple(lost[:MOST_NAMED]),
            told[:MOST_NAMED],
        )
        return (*use.told, *self.notes)

    @property
    def sha256(self) -> str:
        """Hash over file names, labels and images, in row order: which data a figure was measured on."""
        digest = hashlib.sha256()
        for sample in self.samples:
            for part in (sample.id.encode(), sample.text.encode(), sample.image):
                digest.update(len(part).to_bytes(8, "big") + part)
        return digest.hexdigest()


def read_folder(folder: Path, *, limit: int | None = None) -> list[Sample]:
    """The samples of a folder that must be sound, to train on, say; ``DatasetError`` names what is not."""
    dataset = inspect_folder(folder, limit=limit)
    if dataset.problems:
        more = f" (and {len(dataset.problems) - 1} more)" if len(dataset.problems) > 1 else ""
        raise DatasetError(f"{folder}: {dataset.problems[0]}{more}")
    return list(dataset.samples)


def inspect_folder(folder: Path, *, limit: int | None = None) -> Dataset:
    """The samples of a folder with all that is wrong with single rows listed; the first ``limit`` rows.

    Raises ``DatasetError`` only where no row can be trusted: no folder, no images, no ``labels.csv``, not
    UTF-8, another header, no rows.
    """
    rows = labelled_rows(folder)
    finder = Finder(folder)
    samples, problems, missing = [], [], set()
    for row in rows[:limit]:
        image, problem = read_named(finder, row.filename)
        if problem:
            missing.add(row.filename)
        problems += [f"{LABELS} row {row.line}: {wrong}" for wrong in (row.problem, problem) if wrong]
        samples.append(Sample(id=row.filename, image=image, text=row.label, design=_name(folder)))
    if len(missing) == len(samples):
        raise DatasetError(f"{folder}: expected images, received {len(rows)} rows and no image; {problems[0]}")
    unlabelled, notes = _unread(folder, rows)
    return Dataset(_name(folder), tuple(samples), tuple(problems), frozenset(missing), unlabelled, notes)


def unread(folder: Path) -> tuple[str, ...]:
    """A sentence for each kind of thing in a labelled folder that is not read, images without a label among them."""
    unlabelled, notes = _unread(folder, labelled_rows(folder))
    return (*LabelUse(0, 0, unlabelled).told, *notes)


def _unread(folder: Path, rows: Sequence[Row]) -> tuple[int, tuple[str, ...]]:
    """How many images no row names, those in subfolders that rows lead into among them; and what else lies there."""
    named = {row.filename for row in rows}
    parents = sorted({name.rpartition("/")[0] for name in named if plain_name(name)} - {""})
    below = [path for parent in parents if (folder / parent).is_dir() for path in look_into(folder / parent).files]
    here = look_into(folder)
    names = [path.relative_to(folder).as_posix() for path in (*here.files, *below)]
    used = {*named, *(parent.partition("/")[0] for parent in parents)}
    return sum(plain_name(name) not in named for name in names), here.told(used=used)


def labelled_rows(folder: Path) -> list[Row]:
    """One row a file of the folder's ``labels.csv``; no image is read. ``DatasetError`` where no row can be trusted."""
    rows = parse_labels(_label_bytes(folder), str(folder / LABELS))
    if not rows:
        raise DatasetError(f"{folder / LABELS}: expected a row for each image below the header, received none")
    return rows


def read_named(finder: Finder, filename: str) -> tuple[bytes, str | None]:
    """The bytes of one named file, or no bytes and what is wrong; names never lead out of the folder."""
    name = plain_name(filename)
    if name is None:
        return b"", f"expected the name of a file in the folder, received {filename!r}"
    try:
        return read_file(finder.path(name)), None
    except ImageError as error:
        return b"", f"{filename!r}: {error}"


def write_folder(samples: Iterable[Sample], folder: Path) -> int:
    """Write each sample's image as ``<id>.png`` and then ``labels.csv``; returns how many were written.

    The folder must be new or empty, so that nothing is overwritten or mixed. ``labels.csv`` comes last and
    whole: a folder that has it is complete.
    """
    writable_folder(folder)
    held = next(folder.iterdir(), None)
    if held is not None:
        raise OptionError(f"{folder}: expected a new or empty folder, received one that holds {held.name}")
    count = 0
    try:
        with (
            whole_file(folder / LABELS) as unfinished,
            unfinished.open("w", encoding="utf-8", newline="") as stream,
        ):
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(HEADER)
            for sample in samples:
                count += 1
                name = sample.id if Path(sample.id).suffix else f"{sample.id}.png"
                (folder / name).write_bytes(sample.image)
                writer.writerow((name, sample.text))
    except OSError as error:
        raise SetupError(f"{folder}: could not write ({error.strerror or error})") from error
    return count


def writable_folder(folder: Path) -> Path:
    """Make ``folder`` where it is missing; ``SetupError`` where nothing can be written into it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".writable-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        received = "a file" if folder.is_file() else error.strerror
        raise SetupError(f"{folder}: expected a folder that can be written to, received: {received}") from error
    return folder


def _name(folder: Path) -> str:
    return folder.name or folder.resolve().name


def _label_bytes(folder: Path) -> bytes:
    if not folder.is_dir():
        raise DatasetError(f"{folder}: expected a folder, received {'a file' if folder.exists() else 'nothing there'}")
    path = folder / LABELS
    if not path.is_file():
        raise DatasetError(f"{folder}: expected images and a {LABELS} ({','.join(HEADER)}), {_without_labels(folder)}")
    try:
        return path.read_bytes()
    except OSError as error:
        raise DatasetError(f"{path}: expected a file that can be read, received {error.strerror}") from error


def _without_labels(folder: Path) -> str:
    """What a folder is that has no ``labels.csv``, and what may help."""
    here = look_into(folder)
    inside = [name for name in here.folders if (folder / name / LABELS).is_file()]
    if inside:
        return f"received a folder with {LABELS} in {', '.join(inside[:MOST_NAMED])}: name {folder / inside[0]} instead"
    what = f"{counted(len(here.files), 'image')} without it" if here.files else "a folder without images"
    return f"received {what}; captcha-solver import {folder} --out FOLDER makes such a folder from other layouts"
