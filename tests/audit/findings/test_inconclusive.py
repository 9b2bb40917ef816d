"""Audits that cannot conclude: each reason is found where it holds, and nowhere else."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from captcha_solver.audit import report
from captcha_solver.audit.campaign import Campaign
from captcha_solver.audit.findings.inconclusive import Reason, is_unlearnt, reasons
from captcha_solver.audit.pages import page
from captcha_solver.audit.subjects.subject import FolderSubject
from captcha_solver.audit_settings import AuditSettings, Scope
from captcha_solver.designs.drawing.draw import draw_batch
from captcha_solver.designs.load import load_design
from captcha_solver.image import encode_png
from tests.audit.results import Answer, result
from tests.audit.test_report import FACTS_OF
from tests.fakes import encoded

WRONG: list[Answer] = [("ab12", "cd34", 0.4)] * 40  # a design that is hard and nothing else
SUMS: list[Answer] = [("11", "3+8", 0.98), ("7", "25", 0.97), ("12", "4t8", 0.99), ("9", "36", 0.95)] * 10
PARTS: list[Answer] = [("ac", "abcd", 0.5), ("bd", "abcd", 0.6), ("12", "x1y2", 0.4), ("ad", "abcd", 0.3)] * 10
SHIFTED: list[Answer] = [("abcd", "efgh", 0.99), ("efgh", "ijkl", 0.98), ("ijkl", "abcd", 0.97)] * 14
FOREIGN: list[Answer] = [("привет", "npuBer", 0.4), ("ab", "ab", 0.9)] * 20


def found(*answers: list[Answer], animated: int = 0, own: float | None = None, fold_case: bool = True) -> list[str]:
    results = [result(f"a{place}", 0, each, train_accuracy=own) for place, each in enumerate(answers)]
    return [each.code for each in reasons(results, animated=animated, fold_case=fold_case)]


@pytest.mark.parametrize(
    ("answers", "codes"),
    [
        ([WRONG], []),
        ([SUMS], ["lengths"]),
        ([WRONG, SUMS], ["lengths"]),
        ([PARTS], ["inside"]),
        ([SHIFTED], ["at odds"]),
        ([FOREIGN], ["unwritable"]),
        ([[("ab12", "", 0.0)] * 40], []),
        ([[("ab12", "ab1", 0.5), ("cd34", "cd3", 0.4)] * 20], []),  # a letter is missed: the attacker's fault
        ([[("ab12", "ab1l2", 0.5), ("cd34", "cd4", 0.4), ("x", "x", 1.0), ("y", "z", 0.3)] * 10], []),
        ([[("ab12", "AB12", 0.99)] * 40], []),
    ],
)
def test_reasons_are_found_where_they_hold(answers: list[list[Answer]], codes: list[str]) -> None:
    assert found(*answers) == codes


def test_case_counts_where_it_is_told_apart() -> None:
    assert found([("ab12", "AB12", 0.99)] * 40, fold_case=False) == ["at odds"]


@pytest.mark.parametrize(("animated", "codes"), [(0, []), (11, []), (12, ["frames"]), (40, ["frames"])])
def test_animations_count_where_they_are_many(animated: int, codes: list[str]) -> None:
    assert found(WRONG, animated=animated) == codes


@pytest.mark.parametrize(("own", "codes"), [(None, []), (0.49, ["unlearnt"]), (0.5, [])])
def test_attackers_that_learnt_nothing_conclude_nothing(own: float | None, codes: list[str]) -> None:
    assert found(WRONG, own=own) == codes
    assert is_unlearnt([None, own]) == bool(codes)


def test_results_on_changed_designs_do_not_count() -> None:
    changed = [result("sliding", 0, SUMS, condition="no lines")]
    assert reasons(changed, animated=0, fold_case=True) == []


@pytest.mark.parametrize(
    ("answers", "said"),
    [(SUMS, "hardly ever as long"), (FOREIGN[::2] * 2, "can write"), (SHIFTED, "not to belong together")],
)
def test_the_headline_says_that_the_design_was_not_tested(answers: list[Answer], said: str) -> None:
    made = report.build(FACTS_OF, [result("sliding", 0, answers)])
    told = page.verdict(made)
    assert told.startswith("This design was not tested by these attacks")
    assert said in told
    assert "would test it" in told
    assert {row.status for row in made.thresholds} == {"undecided"}
    assert "not tested" in page.badge(made)
    assert said in page.markdown(made)
    assert said in page.html(made)


def test_what_was_broken_all_the_same_is_called_broken() -> None:
    made = report.build(replace(FACTS_OF, animated=400), [result("sliding", 0, [("ab", "ab", 0.9)] * 400)])
    assert made.inconclusive
    assert page.verdict(made).startswith("This design is broken")
    assert "broken" in page.badge(made)


def test_a_report_without_reasons_speaks_as_before() -> None:
    made = report.build(FACTS_OF, [result("sliding", 0, WRONG * 10)])
    assert made.inconclusive == ()
    assert page.verdict(made).startswith("No attack broke this design")
    older = json.loads(made.to_json())
    del older["inconclusive"]
    assert report.parse_report(json.dumps(older).encode()) == made


def sums(folder: Path) -> None:
    """Plain print that says a sum, labelled with its result."""
    rng = np.random.default_rng(1)
    pairs = rng.integers(10, 90, (60, 2)).tolist()
    drawings = draw_batch(load_design("plain"), [f"{a}X{b}" for a, b in pairs], rng)
    write(folder, [encode_png(each.image) for each in drawings], [str(a * b)[:3] for a, b in pairs])


def frames(folder: Path) -> None:
    """One letter a frame, and lines that move about, too many to read through."""
    rng = np.random.default_rng(2)
    images, labels = [], []
    for _ in range(60):
        noise = [Image.fromarray(rng.integers(0, 256, (60, 160, 3), dtype=np.uint8)) for _ in range(3)]
        images.append(encoded(noise[0], "GIF", save_all=True, append_images=noise[1:]))
        labels.append("".join(rng.choice(list("abcdefgh"), 4)))
    write(folder, images, labels)


def write(folder: Path, images: list[bytes], labels: list[str]) -> None:
    folder.mkdir()
    names = [f"{index:03d}.{'gif' if data[:3] == b'GIF' else 'png'}" for index, data in enumerate(images)]
    for name, data in zip(names, images, strict=True):
        (folder / name).write_bytes(data)
    rows = "".join(f"{name},{label}\n" for name, label in zip(names, labels, strict=True))
    (folder / "labels.csv").write_text(f"filename,label\n{rows}", encoding="utf-8")


@pytest.mark.parametrize(("draw", "code"), [(sums, "lengths"), (frames, "frames")])
def test_the_shipped_readers_conclude_nothing_from_such_folders(draw: object, code: str, tmp_path: Path) -> None:
    assert callable(draw)
    draw(tmp_path / "set")
    settings = AuditSettings(budgets=(0,), tested=40, scope=Scope.LABELS)
    made = Campaign(FolderSubject(tmp_path / "set"), settings, tmp_path / "out").run()
    assert code in [each.code for each in made.inconclusive]
    assert page.verdict(made).startswith("This design was not tested")


def test_reasons_are_told_with_what_would_test_the_design() -> None:
    assert reasons([result("a", 0, SUMS)], animated=0, fold_case=True) == [
        Reason(
            "lengths",
            "answers are hardly ever as long as their labels (0 of 40), such as '3+8' for '11': "
            "the labels seem not to say what is drawn",
            "labels with what is drawn (of a sum, the sum and not its result) would test it",
        )
    ]
