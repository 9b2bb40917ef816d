"""Which image of a folder a table means by a name: as written, or by what is certain of it.

Tested in ``tests/labels/test_importing.py``.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePosixPath

from captcha_solver.folders.labels_csv import plain_name

OUTSIDE = re.compile(r"^(?:[A-Za-z]+:(?=/))?(?:/|\.\./)*")  # a drive, a protocol, the root, folders above


class ImageNames:
    """Finds images by the names that tables give them.

    The path below the source counts, or its end; else the file name, the name without its suffix, and these in any
    case; a spelling that more than one image has finds none of them.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(names)
        self._spellings = [self._by(how) for how in (_whole, _base, _without_suffix, _stem, _folded, _folded_stem)]

    def find(self, written: str) -> str | None:
        """The image of that name, as it was given here; None where there is none, or more than one."""
        name = plain_name(OUTSIDE.sub("", written.replace("\\", "/")))
        if name is None:
            return None
        parts = name.split("/")
        for how, known in self._spellings:
            for start in range(len(parts)):  # a table may have been written one or more folders further up
                found = known.get(how("/".join(parts[start:])))
                if found is not None:
                    return found
        return None

    def _by(self, how: Callable[[str], str]) -> tuple[Callable[[str], str], Mapping[str, str]]:
        spelt = defaultdict(list)
        for name in self.names:
            spelt[how(plain_name(name) or name)].append(name)
        return how, {spelling: names[0] for spelling, names in spelt.items() if len(names) == 1}


def _whole(name: str) -> str:
    return name


def _base(name: str) -> str:
    return PurePosixPath(name).name


def _without_suffix(name: str) -> str:
    return name[: -len(PurePosixPath(name).suffix)] if _has_suffix(name) else name


def _stem(name: str) -> str:
    return _base(_without_suffix(name))


def _folded(name: str) -> str:
    return _base(name).casefold()


def _folded_stem(name: str) -> str:
    return _stem(name).casefold()


def _has_suffix(name: str) -> bool:
    """Whether what follows the last dot is a suffix of files: short and without blanks, not the end of a label."""
    suffix = PurePosixPath(name).suffix
    return 1 < len(suffix) <= 5 and suffix[1:].isalnum()
