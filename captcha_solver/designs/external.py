"""Designs that are commands: run somebody else's generator, and check the folder that it filled."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from captcha_solver.designs.places import PACKAGE, data_folder
from captcha_solver.errors import DatasetError, DesignError, OptionError, SetupError
from captcha_solver.folders.contents import Finder
from captcha_solver.folders.labels_csv import LABELS, parse_labels, plain_name

STARTUP_S = 60.0
PER_IMAGE_S = 0.25  # the slowest of the generators here, claptcha, draws 50 images in a second


@dataclass(frozen=True, slots=True)
class ExternalCommand:
    """A program that fills a folder with images and ``labels.csv``.

    ``argv`` is run without a shell, its placeholders filled in: ``{python}`` (this interpreter),
    ``{external}`` (the folder ``datasets/external``), ``{count}``, ``{out}``, ``{seed}``. ``hint`` says what
    to install for it.
    """

    argv: tuple[str, ...]
    hint: str


def draw_external(command: ExternalCommand, count: int, out: Path, seed: int) -> None:
    """Fill ``out``, a new or empty folder, with ``count`` images and ``labels.csv``, and check that it is so.

    Raises ``SetupError`` where the program or what it needs is missing, ``DatasetError`` where the folder it
    left is not what was ordered. A program that does not end in ``60 + count / 4`` seconds is stopped.
    """
    if count < 1:
        raise OptionError(f"expected at least 1 image to draw, received {count}")
    argv = fill_in(command.argv, count, out, seed)
    make_empty(out)
    said = run(argv, command.hint, STARTUP_S + PER_IMAGE_S * count)
    try:
        check_folder(out, count, argv[0])
    except DatasetError as error:
        raise DatasetError(f"{error}; on stderr it said: {complaint(said)}" if said.strip() else str(error)) from None


def fill_in(argv: Sequence[str], count: int, out: Path, seed: int) -> list[str]:
    """``argv`` with its placeholders replaced; ``DesignError`` lists those there are."""
    values = {"python": sys.executable, "count": str(count), "out": str(out.resolve()), "seed": str(seed)}
    if any("{external}" in part for part in argv):
        values["external"] = str(data_folder("external"))
    try:
        return [part.format_map(values) for part in argv]
    except (KeyError, ValueError, IndexError, AttributeError) as error:
        names = "{python}, {external}, {count}, {out}, {seed}"
        raise DesignError(f"a command may use {names}; received {' '.join(argv)!r} ({error})") from None


def make_empty(out: Path) -> None:
    """Create ``out`` if need be; what lies there already is never mixed with new images."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        held = next(out.iterdir(), None)
    except OSError as error:
        raise SetupError(f"expected a folder that can be written, received {out}: {error.strerror}") from None
    if held is not None:
        raise OptionError(f"expected a new or empty folder to draw in, received {out}: it holds {held.name}")


def run(argv: Sequence[str], hint: str, timeout_s: float) -> str:
    """Run the program to its end; what it wrote on stderr. A failure becomes one line that says what to install.

    It gets a process group of its own, so that whatever it has started ends with it, however this ends.
    """
    needs = f"; it needs: {hint}" if hint else ""
    paths = [str(PACKAGE.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    try:
        program = subprocess.Popen(
            argv,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        raise SetupError(f"cannot run {argv[0]!r} ({error.strerror}){needs}") from None
    said = _ended(program, argv[0], timeout_s)
    if program.returncode:
        raise SetupError(f"{argv[0]} ended with status {program.returncode}: {complaint(said)}{needs}")
    return said


def _ended(program: subprocess.Popen[str], name: str, timeout_s: float) -> str:
    """What a program wrote on stderr until its end; ``SetupError`` where that does not come."""
    try:
        return program.communicate(timeout=timeout_s)[1]
    except subprocess.TimeoutExpired:
        _end_group(program)
        said = program.communicate()[1]
        told = f"; it said: {complaint(said)}" if said.strip() else ""
        raise SetupError(f"{name} was stopped: it had not finished after {timeout_s:.0f} s{told}") from None
    finally:
        _end_group(program)


def _end_group(program: subprocess.Popen[str]) -> None:
    """End a program and all that it started; of one that has ended, what it left running."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(program.pid, signal.SIGKILL)
    program.wait()


def complaint(stderr: str) -> str:
    """The line of ``stderr`` that says what went wrong: the last that names an error, else the last."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    named = [line for line in lines if "error" in line.split(":")[0].lower()]
    return (named or lines or ["it said nothing"])[-1]


def check_folder(out: Path, count: int, program: str) -> None:
    """``DatasetError`` unless ``out`` holds ``labels.csv`` with ``count`` rows, and an image for each."""
    labels = out / LABELS
    if not labels.is_file():
        raise DatasetError(f"expected {program} to write {labels}, found none")
    rows = parse_labels(labels.read_bytes(), f"{labels} from {program}")
    if len(rows) != count:
        raise DatasetError(f"{labels}: expected {count} images from {program}, received {len(rows)}")
    finder = Finder(out)
    for row in rows:
        name = plain_name(row.filename)
        if row.problem or name is None or not finder.path(name).is_file():
            wrong = row.problem or f"expected an image, received no file {row.filename!r}"
            raise DatasetError(f"{labels} from {program}, row {row.line}: {wrong}")
