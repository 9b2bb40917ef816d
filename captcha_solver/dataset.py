"""Turn a folder of images with ``labels.csv`` (``filename,label``) into samples, and back."""

import csv
import hashlib
import io
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from captcha_solver.errors import DatasetError, ImageError, OptionError, SetupError
from captcha_solver.image import SUFFIXES, read_file
from captcha_solver.types import Sample

LABELS = "labels.csv"
HEADER = ("filename", "label")


@dataclass(frozen=True, slots=True)
class Dataset:
    """What a folder holds: its samples in row order, and one line for each thing that is wrong with them.

    Nothing is dropped: a sample whose file is missing has ``image == b""``, one whose label is unknown has
    ``text == ""``; neither can ever count as solved. ``missing`` holds the ids of the former; ``unlabelled``
    counts the image files that ``labels.csv`` does not name.
    """

    name: str
    samples: tuple[Sample, ...]
    problems: tuple[str, ...]
    missing: frozenset[str]
    unlabelled: int

    @property
    def sha256(self) -> str:
        """Hash over file names, labels and images, in row order: which data a figure was measured on."""
        digest = hashlib.sha256()
        for sample in self.samples:
            for part in (sample.id.encode(), sample.text.encode(), sample.image):
                digest.update(len(part).to_bytes(8, "big") + part)
        return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Row:
    """One file that ``labels.csv`` names: its label, empty where that is not known, and what is wrong with the row."""

    line: int
    filename: str
    label: str
    problem: str | None = None


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
    samples, problems, missing = [], [], set()
    for row in rows[:limit]:
        image, problem = read_named(folder, row.filename)
        if problem:
            missing.add(row.filename)
        problems += [f"{LABELS} row {row.line}: {wrong}" for wrong in (row.problem, problem) if wrong]
        samples.append(Sample(id=row.filename, image=image, text=row.label, design=_name(folder)))
    if len(missing) == len(samples):
        raise DatasetError(f"{folder}: expected images, received {len(rows)} rows and no image; {problems[0]}")
    named = {row.filename for row in rows}
    unlabelled = sum(path.name not in named for path in image_files(folder))
    return Dataset(_name(folder), tuple(samples), tuple(problems), frozenset(missing), unlabelled)


def labelled_rows(folder: Path) -> list[Row]:
    """One row a file of the folder's ``labels.csv``; no image is read. ``DatasetError`` where no row can be trusted."""
    rows = _merged(_rows(_labels_text(folder), folder / LABELS))
    if not rows:
        raise DatasetError(f"{folder / LABELS}: expected a row for each image below the header, received none")
    return rows


def read_named(folder: Path, filename: str) -> tuple[bytes, str | None]:
    """The bytes of one named file, or no bytes and what is wrong; names never lead out of the folder."""
    pure = PurePosixPath(filename)
    if not filename or pure.is_absolute() or ".." in pure.parts:
        return b"", f"expected the name of a file in the folder, received {filename!r}"
    try:
        return read_file(folder / filename), None
    except ImageError as error:
        return b"", f"{filename!r}: {error}"


def image_files(folder: Path) -> list[Path]:
    """The files of ``folder`` with the suffix of an image, sorted by name; not those of its subfolders."""
    try:
        return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())
    except OSError as error:
        raise DatasetError(f"{folder}: expected a folder that can be read, received {error.strerror}") from error


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
    unfinished = folder / f".{LABELS}.part"
    try:
        with unfinished.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(HEADER)
            for sample in samples:
                count += 1
                name = sample.id if Path(sample.id).suffix else f"{sample.id}.png"
                (folder / name).write_bytes(sample.image)
                writer.writerow((name, sample.text))
        unfinished.replace(folder / LABELS)
    except OSError as error:
        raise SetupError(f"{folder}: could not write ({error.strerror or error})") from error
    finally:
        unfinished.unlink(missing_ok=True)
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


def _labels_text(folder: Path) -> str:
    if not folder.is_dir():
        raise DatasetError(f"{folder}: expected a folder, received {'a file' if folder.exists() else 'nothing there'}")
    path = folder / LABELS
    if not path.is_file():
        found = len(image_files(folder))
        what = f"{found} images without it" if found else "a folder without images"
        raise DatasetError(f"{folder}: expected images and a {LABELS} ({','.join(HEADER)}), received {what}")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DatasetError(f"{path}: expected a file that can be read, received {error.strerror}") from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = data.count(b"\n", 0, error.start) + 1
        raise DatasetError(f"{path} row {row}: expected UTF-8, received byte 0x{data[error.start]:02x}") from error


def _rows(text: str, path: Path) -> Iterator[Row]:
    """Every row below the header; blank lines are skipped, blanks around a field are not part of it."""
    reader = csv.reader(io.StringIO(text, newline=None), strict=True)
    header: list[str] | None = None
    try:
        for fields in reader:
            cells = [field.strip() for field in fields]
            if not any(cells):
                continue
            if header is None:
                header = cells
                if tuple(cell.lower() for cell in header) != HEADER:
                    raise DatasetError(
                        f"{path} row {reader.line_num}: expected the header {','.join(HEADER)}, "
                        f"received {','.join(fields)[:80]!r}"
                    )
                continue
            yield _row(cells, reader.line_num)
    except csv.Error as error:
        raise DatasetError(f"{path} row {reader.line_num}: expected filename,label, received {error}") from error
    if header is None:
        raise DatasetError(f"{path} row 1: expected the header {','.join(HEADER)}, received an empty file")


def _row(cells: Sequence[str], line: int) -> Row:
    filename, label = cells[0], cells[1] if len(cells) > 1 else ""
    if len(cells) > len(HEADER):
        return Row(line, filename, "", f"expected 2 fields, received {len(cells)} ({','.join(cells)[:80]!r})")
    if not label:
        return Row(line, filename, "", f"expected a label for {filename!r}, received an empty one")
    return Row(line, filename, label)


def _merged(rows: Iterable[Row]) -> list[Row]:
    """One row a file: a repeated row counts once, and a file with two different labels has no known truth."""
    merged: dict[str, Row] = {}
    for row in rows:
        first = merged.setdefault(row.filename or f"row {row.line}", row)
        if first is row:
            continue
        if first.label == row.label:
            problem = f"duplicate of row {first.line} ({row.filename!r}), counted once"
            merged[row.filename] = replace(first, problem=first.problem or problem)
        else:
            problem = f"{row.filename!r} has two labels, {first.label!r} and {row.label!r} (row {row.line})"
            merged[row.filename] = replace(first, label="", problem=problem)
    return list(merged.values())
