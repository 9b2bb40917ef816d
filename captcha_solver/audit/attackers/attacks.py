"""The attacks: each a way to read a design's images with a budget, behind one small protocol."""

import math
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from captcha_solver.attempt import attempt
from captcha_solver.audit.cells import UNLIMITED
from captcha_solver.errors import DatasetError, SetupError
from captcha_solver.image import encode_png, read_image
from captcha_solver.models.bundle import load_bundle, shipped_bundles
from captcha_solver.models.runtimes import import_keras
from captcha_solver.solver import CHUNK, NO_TEXT, Solver, load_solver
from captcha_solver.training.recipes.steps import Tuned, steps_for, tune
from captcha_solver.types import Reading, Sample, Solution

TESSERACT_S = 20.0
UNSURE = 0.0  # the confidence of who tells none: of several answers, theirs is the last to be taken
UNLIMITED_STEPS = 700
UNLIMITED_IMAGES = 5000  # of a generator that can only be run, not trained on as it draws
MOST_RECALLED = 200  # own labels that are read again: more would tell nothing new, and take minutes


@dataclass(frozen=True, slots=True)
class AttackInputs:
    """What an attacker has: labelled images, or a design to draw from (its TOML file); a folder to work in.

    ``until`` (``time.monotonic``): when their training has to be done.
    """

    labelled: Sequence[Sample]
    design_file: Path | None
    seed: int
    folder: Path
    fold_case: bool = True
    answer: str | None = None
    infer: bool = False
    until: float = math.inf


@dataclass(frozen=True, slots=True)
class PreparedAttack:
    """An attacker ready to read images, and what it took to prepare them."""

    read: Callable[[Sequence[Sample]], list[Solution]]
    model_sha256: str = ""
    core_s: float = 0.0
    train_accuracy: float | None = None


class Attack(Protocol):
    """A way to attack. ``trains``: whether labels make it better."""

    @property
    def name(self) -> str: ...

    @property
    def trains(self) -> bool: ...

    def missing(self) -> str | None:
        """What is not installed; None where the attack can be made."""
        ...

    def prepare(self, labels: int, inputs: AttackInputs) -> PreparedAttack:
        """Ready with ``labels`` labels (``UNLIMITED``: a generator)."""
        ...


@dataclass(frozen=True, slots=True)
class ModelAttack:
    """A shipped model as it is, or trained further on what the attacker has."""

    name: str
    trains: bool = True

    def missing(self) -> str | None:
        return None

    def prepare(self, labels: int, inputs: AttackInputs) -> PreparedAttack:
        if labels == 0:
            solver = load_solver(self.name, runtime="onnx")
            return PreparedAttack(_solving(solver, inputs.infer), solver.recognizer.model_sha256)
        if inputs.answer == "result" and inputs.labelled:
            inputs = replace(inputs, labelled=_sums(inputs.labelled))
        tuned = self._trained(labels, inputs)
        read = _solving(load_solver(tuned.bundle.path, runtime="onnx", fold_case=inputs.fold_case), inputs.infer)
        recalled = inputs.labelled[:MOST_RECALLED]
        own = accuracy(recalled, read(recalled), fold_case=inputs.fold_case)
        return PreparedAttack(read, tuned.bundle.sha256, tuned.core_s, own)

    def _trained(self, labels: int, inputs: AttackInputs) -> Tuned:
        if labels == UNLIMITED:
            steps = UNLIMITED_STEPS
            source = inputs.labelled if inputs.design_file is None else str(inputs.design_file)
        else:
            steps, source = steps_for(labels), inputs.labelled
        how = {"steps": steps, "seed": inputs.seed}
        return tune(self.name, source, inputs.folder, **how, until=inputs.until)


@dataclass(frozen=True, slots=True)
class Tesseract:
    """Tesseract, as one line of text, letters and digits alone: what anybody can run at once.

    It is as sure of an answer as of the word that it is least sure of.
    """

    name: str = "tesseract"
    trains: bool = False

    def missing(self) -> str | None:
        return None if shutil.which("tesseract") else "apt-get install tesseract-ocr"

    def prepare(self, labels: int, inputs: AttackInputs) -> PreparedAttack:
        return PreparedAttack(lambda samples: [_timed(self.name, self._read, sample) for sample in samples])

    def _read(self, image: bytes) -> tuple[str, float]:
        png = encode_png(read_image(image))
        done = subprocess.run(
            ["tesseract", "stdin", "stdout", "--psm", "7", "tsv"],
            input=png, capture_output=True, timeout=TESSERACT_S, env={**os.environ, "OMP_THREAD_LIMIT": "1"},
        )  # fmt: skip
        return words_of(done.stdout.decode("utf-8", "replace"))


@dataclass(frozen=True, slots=True)
class Ddddocr:
    """ddddocr, where it is installed beside this package. It does not say how sure it is."""

    name: str = "ddddocr"
    trains: bool = False

    def missing(self) -> str | None:
        return None if find_spec("ddddocr") else "pip install ddddocr"

    def prepare(self, labels: int, inputs: AttackInputs) -> PreparedAttack:
        import ddddocr

        reader: Any = ddddocr.DdddOcr(show_ad=False)

        def read(image: bytes) -> tuple[str, float]:
            return str(reader.classification(encode_png(read_image(image)))), UNSURE

        return PreparedAttack(lambda samples: [_timed(self.name, read, sample) for sample in samples])


STOCK: tuple[Attack, ...] = (Tesseract(), Ddddocr())
MODELS: tuple[Attack, ...] = (ModelAttack("segmented"), ModelAttack("sliding"))
ATTACKS: dict[str, Attack] = {attack.name: attack for attack in (*STOCK, *MODELS)}


def _sums(labelled: Sequence[Sample]) -> Sequence[Sample]:
    """Images labelled with results, labelled with the sums that give them, as the shipped model reads them.

    Where it reads hardly any, an attacker has the results alone, and learns those.
    """
    from captcha_solver.training.recipes.sums import LIKELY, expressions_in

    reader = load_bundle(shipped_bundles()["sliding"])
    try:
        return [each.sample for each in expressions_in(labelled, reader) if each.posterior >= LIKELY]
    except DatasetError:
        return labelled


def accuracy(labelled: Sequence[Sample], solutions: Sequence[Solution], *, fold_case: bool) -> float | None:
    """The share 0-1 of labelled images that were read; None of no images."""
    fold = str.casefold if fold_case else str
    right = [fold(a.text) == fold(b.text) for a, b in zip(labelled, solutions, strict=True)]
    return sum(right) / len(right) if right else None


def untrainable() -> str | None:
    """What must be installed before an attacker can be trained; None where that is so already."""
    try:
        import_keras()
    except SetupError:
        return "pip install 'captcha-solver[train]'"
    return None


def words_of(tsv: str) -> tuple[str, float]:
    """Letters and digits of the words in Tesseract's TSV, and the least confidence among those words, 0-1."""
    rows = [line.split("\t") for line in tsv.splitlines()[1:]]
    words = [(row[11], float(row[10])) for row in rows if len(row) == 12 and any(map(str.isalnum, row[11]))]
    text = "".join(char for word, _ in words for char in word if char.isalnum())
    return text, min((max(sure, 0.0) / 100 for _, sure in words), default=UNSURE)


def _solving(solver: Solver, infer: bool) -> Callable[[Sequence[Sample]], list[Solution]]:
    def read(samples: Sequence[Sample]) -> list[Solution]:
        told = solver.inferring([sample.image for sample in samples]) if infer else solver
        parts = [samples[start : start + CHUNK] for start in range(0, len(samples), CHUNK)]
        return [each for part in parts for each in told.solve_batch([sample.image for sample in part])]

    return read


def _timed(name: str, read: Callable[[bytes], tuple[str, float]], sample: Sample) -> Solution:
    """One answer, (text, confidence), of another program."""
    began = time.perf_counter()
    answer = attempt(_guarded(read), sample.image)
    text, sure = answer.value or ("", UNSURE)
    failure = answer.failure or (None if text else NO_TEXT)
    elapsed_ms = 1000 * (time.perf_counter() - began)
    return Solution(Reading(text, (), sure), name, "", elapsed_ms, failure)


def _guarded(read: Callable[[bytes], tuple[str, float]]) -> Callable[[bytes], tuple[str, float]]:
    """``read`` with another program's errors as ours."""
    from captcha_solver.errors import ImageError

    def guarded(image: bytes) -> tuple[str, float]:
        try:
            return read(image)
        except ImageError:
            raise
        except Exception as error:
            raise ImageError(f"{type(error).__name__}: {error}") from error

    return guarded
