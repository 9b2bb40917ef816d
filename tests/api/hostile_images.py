"""Image files that are broken, lie about their size, or are two things at once; all made here."""

import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

from tests.fakes import encoded

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP")
SIGNATURES = {
    "png": b"\x89PNG\r\n\x1a\n", "jpeg": b"\xff\xd8\xff\xe0", "gif": b"GIF89a", "bmp": b"BM",
    "webp": b"RIFF\x10\0\0\0WEBPVP8 "
}  # fmt: skip
MIB = 1024 * 1024


def images() -> Iterator[tuple[str, bytes]]:
    """Names and bytes; each has to be an answer that says what is wrong with it, or a text."""
    yield from _cut_and_bent()
    yield from _bombs()
    yield from _odd_pngs()
    yield from _odd_frames()
    yield from _exif()
    yield from _two_at_once()
    yield from _other_things()


def photo(width: int = 90, height: int = 40) -> Image.Image:
    return Image.fromarray(np.random.default_rng(7).integers(0, 256, (height, width, 3), np.uint8))


def chunk(kind: bytes, data: bytes) -> bytes:
    """A part of a PNG with its check sum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, pixels: bytes, *, extra: bytes = b"", depth: int = 8, colour: int = 0) -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return SIGNATURES["png"] + head + extra + chunk(b"IDAT", zlib.compress(pixels, 9)) + chunk(b"IEND", b"")


def _cut_and_bent() -> Iterator[tuple[str, bytes]]:
    rng = np.random.default_rng(1)
    for form in FORMATS:
        whole = encoded(photo(), form)
        for share in (0.05, 0.3, 0.6, 0.9):
            yield f"{form} cut at {share}", whole[: int(len(whole) * share)]
        yield f"{form} without its last byte", whole[:-1]
        yield f"{form} without its first byte", whole[1:]
        yield f"{form} followed by zeros", whole + bytes(50_000)
        for count in (1, 8, 64):
            bent = np.frombuffer(whole, np.uint8).copy()
            bent[rng.integers(8, len(bent), count)] ^= rng.integers(1, 256, count).astype(np.uint8)
            yield f"{form} with {count} bytes changed", bent.tobytes()


def _bombs() -> Iterator[tuple[str, bytes]]:
    for width, height in ((20_000, 20_000), (2**31 - 1, 2**31 - 1), (1_000_000, 1), (1, 1_000_000), (0, 40), (40, 0)):
        yield f"PNG that declares {width}x{height}", png(width, height, bytes(1000))
    yield "PNG of 20,000x20,000 for real", png(20_000, 20_000, bytes(20_001 * 2000))
    yield "PNG with far more pixels than it declares", png(40, 20, bytes(60 * MIB))
    for width, height in ((65_535, 65_535), (4096, 4096)):
        yield (
            f"GIF that declares {width}x{height}",
            b"GIF89a" + struct.pack("<HHBBB", width, height, 0xF7, 0, 0) + bytes(768),
        )
    frame = b",\0\0\0\0" + struct.pack("<HHB", 65_535, 65_535, 0) + b"\x08\x02\x44\x01\0;"
    yield (
        "GIF with a frame larger than its screen",
        b"GIF89a" + struct.pack("<HHBBB", 40, 20, 0x80, 0, 0) + bytes(6) + frame,
    )
    for width, height in ((20_000, 20_000), (2**31 - 1, 2**31 - 1), (-40, 20), (40, -(2**31)), (40, -20)):
        head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
        yield (
            f"BMP that declares {width}x{height}",
            b"BM" + struct.pack("<IHHI", 54 + 2400, 0, 0, 54) + head + bytes(2400),
        )
    run = b"BM" + struct.pack("<IHHI", 1000, 0, 0, 54 + 1024)
    run += struct.pack("<IiiHHIIiiII", 40, 20_000, 20_000, 1, 8, 1, 0, 0, 0, 0, 0) + bytes(1024) + b"\xff\0" * 500
    yield "BMP packed in runs of 20,000x20,000", run
    jpeg = bytearray(encoded(photo(), "JPEG"))
    at = jpeg.index(b"\xff\xc0") + 5
    for width, height in ((65_535, 65_535), (65_535, 1), (0, 0), (20_000, 20_000)):
        jpeg[at : at + 4] = struct.pack(">HH", height, width)
        yield f"JPEG that declares {width}x{height}", bytes(jpeg)
    yield "WEBP that declares 2^24 x 2^24", _riff(b"VP8X" + struct.pack("<I", 10) + bytes(4) + b"\xff" * 6)
    yield (
        "WEBP without loss that declares 16,384x16,384",
        _riff(b"VP8L" + struct.pack("<I", 6) + b"/\xff\xff\xff\x0f\0"),
    )
    yield "WEBP with a part that is longer than the file", _riff(b"VP8 " + struct.pack("<I", 2**32 - 2) + bytes(20))


def _riff(parts: bytes) -> bytes:
    return b"RIFF" + struct.pack("<I", len(parts) + 4) + b"WEBP" + parts


def _odd_pngs() -> Iterator[tuple[str, bytes]]:
    pixels = bytes(41 * 20)
    packed = zlib.compress(bytes(64 * MIB), 9)
    extras = {
        "a text that unpacks to 64 MiB": chunk(b"zTXt", b"k\0\0" + packed),
        "an international text that unpacks to 64 MiB": chunk(b"iTXt", b"k\0\1\0\0\0" + packed),
        "a colour profile that unpacks to 64 MiB": chunk(b"iCCP", b"k\0\0" + packed),
        "a thousand texts": b"".join(chunk(b"tEXt", b"k%d\0v" % n) for n in range(1000)),
        "a part of a kind that is no word": chunk(b"\0\1\2\3", b"x"),
        "a second header": chunk(b"IHDR", struct.pack(">IIBBBBB", 20_000, 20_000, 8, 0, 0, 0, 0)),
        "an animation control of 2^31 frames": chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0)),
        "transparency that is too short": chunk(b"tRNS", b""),
        "an empty palette": chunk(b"PLTE", b""),
        "a palette that is too long": chunk(b"PLTE", bytes(3000)),
        "an end in the middle": chunk(b"IEND", b""),
    }
    for name, extra in extras.items():
        yield f"PNG with {name}", png(40, 20, pixels, extra=extra)
    yield "PNG with a palette that is missing", png(40, 20, pixels, colour=3)
    for depth, colour in ((3, 0), (16, 3), (8, 1), (8, 7), (0, 0), (255, 255)):
        yield f"PNG of depth {depth} and colour {colour}", png(40, 20, pixels, depth=depth, colour=colour)
    yield "PNG with filters that are none", png(40, 20, b"\xff" * 820)
    yield "PNG with a length of 2^32 - 1", SIGNATURES["png"] + b"\xff\xff\xff\xffIHDR" + bytes(50)
    yield "PNG without pixels", SIGNATURES["png"] + chunk(b"IHDR", struct.pack(">IIBBBBB", 40, 20, 8, 0, 0, 0, 0))


def _odd_frames() -> Iterator[tuple[str, bytes]]:
    frames = [photo(40, 20).point(lambda level, n=n: (level + n) % 256) for n in range(60)]
    for form in ("GIF", "WEBP", "PNG"):
        yield f"{form} of 60 frames", encoded(frames[0], form, save_all=True, append_images=frames[1:])
    yield "GIF of one pixel", encoded(Image.new("P", (1, 1)), "GIF")
    yield "PNG of one pixel", encoded(Image.new("1", (1, 1)))
    yield "PNG of 4,096 x 8", encoded(Image.new("L", (4096, 8), 255))
    yield "PNG of 8 x 4,096", encoded(Image.new("L", (8, 4096), 255))
    yield "PNG of 1,000 x 1,000", encoded(photo(1000, 600))
    yield "PNG of 16 bits", encoded(Image.fromarray(np.full((20, 40), 65_535, np.uint16)))
    yield "PNG that is transparent all over", encoded(Image.new("RGBA", (40, 20), (0, 0, 0, 0)))
    yield "JPEG in four inks", encoded(Image.new("CMYK", (40, 20)), "JPEG")


def _exif() -> Iterator[tuple[str, bytes]]:
    for orientation in (0, 5, 9, 65_535):
        exif = Image.Exif()
        exif[0x0112] = orientation
        yield f"JPEG turned by {orientation}", encoded(photo(), "JPEG", exif=exif)
    tiff = b"Exif\0\0II*\0\x08\0\0\0"
    entries = {
        "a directory that is its own next": b"\0\0\x08\0\0\0",
        "a directory of 65,535 entries": b"\xff\xff" + bytes(40),
        "a directory beyond the file": b"\x01\0\x69\x87\x04\0\x01\0\0\0\xff\xff\xff\x7f\0\0\0\0",
        "a value of 2^32 - 1 numbers": b"\x01\0\x12\x01\x03\0\xff\xff\xff\xff\x08\0\0\0\0\0\0\0",
        "an orientation that is a text": b"\x01\0\x12\x01\x02\0\x04\0\0\0abc\0\0\0\0\0",
        "an orientation that is a fraction of nothing": b"\x01\0\x12\x01\x05\0\x01\0\0\0\x0a\0\0\0\0\0\0\0" + bytes(8),
    }
    for name, body in entries.items():
        yield f"JPEG with {name}", encoded(photo(), "JPEG", exif=tiff + body)
        yield f"PNG with {name}", png(40, 20, bytes(820), extra=chunk(b"eXIf", (tiff + body)[6:]))
    jpeg = encoded(photo(), "JPEG")
    comments = b"".join(b"\xff\xfe" + struct.pack(">H", 65_533) + b"c" * 65_531 for _ in range(20))
    yield "JPEG with a mebibyte of comments", jpeg[:2] + comments + jpeg[2:]
    yield "JPEG with a marker of length 0", jpeg[:2] + b"\xff\xe1\0\0" + jpeg[2:]


def _two_at_once() -> Iterator[tuple[str, bytes]]:
    gif, jpeg, plain = (encoded(photo(), form) for form in ("GIF", "JPEG", "PNG"))
    script = b"<script>alert(1)</script><?php system($_GET['x']); ?>"
    yield "GIF that is a script", b"GIF89a/*" + script + b"*/=1;"
    yield "PNG before a page", plain + script
    yield (
        "JPEG with a page for a comment",
        jpeg[:2] + b"\xff\xfe" + struct.pack(">H", len(script) + 2) + script + jpeg[2:],
    )
    yield "page before a GIF", script + gif
    yield "PDF before a PNG", b"%PDF-1.4\n" + plain
    yield "PNG before a zip", plain + b"PK\x03\x04" + bytes(200) + b"PK\x05\x06" + bytes(18)
    yield "PNG by its start, JPEG by its rest", plain[:8] + jpeg
    yield "GIF by its start, PNG by its rest", gif[:6] + plain
    yield "BMP that begins with a program", b"MZ" + encoded(photo(), "BMP")[2:]


def _other_things() -> Iterator[tuple[str, bytes]]:
    for form in ("TIFF", "ICO", "PPM", "TGA", "PCX", "EPS", "PDF", "JPEG2000", "DDS", "SGI"):
        buffer = io.BytesIO()
        photo(48, 48).save(buffer, form)
        yield f"{form}, which is not read", buffer.getvalue()
    for name, signature in SIGNATURES.items():
        yield f"{name} that is its signature alone", signature
        yield f"{name} that is its signature and noise", signature + np.random.default_rng(2).bytes(5000)
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    yield (
        "SVG of a billion laughs",
        f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e0 "ha">{entities}]><svg>&e9;</svg>'.encode(),
    )
    yield "SVG that reads a file", b'<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><svg><text>&f;</text></svg>'
    yield "one byte", b"\0"
    yield "a mebibyte of zeros", bytes(MIB)
    yield "a mebibyte of noise", np.random.default_rng(3).bytes(MIB)
    yield "a program", b"\x7fELF\x02\x01\x01" + bytes(100)
    yield "gzip", b"\x1f\x8b\x08" + bytes(100)
