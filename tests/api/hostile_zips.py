"""Archives that no honest program makes, each with the code that its refusal must carry."""

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.fakes import picture

MIB = 1024 * 1024
TAKEN = "taken"  # not refused: its images become items
GOOD = picture(1)
LINK, DEVICE, PIPE = 0o120777 << 16, 0o060666 << 16, 0o010666 << 16


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of an archive: as it is, and as its headers say; what is None is said truly."""

    name: bytes = b"a.png"
    data: bytes = GOOD  # as packed
    method: int = 0
    flags: int = 0
    crc: int | None = None
    size: int | None = None
    attributes: int = 0
    extra: bytes = b""
    offset: int | None = None
    local_name: bytes | None = None

    def local(self) -> bytes:
        name = self.name if self.local_name is None else self.local_name
        return struct.pack("<4sHHHHHIIIHH", b"PK\3\4", 20, *self._numbers(), len(name), 0) + name + self.data

    def central(self, at: int) -> bytes:
        place = at if self.offset is None else self.offset
        lengths = (len(self.name), len(self.extra), 0, 0, 0, self.attributes, place)
        head = struct.pack("<4sHHHHHHIIIHHHHHII", b"PK\1\2", 20, 20, *self._numbers(), *lengths)
        return head + self.name + self.extra

    def _numbers(self) -> tuple[int, ...]:
        crc = zlib.crc32(self.data) if self.crc is None else self.crc
        size = len(self.data) if self.size is None else self.size
        return self.flags, self.method, 0, 0x21, crc, len(self.data), size


def archive(entries: Sequence[Entry], *, count: int | None = None, size: int | None = None, shift: int = 0) -> bytes:
    """An archive of ``entries``; the end of its directory says ``count``, ``size`` and a place ``shift`` too far."""
    body, directory = bytearray(), bytearray()
    for entry in entries:
        directory += entry.central(len(body))
        body += entry.local() if entry.offset is None else b""
    number = len(entries) if count is None else count
    length = len(directory) if size is None else size
    end = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, number & 0xFFFF, number & 0xFFFF, length, len(body) + shift, 0)
    return bytes(body + directory + end)


def deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def zips() -> Iterator[tuple[str, bytes, str]]:
    """Name, bytes and the code of the problem (or ``TAKEN``)."""
    yield from _names()
    yield from _kinds()
    yield from _sizes()
    yield from _labels()
    yield from _broken()


def _names() -> Iterator[tuple[str, bytes, str]]:
    bad = {
        "up": b"../a.png", "up and up": b"a/../../a.png", "up at its end": b"a/..", "absolute": b"/etc/passwd",
        "absolute twice": b"//a.png", "Windows": b"..\\a.png", "a drive": b"C:/a.png", "a stream": b"a.png:x",
        "NUL": b"a\0.png", "NUL first": b"\0a.png", "a new line": b"a\n.png", "a bell": b"\x07.png",
        "escape": b"\x1b[2J.png", "300 characters": b"a" * 296 + b".png", "65,535 characters": b"a" * 65_535,
    }  # fmt: skip
    for name, raw in bad.items():
        yield f"name: {name}", archive([Entry(raw)]), "archive_bad_name"
    for name, text in {
        "right to left": "a\u202egnp.exe",
        "no width": "a\u200b.png",
        "lone mark": "\ufeffa.png",
    }.items():
        yield f"name: {name}", archive([Entry(text.encode(), flags=0x800)]), "archive_bad_name"
    yield "name: none", archive([Entry(b"")]), "archive_bad_name"
    yield "name: not UTF-8 although it says so", archive([Entry(b"\xff\xfe.png", flags=0x800)]), "archive_damaged"
    yield "name: of old DOS", archive([Entry(b"\x82\xff.png")]), "archive_bad_name"
    yield "name: Chinese, RTL and a face", archive([Entry("图/שלום😀.png".encode(), flags=0x800)]), TAKEN
    yield "name: dots and spaces", archive([Entry(b"...  .png"), Entry(b" ")]), TAKEN
    yield "name: the same twice", archive([Entry(), Entry()]), "archive_duplicate_name"
    yield "name: the same 1,000 times", archive([Entry()] * 1000), "archive_duplicate_name"
    yield (
        "name: labels.csv twice",
        archive([Entry(), Entry(b"labels.csv"), Entry(b"labels.csv")]),
        "archive_duplicate_name",
    )
    yield "name: another one in its own header", archive([Entry(local_name=b"b.png")]), "archive_damaged"
    yield "folders alone", archive([Entry(b"a/", b""), Entry(b"a/b/", b"")]), "invalid_request"
    yield "rubbish of a desktop alone", archive([Entry(b"__MACOSX/._a.png"), Entry(b"b/.DS_Store")]), "invalid_request"


def _kinds() -> Iterator[tuple[str, bytes, str]]:
    for name, mode in {"a link": LINK, "a device": DEVICE, "a pipe": PIPE}.items():
        yield f"kind: {name}", archive([Entry(attributes=mode, data=b"/etc/passwd")]), "archive_not_a_file"
    yield "kind: with a password", archive([Entry(flags=1)]), "archive_encrypted"
    yield "kind: with a strong password", archive([Entry(flags=0x41)]), "archive_encrypted"
    yield "kind: a patch", archive([Entry(flags=0x20)]), "archive_damaged"
    for method in (1, 6, 9, 12, 14, 93, 99, 65_535):
        yield f"kind: method {method}", archive([Entry(method=method)]), "archive_method"
    for suffix in ("zip", "ZIP", "tar.gz", "7z", "jar"):
        yield (
            f"kind: an archive (.{suffix})",
            archive([Entry(b"x." + suffix.encode(), archive([Entry()]))]),
            "archive_nested",
        )
    yield "kind: an archive that is called a picture", archive([Entry(data=archive([Entry()]))]), TAKEN
    yield "kind: a page that is called a picture", archive([Entry(data=b"<script>")]), TAKEN
    yield "kind: an empty file", archive([Entry(data=b"")]), TAKEN


def _sizes() -> Iterator[tuple[str, bytes, str]]:
    zeros = deflated(bytes(MIB))
    yield (
        "size: 1 MiB of zeros",
        archive([Entry(data=zeros, method=8, size=MIB, crc=zlib.crc32(bytes(MIB)))]),
        "archive_ratio",
    )
    huge = deflated(bytes(200 * MIB))
    yield "size: 200 MiB of zeros", archive([Entry(data=huge, method=8, size=200 * MIB)]), "file_too_large"
    yield (
        "size: 200 MiB that says 10,000",
        archive([Entry(data=huge, method=8, size=10_000)]),
        "archive_ratio|archive_damaged",
    )
    yield (
        "size: 10,000 that says 0",
        archive([Entry(data=deflated(bytes(10_000)), method=8, size=0)]),
        "archive_ratio|archive_damaged",
    )
    yield "size: 8 that says 2^32 - 2", archive([Entry(size=2**32 - 2)]), "too_large"
    yield "size: less than it says", archive([Entry(data=deflated(b"x" * 10), method=8, size=5000)]), "archive_damaged"
    two = deflated(bytes(2 * MIB))
    some = [Entry(b"%d" % n, data=two, method=8, size=2 * MIB, crc=0) for n in range(300)]
    yield "size: 600 MiB in all", archive(some), "too_large"
    yield (
        "size: one part for 500 names",
        archive([Entry(b"a"), *(Entry(b"%d" % n, offset=0) for n in range(500))]),
        "archive_overlap",
    )
    yield "size: quoted in each other", _quoted(), "archive_overlap"
    yield "size: 60,000 files", archive([Entry(b"%d" % n, b"x") for n in range(60_000)]), "too_many_files"
    yield (
        "size: a directory of 150,000 entries",
        archive([Entry(b"%d" % n, b"", offset=0) for n in range(150_000)]),
        "too_many_files",
    )
    yield (
        "size: 110,000 folders",
        archive([Entry(), *(Entry(b"%d/" % n, b"") for n in range(110_000))]),
        "too_many_files",
    )
    yield "size: a comment of 65,535", archive([Entry()])[:-2] + b"\xff\xff" + b"c" * 65_535, TAKEN


def _quoted() -> bytes:
    """Each entry holds, as stored blocks, the local headers of those after it: all share one kernel."""
    kernel = deflated(b"x" * 60_000)
    body = b""
    entries: list[tuple[bytes, int, int]] = []
    following = b""
    for number in reversed(range(120)):
        name = b"%d.png" % number
        quoted = (
            b"" if not following else b"\0" + struct.pack("<HH", len(following), len(following) ^ 0xFFFF) + following
        )
        data = (quoted + kernel) if not body else quoted + body[len(following) :]
        header = struct.pack("<4sHHHHHIIIHH", b"PK\3\4", 20, 0, 8, 0, 0x21, 0, len(data), 60_000, len(name), 0) + name
        body = header + data
        following = header
        entries.append((name, len(body), len(data)))
    directory = b"".join(
        Entry(name, data=bytes(size), method=8, size=60_000, crc=0).central(len(body) - length)
        for name, length, size in entries
    )
    end = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, len(entries), len(entries), len(directory), len(body), 0)
    return body + directory + end


def _labels() -> Iterator[tuple[str, bytes, str]]:
    head = b"filename,label\n"
    tables = {
        "another header": (b"name,text\na.png,x\n", "archive_labels"),
        "nothing in it": (b"", "archive_labels"),
        "not UTF-8": (head + b"a.png,\xff\n", "archive_labels"),
        "UTF-16": ("filename,label\na.png,x\n".encode("utf-16"), "archive_labels"),
        "a quote without end": (head + b'a.png,"x\n', "archive_labels"),
        "NUL": (head + b"a.png,\0\n", TAKEN),
        "a cell of 200,000": (head + b"a.png," + b"x" * 200_000, "archive_labels"),
        "a label of 101": (head + b"a.png," + b"x" * 101, "archive_labels"),
        "3,000 columns": (head + b"," * 3000, TAKEN),
        "200,000 rows": (head + b"".join(b"%d,x\n" % n for n in range(200_000)), "archive_labels"),
        "12 MiB of empty rows": (head + b"\n" * (12 * MIB), TAKEN),
        "17 MiB": (head + b" " * (17 * MIB), "archive_ratio"),
        "formulas": (head + b"a.png,=cmd|'/c calc'!A1\n", TAKEN),
        "traversal": (head + b"../../a.png,x\n", TAKEN),
    }
    for name, (table, code) in tables.items():
        yield f"labels.csv: {name}", archive([Entry(), Entry(b"labels.csv", table)]), code
    link = Entry(b"labels.csv", b"/etc/passwd", attributes=LINK)
    yield "labels.csv: a link", archive([Entry(), link]), "archive_not_a_file"
    yield "labels.csv: alone", archive([Entry(b"labels.csv", head)]), "invalid_request"


def _broken() -> Iterator[tuple[str, bytes, str]]:
    good = archive([Entry(b"a.png"), Entry(b"b.png")])
    yield "broken: no bytes", b"", "archive_damaged"
    yield "broken: no zip", b"x" * 1000, "archive_damaged"
    yield "broken: an end alone", good[-22:], "archive_damaged"
    yield "broken: an empty archive", archive([]), "invalid_request"
    for share in (0.1, 0.5, 0.9):
        yield f"broken: cut at {share}", good[: int(len(good) * share)], "archive_damaged"
    yield "broken: cut in its directory", good[:-60] + good[-22:], "archive_damaged"
    yield "broken: a wrong check sum", archive([Entry(crc=1)]), "archive_damaged"
    yield "broken: no deflate", archive([Entry(data=b"\xff" * 50, method=8)]), "archive_damaged"
    yield "broken: a place beyond the end", archive([Entry(offset=2**31), Entry(b"b.png")]), "archive_damaged"
    yield "broken: a place in another header", archive([Entry(b"a"), Entry(b"b.png", b"", offset=5)]), "archive_damaged"
    yield "broken: a directory that is too long", archive([Entry()], size=10_000), "archive_damaged"
    yield "broken: a directory too far", archive([Entry()], shift=9000), "archive_damaged"
    yield "broken: too many entries said", archive([Entry()], count=60_000), TAKEN
    for length in (1, 3, 8, 60):
        extra = struct.pack("<HH", 1, length) + bytes(2)
        yield (
            f"zip64: a field of {length} bytes",
            archive([Entry(size=2**32 - 1, extra=extra)]),
            "archive_damaged|too_large",
        )
    wide = struct.pack("<HHQQ", 1, 16, 2**63, 2**63)
    yield "zip64: 2^63 bytes", archive([Entry(size=2**32 - 1, extra=wide)]), "archive_damaged|too_large"
    record = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, 2**60, 2**60, 2**60, 2**60)
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, len(good) - 22, 1)
    yield "zip64: a directory of 2^60", good[:-22] + record + locator + good[-22:], "archive_damaged"
    yield "zip64: on another disk", good[:-22] + record + locator[:-4] + b"\xff\0\0\0" + good[-22:], "archive_damaged"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file, file.open("a.png", "w", force_zip64=True) as part:
        part.write(GOOD)
    yield "zip64: an honest one", buffer.getvalue(), TAKEN
    yield "behind a program", b"#!/bin/sh\nexit\n" + good, TAKEN
