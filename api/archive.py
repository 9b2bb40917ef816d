"""A zip file in, its images out one after the other; nothing is extracted, and what looks like an attack is refused."""

import csv
import io
import stat
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO

from api.problems import Problem
from workers.messages import Upload

LABELS = "labels.csv"
MOST_RATIO = 200  # unpacked to packed; a drawn PNG does not pack, a blank BMP at about 100
RATIO_FROM = 64 * 1024  # bytes: smaller files may pack as well as they like
LONGEST_NAME = 255
LARGEST_LABELS = 16 * 1024 * 1024
NESTED = (".zip", ".jar", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".zst")
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
LEFTOVERS = ("__MACOSX", ".DS_Store", "Thumbs.db")
READ_AT_ONCE = 1024 * 1024


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
        try:
            self._zip = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, UnicodeDecodeError) as error:
            raise _refused("damaged", f"expected a zip file, received one that cannot be read ({error})") from error
        entries = [entry for entry in self._zip.infolist() if not entry.is_dir()]
        if len(entries) > limits.files + 1:
            raise Problem(413, "too_many_files", f"expected at most {limits.files:,} files, received {len(entries):,}")
        if sum(entry.file_size for entry in entries) > limits.total_bytes:
            raise Problem(413, "too_large", f"expected at most {limits.total_bytes:,} bytes unpacked, received more")
        for entry in entries:
            self._check(entry)
        self._entries = [
            e for e in entries if e.filename != LABELS and not set(PurePosixPath(e.filename).parts) & {*LEFTOVERS}
        ]
        names = [entry.filename for entry in entries]
        if len(set(names)) < len(names):
            raise _refused("duplicate_name", "expected each name once in the archive, received one twice")
        self.labels = self._read_labels() if LABELS in names else {}

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Upload]:
        for entry in self._entries:
            yield Upload(entry.filename, self._read(entry, self._limits.file_bytes), self.labels.get(entry.filename))

    def _check(self, entry: zipfile.ZipInfo) -> None:
        name, path = entry.filename, PurePosixPath(entry.filename)
        shown = repr(name[:60])
        if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name or not name.isprintable():
            raise _refused("bad_name", f"expected plain relative names in the archive, received {shown}")
        if len(name) > LONGEST_NAME:
            raise _refused("bad_name", f"expected names of at most {LONGEST_NAME} characters, received {shown}")
        if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG):
            raise _refused("not_a_file", f"expected plain files in the archive, received a link or a device: {shown}")
        if entry.flag_bits & 0x1:
            raise _refused("encrypted", f"expected files without a password, received {shown}")
        if entry.compress_type not in METHODS:
            raise _refused("method", f"expected stored or deflated files, received {shown}")
        if path.suffix.lower() in NESTED:
            raise _refused("nested", f"expected no archive in the archive, received {shown}")
        if name != LABELS and entry.file_size > self._limits.file_bytes:
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
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as error:
            raise _refused("damaged", f"{entry.filename[:60]!r} in the archive cannot be read ({error})") from error
        return b"".join(parts)

    def _read_labels(self) -> dict[str, str]:
        data = self._read(self._zip.getinfo(LABELS), LARGEST_LABELS)
        try:
            rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=None), strict=True))
        except (UnicodeDecodeError, csv.Error) as error:
            raise _refused("labels", f"expected {LABELS} of filename,label in UTF-8, received: {error}") from error
        if not rows or [cell.strip().lower() for cell in rows[0]] != ["filename", "label"]:
            raise _refused("labels", f"expected {LABELS} to begin with filename,label")
        return {row[0].strip(): row[1].strip() for row in rows[1:] if len(row) == 2 and row[1].strip()}


def _is_image(name: str) -> bool:
    """Whether an entry is to be read: not the labels, nor what a desktop leaves in a folder."""
    return name != LABELS and not set(PurePosixPath(name).parts) & {*LEFTOVERS}


def _refused(code: str, detail: str) -> Problem:
    return Problem(422, f"archive_{code}", detail)
