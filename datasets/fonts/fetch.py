"""Fetch the fonts that fonts.toml names again, from their packages, and check every file's SHA-256.

    python datasets/fonts/fetch.py [FAMILY...]

Needs `npm`, `pip` for the families that come from Python packages, and fontTools with brotli for the faces that are
cut down (`make fonts` installs both); packages are found by name, wherever the package managers of this machine are
set up to look.

A face with a `member_sha256` is cut down to 0-9A-Za-z, one of a family with `scripts` to its `charset`: the package's
file has that hash, the face's own is `sha256`.

Tested in ``tests/designs/test_fonts.py``.
"""

import hashlib
import io
import string
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ALNUM = string.digits + string.ascii_letters
DROPPED = ["GDEF", "GPOS", "GSUB", "kern", "STAT", "DSIG", "FFTM", "BASE", "MATH"]
CUT_WITH = "fonttools 4.68.0 and brotli 1.2.1"
Files = dict[str, bytes]


def from_npm(package: str, version: str, folder: Path) -> Files:
    """The files of an npm package, by their path inside it."""
    pack = ["npm", "pack", "--silent", f"{package}@{version}"]
    subprocess.run(pack, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    with tarfile.open(next(folder.glob("*.tgz"))) as archive:
        members = {m.name.removeprefix("package/"): archive.extractfile(m) for m in archive if m.isfile()}
        return {name: file.read() for name, file in members.items() if file is not None}


def from_pypi(package: str, version: str, folder: Path) -> Files:
    """The files of a Python wheel, by their path inside it."""
    download = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary", ":all:"]
    subprocess.run([*download, "-d", str(folder), f"{package}=={version}"], check=True)
    with zipfile.ZipFile(io.BytesIO(next(folder.glob("*.whl")).read_bytes())) as archive:
        return {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}


def cut_down(data: bytes, charset: str = ALNUM) -> bytes:
    """A font file with the glyphs of ``charset`` alone, hinted as before, without kerning and ligatures, as WOFF2."""
    from fontTools import subset
    from fontTools.ttLib import TTFont

    options = subset.Options(layout_features=[], notdef_outline=True, recommended_glyphs=False, drop_tables=DROPPED)
    cutter = subset.Subsetter(options)
    cutter.populate(text=charset)
    font = TTFont(io.BytesIO(data), recalcTimestamp=False)
    cutter.subset(font)
    font.flavor = "woff2"
    written = io.BytesIO()
    font.save(written)
    return written.getvalue()


SOURCES: dict[str, Callable[[str, str, Path], Files]] = {"npm": from_npm, "pypi": from_pypi}


def fetch(name: str, family: Mapping[str, Any]) -> None:
    """Write one family's faces (and its licence, where the package holds it) below this folder."""
    registry, _, package = family["source"].partition(":")
    with tempfile.TemporaryDirectory() as scratch:
        files = SOURCES[registry](package, family["version"], Path(scratch))
    folder = HERE / name
    folder.mkdir(exist_ok=True)
    if "license_member" in family:
        (folder / "LICENSE").write_bytes(files[family["license_member"]])
    for face, entry in family["faces"].items():
        data = files[entry["member"]]
        if "member_sha256" in entry:
            check(f"{entry['member']} of {package}", data, entry["member_sha256"])
            data = cut_down(data, entry["charset"] if family.get("scripts") else ALNUM)
        check(f"{face} (cut down by {CUT_WITH}?)" if "member_sha256" in entry else face, data, entry["sha256"])
        (folder / entry["file"]).write_bytes(data)


def check(name: str, data: bytes, expected: str) -> None:
    """End with a message unless ``data`` has the SHA-256 ``expected``."""
    received = hashlib.sha256(data).hexdigest()
    if received != expected:
        sys.exit(f"{name}: expected SHA-256 {expected}, received {received}")


def main() -> None:
    families = tomllib.loads((HERE / "fonts.toml").read_text(encoding="utf-8"))["families"]
    wanted = sys.argv[1:] or list(families)
    unknown = sorted(set(wanted) - set(families))
    if unknown:
        sys.exit(f"expected families of fonts.toml, received {', '.join(unknown)}")
    for number, name in enumerate(wanted, 1):
        sys.stdout.write(f"[{number}/{len(wanted)}] {name}\n")
        fetch(name, families[name])


if __name__ == "__main__":
    main()
