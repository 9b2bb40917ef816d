"""Make a folder with ``labels.csv`` of labelled images in other people's layouts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from captcha_solver.attempt import attempt
from captcha_solver.dataset import write_folder
from captcha_solver.errors import DatasetError
from captcha_solver.folders.contents import look_below
from captcha_solver.image import SUFFIXES, read_file, read_image, usual_suffix
from captcha_solver.labels.finding import How, Labels, find_labels
from captcha_solver.labels.sources import opened_source
from captcha_solver.types import Sample


@dataclass(frozen=True, slots=True)
class Imported:
    """What was written: the pairs, file name in the folder and label, in order; and what could not be used."""

    pairs: tuple[tuple[str, str], ...]
    labels: Labels
    unreadable: tuple[str, ...]

    @property
    def left_out(self) -> tuple[str, ...]:
        """A sentence for each thing that is lost."""
        return (*self.labels.use.told_of(self.labels.where), *self.labels.notes, *self.unreadable)


def import_folder(source: Path, out: Path, how: How) -> Imported:
    """Write the labelled images of ``source``, as they are, and a ``labels.csv`` into the new or empty folder ``out``.

    ``source`` is a folder, whose subfolders are looked into, a zip of one, or a table beside or above its images.
    Images without a label or that cannot be read are not written; what is written can be read. ``DatasetError`` where
    there are no images or no labels, ``OptionError`` for options that do not fit.
    """
    with opened_source(source) as (root, table):
        images = [path.relative_to(root).as_posix() for path in look_below(root, without=out)]
        if not images:
            raise DatasetError(f"{source}: expected images, received none, in its subfolders neither")
        labels = find_labels(root, images, how, table=table)
        if not labels.by_name:
            raise DatasetError(f"{source}: expected labels, received none that fit its images; {_hint(how)}")
        unreadable: list[str] = []
        pairs: list[tuple[str, str]] = []
        write_folder(_samples(root, labels.by_name, pairs, unreadable), out)
    return Imported(tuple(pairs), labels, tuple(unreadable))


def _samples(
    root: Path, labels: dict[str, str], pairs: list[tuple[str, str]], unreadable: list[str]
) -> Iterator[Sample]:
    """The images that can be read, under names of their own; tells ``pairs`` and ``unreadable`` as it goes."""
    names = _flat_names(list(labels))
    for name, label in labels.items():
        read = attempt(read_file, root / name)
        failure = read.failure or attempt(read_image, read.value or b"").failure
        if failure:
            unreadable.append(f"{name} is not taken: {failure}")
            continue
        data = read.value or b""
        known = PurePosixPath(names[name]).suffix.lower() in SUFFIXES
        written = names[name] if known else names[name] + usual_suffix(data)
        pairs.append((written, label))
        yield Sample(id=written, image=data, text=label, design=root.name)
    if not pairs:
        raise DatasetError(f"{root}: expected images that can be read, received none; {unreadable[0]}")


def _flat_names(names: Sequence[str]) -> dict[str, str]:
    """File names for images of subfolders: their own where no two are alike, else the folders before them."""
    own = [PurePosixPath(name).name.casefold() for name in names]
    if len(set(own)) == len(own):
        return {name: PurePosixPath(name).name for name in names}
    taken: set[str] = set()
    flat = {}
    for name in names:
        path = PurePosixPath(name.replace("/", "_"))
        number, new = 1, path.name
        while new.casefold() in taken:
            number += 1
            new = f"{path.stem}-{number}{path.suffix}"
        taken.add(new.casefold())
        flat[name] = new
    return flat


def _hint(how: How) -> str:
    if how.pattern is not None:
        return "the pattern finds nothing in the file names"
    return "--labels and --pattern say where they are"
