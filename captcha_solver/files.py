"""Files that are there whole or not at all: written under another name in the same folder, then renamed.

Tested in ``tests/test_dataset.py``.
"""

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def unfinished_of(path: Path) -> Path:
    """Where ``path`` is written until it is whole."""
    return path.with_name(f".part-{path.name}")


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """The path to write to, with the suffix of ``path``. It becomes ``path`` at the end; after an error it is removed.

    A crash leaves the older file, and at most the unfinished one beside it.
    """
    unfinished = unfinished_of(path)
    try:
        yield unfinished
        unfinished.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)
        raise


def write_whole(path: Path, data: bytes) -> None:
    """Write a file, whole or not at all; ``OSError`` where it cannot be written."""
    with whole_file(path) as unfinished:
        unfinished.write_bytes(data)
