"""What lies in a folder: the pictures, known by their content whatever they are called, and all that is none."""

import contextlib
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from captcha_solver.errors import DatasetError
from captcha_solver.folders.labels_csv import LABELS, counted, listed, plain_name
from captcha_solver.image import HEAD_BYTES, SUFFIXES, is_picture

APPLE_DOUBLE = "._"  # begins what macOS writes beside a file on a foreign disk: it has the file's suffix
LEFTOVERS = frozenset({"thumbs.db", "desktop.ini", "__macosx"})


@dataclass(frozen=True, slots=True)
class Pictures:
    """The pictures of a folder, sorted by name, and the names of other files and of folders in it.

    A file with the suffix of an image is a picture even where its content is none: reading it says what is wrong.
    ``labels.csv``, hidden files and what desktops leave behind count as nothing.
    """

    files: tuple[Path, ...]
    skipped: tuple[str, ...]
    folders: tuple[str, ...]

    def told(self, *, used: Collection[str] = ()) -> tuple[str, ...]:
        """A sentence for each kind of thing that is not read; ``used`` are files and folders that are, after all."""
        skipped = [name for name in self.skipped if name not in used]
        folders = [name for name in self.folders if name not in used]
        said = []
        if skipped:
            said.append(f"{counted(len(skipped), 'file')} skipped, of no format that is read: {listed(skipped)}")
        if folders:
            said.append(f"{counted(len(folders), 'folder')} not looked into: {listed(folders)}")
        return tuple(said)


def look_into(folder: Path) -> Pictures:
    """The pictures of ``folder``, not those of its subfolders; ``DatasetError`` where it cannot be read."""
    files, skipped, folders = [], [], []
    try:
        for path in sorted(folder.iterdir()):
            if path.name.casefold() in LEFTOVERS or path.name == LABELS:
                continue
            if path.is_dir():
                folders += [] if path.name.startswith(".") else [path.name]
            elif _is_picture(path):
                files.append(path)
            elif not path.name.startswith("."):
                skipped.append(path.name)
    except OSError as error:
        raise DatasetError(f"{folder}: expected a folder that can be read, received {error.strerror}") from error
    return Pictures(tuple(files), tuple(skipped), tuple(folders))


def look_below(folder: Path, *, without: Path | None = None) -> tuple[Path, ...]:
    """The pictures of ``folder`` and of all its subfolders but hidden ones and ``without``, sorted by their paths."""
    here = look_into(folder)
    below = (folder / name for name in here.folders if name.casefold() not in LEFTOVERS)
    deeper = (path for each in below if each != without for path in look_below(each, without=without))
    return (*here.files, *deeper)


def _is_picture(path: Path) -> bool:
    if not path.is_file():  # a pipe or a socket would not end
        return False
    if path.suffix.lower() in SUFFIXES and not path.name.startswith(APPLE_DOUBLE):
        return True
    try:
        with path.open("rb") as file:
            return is_picture(file.read(HEAD_BYTES))
    except OSError:
        return False


class Finder:
    """Finds the files of a folder by their ``plain_name``, however the disk spells them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, name: str) -> Path:
        """The file of that plain name, wherever it lies below the folder; where there is none, where it should be."""
        path = self.folder / name
        with contextlib.suppress(OSError, ValueError):  # a name that is too long, or holds a NUL
            return path if path.exists() else self._spelled.get(name, path)
        return path

    @cached_property
    def _spelled(self) -> dict[str, Path]:
        """Plain name -> file, of those whose own name is another."""
        below = ((path.relative_to(self.folder).as_posix(), path) for path in self.folder.rglob("*"))
        return {plain: path for name, path in below if (plain := plain_name(name)) is not None and plain != name}
