"""A folder for what an audit worker trains in, removed at the end; and those that killed workers have left behind.

Tested in ``tests/workers/audits/test_record.py``.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "captcha-audits-"
LOCK = "lock"


@contextmanager
def home(place: Path | None = None) -> Iterator[Path]:
    """A folder of this process's own in ``place`` (the system's for temporary files), locked as long as it lives."""
    within = place or Path(tempfile.gettempdir())
    clear(within)
    with tempfile.TemporaryDirectory(prefix=PREFIX, dir=within) as name:
        folder = Path(name)
        lock = os.open(folder / "locking", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            (folder / "locking").rename(folder / LOCK)  # it is locked from the first moment that others can see it
            yield folder
        finally:
            os.close(lock)


def clear(within: Path) -> list[Path]:
    """Remove the folders whose process is gone: nobody holds their lock. Which they were."""
    gone = []
    for folder in within.glob(f"{PREFIX}*"):
        with suppress(OSError):  # another's, or removed by another in this moment
            lock = os.open(folder / LOCK, os.O_RDWR)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
                gone.append(folder)
            finally:
                os.close(lock)
    return gone
