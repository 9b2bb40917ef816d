"""Cuts a folder of images into parcels of a fit size; each goes as one zip and becomes one job.

Tested in ``tests/client/test_service.py``.
"""

import csv
import hashlib
import io
import json
import re
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import IO

from captcha_solver.client.records import SubmitOptions
from captcha_solver.dataset import labelled_rows, read_named
from captcha_solver.errors import DatasetError, SetupError
from captcha_solver.folders.contents import Finder, look_into
from captcha_solver.folders.labels_csv import HEADER, LABELS, plain_name

MIB = 1024 * 1024
LONGEST_NAME = 255
LONGEST_LABEL = 100  # a longer one stays here: the service would refuse the archive for it
KEPT = re.compile(r"(?:[^\W_][\w .,()+=@-]*/)*[^\W_][\w .,()+=@-]*\.(?:png|jpe?g|gif|bmp|webp)", re.IGNORECASE)
RENAMED = "renamed-"


@dataclass(frozen=True, slots=True)
class ParcelLimits:
    """What one job takes at most; the service's own limits are not below these, unless it was set up so."""

    images: int = 5_000
    total_bytes: int = 32 * MIB
    file_bytes: int = 2 * MIB


@dataclass(frozen=True, slots=True)
class Entry:
    """One image of a folder. ``failure`` says why it cannot be sent.

    ``name`` is what it is called in the archive. ``label`` is None where ``labels.csv`` does not name it, and empty
    where its text is not known.
    """

    file: str
    name: str
    label: str | None
    size_bytes: int
    sha256: str
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class Survey:
    """The images of a folder, sorted by name, and what is wrong with its ``labels.csv``.

    ``notes``: what else lies in the folder, a sentence each.
    """

    folder: Path
    entries: tuple[Entry, ...]
    problems: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Parcel:
    """Neighbouring images of a folder, no more than fit into one job."""

    folder: Path
    entries: tuple[Entry, ...]

    @property
    def sent(self) -> list[Entry]:
        """The images that go to the service, in the order of the job's answers."""
        return [entry for entry in self.entries if entry.failure is None]

    def submission(self, options: SubmitOptions) -> str:
        """SHA-256 of all that is asked for: the same images, labels and options are the same submission."""
        asked = [options.fields(), options.model.sha256]
        images = [[entry.name, entry.label, entry.sha256] for entry in self.sent]
        return hashlib.sha256(json.dumps([asked, images]).encode()).hexdigest()


def survey(folder: Path, limits: ParcelLimits) -> Survey:
    """Look at each image of ``folder`` once: all that are pictures, and all that ``labels.csv`` names."""
    here = look_into(folder)
    rows = labelled_rows(folder) if (folder / LABELS).is_file() else []
    labels = {row.filename: row.label for row in rows}
    problems = tuple(f"{LABELS} row {row.line}: {row.problem}" for row in rows if row.problem)
    files = dict.fromkeys([plain_name(path.name) or path.name for path in here.files])
    files |= dict.fromkeys(labels)
    if not files:
        raise DatasetError(f"{folder}: expected a folder with images, received none")
    finder = Finder(folder)
    entries = (_entry(finder, file, index, labels.get(file), limits) for index, file in enumerate(files))
    used = {*labels, *(name.partition("/")[0] for name in labels)}
    return Survey(folder, tuple(entries), problems, here.told(used=used))


def _entry(finder: Finder, file: str, index: int, label: str | None, limits: ParcelLimits) -> Entry:
    data, failure = read_named(finder, file)
    if not failure and len(data) > limits.file_bytes:
        failure = f"expected a file of at most {limits.file_bytes:,} bytes, received {len(data):,}"
    failure = failure.removeprefix(f"{file!r}: ") if failure else None
    return Entry(file, name_in_archive(file, index), label, len(data), hashlib.sha256(data).hexdigest(), failure)


def name_in_archive(file: str, index: int) -> str:
    """``file``, or another name where the service might refuse it: no path, link or odd character gets that far."""
    if KEPT.fullmatch(file) and len(file) <= LONGEST_NAME and not file.startswith(RENAMED):
        return file
    suffix = PurePath(file).suffix
    return f"{RENAMED}{index:06}{suffix if KEPT.fullmatch(f'a{suffix}') else ''}"


def parcels(found: Survey, limits: ParcelLimits) -> list[Parcel]:
    """The images of a folder in order, cut where a job would get too many of them or too many bytes."""
    cut: list[list[Entry]] = [[]]
    size = 0
    for entry in found.entries:
        size += entry.size_bytes
        if cut[-1] and (len(cut[-1]) == limits.images or size > limits.total_bytes):
            cut.append([])
            size = entry.size_bytes
        cut[-1].append(entry)
    return [Parcel(found.folder, tuple(entries)) for entries in cut]


@contextmanager
def packed(parcel: Parcel, *, all_rows: bool = False) -> Iterator[IO[bytes]]:
    """A zip of the parcel in a temporary file, stored as it is: images are packed already.

    ``all_rows``: its ``labels.csv`` names also the images that cannot be sent, so that the service tells of them.
    """
    with tempfile.TemporaryFile() as file:
        try:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
                for entry in parcel.sent:
                    archive.writestr(zipfile.ZipInfo(entry.name), _unchanged(parcel.folder, entry))
                named = parcel.entries if all_rows else parcel.sent
                if labelled := [entry for entry in named if 0 < len(entry.label or "") <= LONGEST_LABEL]:
                    archive.writestr(zipfile.ZipInfo(LABELS), _labels(labelled))
        except OSError as error:
            raise SetupError(f"expected room for a temporary file, received: {error.strerror or error}") from error
        file.seek(0)
        yield file


def _unchanged(folder: Path, entry: Entry) -> bytes:
    data, _ = read_named(Finder(folder), entry.file)
    if hashlib.sha256(data).hexdigest() != entry.sha256:
        raise DatasetError(f"{folder / entry.file}: changed since it was looked at: run the command again")
    return data


def _labels(entries: Sequence[Entry]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows((entry.name, entry.label) for entry in entries)
    return text.getvalue()
