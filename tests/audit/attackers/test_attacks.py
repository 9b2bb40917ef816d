"""Attacks: what stock OCR says is read as it is meant, and whatever fails is an answer that is wrong."""

import shutil
import string
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from captcha_solver.audit.attackers import attacks
from captcha_solver.audit.attackers.attacks import (
    ATTACKS,
    AttackInputs,
    Ddddocr,
    Tesseract,
    accuracy,
    untrainable,
    words_of,
)
from captcha_solver.errors import SetupError
from captcha_solver.image import encode_png
from captcha_solver.models.bundle import load_bundle, shipped_bundles
from captcha_solver.models.save import amend_bundle
from captcha_solver.training.recipes.steps import Tuned
from captcha_solver.types import Reading, Sample, Solution
from tests.audit.fake_attackers import images

HEAD = "\t".join(
    "level page_num block_num par_num line_num word_num left top width height conf text".split()  # noqa: SIM905
)
NOTHING = AttackInputs((), None, 0, Path())


def row(conf: str, text: str) -> str:
    return "\t".join(["5", "1", "1", "1", "1", "1", "0", "0", "9", "9", conf, text])


@pytest.mark.parametrize(
    ("rows", "text", "sure"),
    [
        ([row("95.5", "a7K")], "a7K", 0.955),
        ([row("90", "a-7"), row("40", "K")], "a7K", 0.4),  # as sure as of the word that is least sure
        ([row("90", "a7"), row("10", "~")], "a7", 0.9),  # what holds no letter is no word
        ([row("-1", "ab")], "ab", 0.0),
        ([row("-1", "")], "", 0.0),
        ([], "", 0.0),
    ],
)
def test_the_words_that_tesseract_found(rows: list[str], text: str, sure: float) -> None:
    found, confidence = words_of("\n".join([HEAD, *rows]) + "\n")
    assert (found, round(confidence, 6)) == (text, sure)


@pytest.mark.parametrize(
    ("programs", "missing"), [({}, "apt-get install tesseract-ocr"), ({"tesseract": "/bin/tesseract"}, None)]
)
def test_tesseract_says_what_to_install(
    programs: dict[str, str], missing: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", programs.get)
    assert Tesseract().missing() == missing


def test_ddddocr_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attacks, "find_spec", lambda name: None)
    assert Ddddocr().missing() == "pip install ddddocr"


def output(text: str) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    return lambda *_, **__: subprocess.CompletedProcess([], 0, text.encode(), b"")


def hangs(*_: object, **__: object) -> None:
    raise subprocess.TimeoutExpired("tesseract", 20)


@pytest.mark.parametrize(
    ("run", "image", "text", "failure"),
    [
        (output(f"{HEAD}\n{row('80', 'ab')}\n"), None, "ab", None),
        (output(HEAD), None, "", "no text found"),
        (hangs, None, "", "TimeoutExpired: Command 'tesseract' timed out after 20 seconds"),
        (output(f"{HEAD}\n{row('80', 'ab')}\n"), b"junk", "", "image"),
    ],
)
def test_a_program_that_fails_has_not_solved(
    run: Callable[..., object], image: bytes | None, text: str, failure: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("subprocess.run", run)
    (sample,) = images(1)
    sample = Sample("a", image or sample.image, "ab", "own")
    (solution,) = Tesseract().prepare(0, NOTHING).read([sample])
    assert solution.reading.text == text
    assert (solution.failure is None) == (failure is None)
    assert (failure or "") in (solution.failure or "")


def test_the_shipped_models_read_plain_images_without_labels() -> None:
    samples = images(20)
    for name in ("sliding", "segmented"):
        prepared = ATTACKS[name].prepare(0, NOTHING)
        assert (accuracy(samples, prepared.read(samples), fold_case=True) or 0) > 0.8
        assert (prepared.core_s, prepared.train_accuracy, len(prepared.model_sha256)) == (0.0, None, 64)


def test_the_share_of_own_labels_that_is_read() -> None:
    samples = [Sample(str(i), b"", text, "own") for i, text in enumerate(["ab", "cd", "ef", "gh"])]
    read = [Solution(Reading(text, (), 1.0), "x", "", 1.0, None) for text in ["ab", "CD", "xx", ""]]
    assert accuracy(samples, read, fold_case=True) == 0.5
    assert accuracy(samples, read, fold_case=False) == 0.25
    assert accuracy([], [], fold_case=True) is None


def test_of_many_own_labels_the_first_are_read_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shipped = load_bundle(shipped_bundles()["segmented"])
    monkeypatch.setattr(attacks, "tune", lambda *_, **__: Tuned(shipped, 1.0))
    samples = images(12)
    wrong = [replace(each, text="none") for each in samples[:3]]
    monkeypatch.setattr(attacks, "MOST_RECALLED", 6)
    prepared = ATTACKS["segmented"].prepare(12, AttackInputs([*wrong, *samples[3:]], None, 0, tmp_path))
    assert prepared.train_accuracy == 0.5


@pytest.mark.parametrize("fold_case", [True, False])
def test_labels_in_the_other_case_leave_both_to_be_read(
    fold_case: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bundle = tmp_path / "tuned"
    shutil.copytree(shipped_bundles()["sliding"], bundle)
    tuned = amend_bundle(load_bundle(bundle), card={}, alphabet=string.ascii_lowercase + string.digits)
    monkeypatch.setattr(attacks, "tune", lambda *_, **__: Tuned(tuned, 1.0))
    samples = images(12)
    prepared = ATTACKS["sliding"].prepare(12, AttackInputs(samples, None, 0, tmp_path, fold_case=fold_case))
    text = "".join(solution.reading.text for solution in prepared.read(samples))
    assert (text == text.lower()) is not fold_case


def test_without_keras_nobody_is_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent() -> None:
        raise SetupError("Keras is not installed")

    assert untrainable() is None
    monkeypatch.setattr(attacks, "import_keras", absent)
    assert untrainable() == "pip install 'captcha-solver[train]'"


def test_results_that_cannot_be_told_from_the_images_are_learnt_as_they_are() -> None:
    blank = encode_png(np.full((60, 160, 3), 255, np.uint8))
    labelled = [Sample(str(number), blank, "12", "x") for number in range(20)]
    assert attacks._sums(labelled) == labelled
