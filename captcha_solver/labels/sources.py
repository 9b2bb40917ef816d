"""Open what people have labelled images in: a folder, a zip of one, or a table beside the images.

Tested in ``tests/labels/test_importing.py``.
"""

import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from captcha_solver.errors import DatasetError
from captcha_solver.labels.tables import kind_of

MOST_UNPACKED_BYTES = 16 * 1024**3


@contextmanager
def opened_source(source: Path) -> Iterator[tuple[Path, Path | None]]:
    """The folder with the images, and the table where ``source`` is one."""
    if source.is_dir():
        yield source, None
    elif not source.is_file():
        raise DatasetError(f"{source}: expected a folder, a zip or a table, received nothing there")
    elif kind_of(source.suffix) is not None:
        yield source.parent, source
    elif zipfile.is_zipfile(source):
        with tempfile.TemporaryDirectory(prefix="captcha-import-") as folder:
            unpacked = Path(folder) / (source.stem or "images")
            _unpack(source, unpacked)
            yield unpacked, None
    else:
        raise DatasetError(
            f"{source}: expected a folder, a zip or a table (csv, tsv, json, txt), received another file"
        )


def _unpack(archive: Path, folder: Path) -> None:
    try:
        with zipfile.ZipFile(archive) as opened:
            size = sum(entry.file_size for entry in opened.infolist())
            if size > MOST_UNPACKED_BYTES:
                raise DatasetError(
                    f"{archive}: expected at most {MOST_UNPACKED_BYTES:,} bytes unpacked, received {size:,}"
                )
            opened.extractall(folder)  # takes ".." and leading slashes out of names
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError) as error:
        raise DatasetError(f"{archive}: expected a zip that can be unpacked, received: {error}") from error
