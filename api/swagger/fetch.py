"""Fetch Swagger UI again, from its npm package, and check every file's SHA-256 (``make swagger``).

Needs `npm`, which finds the package by name wherever it is set up to look.

Tested in ``tests/api/routes/test_documentation.py``.
"""

import hashlib
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
PACKAGE, VERSION = "swagger-ui-dist", "5.35.0"
FILES = {  # of the package, as it has them -> SHA-256
    "swagger-ui-bundle.js": "e6a898692f2d768e807c3ba4626068a69a2c5dd960dd6c76f3e4d3a3de180af2",
    "swagger-ui.css": "5ed08757e53da3e026d6cbecc61fe5d43585c9560b302d534ad56692519a273d",
    "LICENSE": "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30",
    "NOTICE": "0d20d1adef18aee3f40dd258172155521ce702ac445cb5f7b7d60ed32dad2fb2",
    "swagger-ui-bundle.js.LICENSE.txt": "37eb6e7e59aed57b2c1acf076574b818ea07b74265717e0bd67b59e0baf9abbb",
}


def fetched(folder: Path) -> dict[str, bytes]:
    """The package's files, by their path inside it."""
    pack = ["npm", "pack", "--silent", f"{PACKAGE}@{VERSION}"]
    subprocess.run(pack, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    with tarfile.open(next(folder.glob("*.tgz"))) as archive:
        members = {m.name.removeprefix("package/"): archive.extractfile(m) for m in archive if m.isfile()}
        return {name: file.read() for name, file in members.items() if file is not None}


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        found = fetched(Path(folder))
    wrong = [name for name, sha256 in FILES.items() if hashlib.sha256(found[name]).hexdigest() != sha256]
    if wrong:
        sys.stderr.write(f"expected the files of {PACKAGE} {VERSION}, received others: {', '.join(wrong)}\n")
        return 1
    for name in FILES:
        (HERE / name).write_bytes(found[name])
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
