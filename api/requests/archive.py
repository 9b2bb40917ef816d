"""Reads the images of a zip file one by one; nothing is extracted, and what looks like an attack is refused."""

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import IO, cast

from api.problems import Problem
from captcha_solver.errors import DatasetError
from captcha_solver.folders.labels_csv import LABELS, Row, fit, merged, parse_labels, plain_name
from workers.jobs.record import Upload

MOST_RATIO = 200  # unpacked to packed; a drawn PNG does not pack, a blank BMP at about 100
RATIO_FROM = 64 * 1024  # bytes: smaller files may pack as well as they like
LONGEST_NAME = 255
LONGEST_LABEL = 100
LARGEST_LABELS = 16 * 1024 * 1024
NESTED = (".zip", ".jar", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".zst")
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
LEFTOVERS = ("__MACOSX", ".DS_Store", "Thumbs.db")
READ_AT_ONCE = 1024 * 1024
ENTRY = b"PK\x01\x02"  # begins each entry of the directory
BROKEN = (  # what zipfile raises on bytes that are no zip file, or no longer
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError,
    LookupError, OverflowError, RuntimeError, ValueError,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """What an archive may hold: files, bytes a file, bytes in all."""

    files: int
    file_bytes: int
    total_bytes: int


class Archive:
    """A checked zip file; iterate it for its images, as often as needed. ``Problem`` 422 or 413 where it is refused."""

    def __init__(self, file: IO[bytes], limits: ArchiveLimits) -> None:
        self._limits = limits
        self._zip = _opened(file, limits)
        entries = [entry for entry in self._zip.infolist() if not entry.filename.endswith("/")]
        if len(entries) > limits.files + 1:
            raise _too_many(limits)
        if sum(entry.file_size for entry in entries) > limits.total_bytes:
            raise Problem(413, "too_large", f"expected at most {limits.total_bytes:,} bytes unpacked, received more")
        if sum(entry.compress_size for entry in entries) > file.seek(0, io.SEEK_END):
            raise _refused("overlap", "expected files one after the other in the archive, received some that overlap")
        for entry in entries:
            self._check(entry)
        names = {plain_name(entry.filename): entry for entry in entries}
        if len(names) < len(entries):
            raise _refused("duplicate_name", "expected each name once in the archive, received one twice")
        self._entries = {name: entry for name, entry in names.items() if name is not None and _is_image(name)}
        self.rows = self._read_labels()
        self.labels, self.label_use = fit(self.rows, self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def names(self) -> list[str]:
        """Of the images: their ``plain_name``s, the folders in the archive among them."""
        return list(self._entries)

    def __iter__(self) -> Iterator[Upload]:
        for name, entry in self._entries.items():
            yield Upload(name, self._read(entry, self._limits.file_bytes), self.labels.get(name))

    def _check(self, entry: zipfile.ZipInfo) -> None:
        name = plain_name(entry.filename)
        shown = repr(entry.filename[:60])
        if name is None or ":" in name or not entry.orig_filename.isprintable():
            raise _refused("bad_name", f"expected plain relative names in the archive, received {shown}")
        if len(name) > LONGEST_NAME:
            raise _refused("bad_name", f"expected names of at most {LONGEST_NAME} characters, received {shown}")
        if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG):
            raise _refused("not_a_file", f"expected plain files in the archive, received a link or a device: {shown}")
        if entry.flag_bits & 0x1:
            raise _refused("encrypted", f"expected files without a password, received {shown}")
        if entry.compress_type not in METHODS:
            raise _refused("method", f"expected stored or deflated files, received {shown}")
        if PurePosixPath(name).suffix.lower() in NESTED:
            raise _refused("nested", f"expected no archive in the archive, received {shown}")
        if not _is_labels(name) and entry.file_size > self._limits.file_bytes:
            raise Problem(
                413, "file_too_large", f"expected files of at most {self._limits.file_bytes:,} bytes, received {shown}"
            )
        if entry.file_size > RATIO_FROM and entry.file_size > MOST_RATIO * max(entry.compress_size, 1):
            raise _refused("ratio", f"expected files packed at most 1 to {MOST_RATIO}, received {shown}")

    def _read(self, entry: zipfile.ZipInfo, most: int) -> bytes:
        """The bytes of an entry, never more than it declares or may have."""
        parts, size = [], 0
        try:
            with self._zip.open(entry) as packed:
                while part := packed.read(READ_AT_ONCE):
                    size += len(part)
                    if size > min(most, entry.file_size):
                        raise _refused("ratio", f"{entry.filename[:60]!r} unpacks to more than it declares")
                    parts.append(part)
        except BROKEN as error:
            raise _refused("damaged", f"{entry.filename[:60]!r} in the archive cannot be read ({error})") from error
        return b"".join(parts)

    def _read_labels(self) -> list[Row]:
        """The rows of every ``labels.csv``: each names files relative to the folder that it lies in."""
        rows: list[Row] = []
        for entry in self._zip.infolist():
            name = plain_name(entry.filename)
            if name is None or entry.is_dir() or not _is_labels(name):
                continue
            try:
                found = parse_labels(self._read(entry, LARGEST_LABELS), name, most=self._limits.files - len(rows))
            except DatasetError as error:
                raise _refused("labels", str(error)) from error
            if any(len(row.label) > LONGEST_LABEL for row in found):
                detail = f"expected labels of at most {LONGEST_LABEL} characters in {name}, received a longer one"
                raise _refused("labels", detail)
            folder = name[: -len(LABELS)]
            rows += [replace(row, filename=folder + row.filename) for row in found]
        return merged(rows)


class _Counting:
    """A file as zipfile opens it: it reads the directory in one go, and then makes an object of each entry."""

    def __init__(self, file: IO[bytes], limits: ArchiveLimits) -> None:
        self._file = file
        self._limits = limits
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        if data.count(ENTRY) > 2 * self._limits.files + 1:  # folders may be as many as files
            raise _too_many(self._limits)
        return data


def _opened(file: IO[bytes], limits: ArchiveLimits) -> zipfile.ZipFile:
    try:
        opened = zipfile.ZipFile(cast("IO[bytes]", _Counting(file, limits)))
    except BROKEN as error:
        raise _refused("damaged", f"expected a zip file, received one that cannot be read ({error})") from error
    opened.fp = file
    return opened


def _too_many(limits: ArchiveLimits) -> Problem:
    return Problem(413, "too_many_files", f"expected at most {limits.files:,} files in the archive, received more")


def _is_labels(name: str) -> bool:
    return PurePosixPath(name).name == LABELS and not _is_leftover(name)


def _is_image(name: str) -> bool:
    """Whether an entry is to be read: not the labels, nor what a desktop leaves in a folder."""
    return not _is_labels(name) and not _is_leftover(name)


def _is_leftover(name: str) -> bool:
    return bool(set(PurePosixPath(name).parts) & {*LEFTOVERS}) or PurePosixPath(name).name.startswith("._")


def _refused(code: str, detail: str) -> Problem:
    return Problem(422, f"archive_{code}", detail)
