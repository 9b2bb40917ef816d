"""A whole audit: the same trials however it came to them, one folder for one audit, no claim without a measurement."""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from captcha_solver.audit import campaign as module
from captcha_solver.audit.attackers.attacks import AttackInputs
from captcha_solver.audit.campaign import Campaign
from captcha_solver.audit.cells import UNLIMITED, Cell, Ledger, Result
from captcha_solver.audit.plan import Stage
from captcha_solver.audit.report import Report
from captcha_solver.audit.runner import Clock, run_stages
from captcha_solver.audit.subjects.subject import DesignSubject, Subject, open_subject
from captcha_solver.audit_settings import AuditSettings, Scope
from captcha_solver.designs.load import load_design, parse_design
from captcha_solver.errors import OptionError, SetupError
from captcha_solver.image import encode_png
from captcha_solver.report_files import TRIALS
from captcha_solver.statistics import wilson
from tests.audit.fake_attackers import TINY, images, shop, tiny, use_fakes

SMALL = AuditSettings(budgets=(0, 20), tested=30)


def trials(out: Path) -> bytes:
    return (out / TRIALS).read_bytes()


def audit(subject: Subject, settings: AuditSettings, out: Path) -> Report:
    """The report; no image is perturbed, which takes a network."""
    return Campaign(subject, settings, out).run()


@pytest.fixture
def no_perturbation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "perturbation_stage", lambda pool: Stage("adversarial perturbation", ()))


def test_the_order_in_which_cells_are_done_does_not_show(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_perturbation: None
) -> None:
    use_fakes(monkeypatch)
    audit(DesignSubject(tiny()), SMALL, tmp_path / "one")
    backwards = Campaign(DesignSubject(tiny()), SMALL, tmp_path / "other")
    cell_runner = backwards.cell_runner()
    (tmp_path / "other").mkdir()
    ledger = Ledger(tmp_path / "other")
    while stages := backwards.due(cell_runner, ledger.results):
        turned = [replace(each, cells=each.cells[::-1]) for each in reversed(stages)]
        assert run_stages(turned, cell_runner, ledger, Clock(None)) == []
    ledger.settle()
    assert trials(tmp_path / "one") == trials(tmp_path / "other")


@pytest.mark.parametrize("after", [1, 3, 12])
def test_an_audit_that_was_cut_off_ends_with_the_same_trials(
    after: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_perturbation: None
) -> None:
    use_fakes(monkeypatch)
    audit(DesignSubject(tiny()), SMALL, tmp_path / "whole")

    def tell(*_: object) -> None:
        if len(Ledger(tmp_path / "cut").results) >= after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match=r"^interrupted; what is finished is kept; the same command resumes"):
        Campaign(DesignSubject(tiny()), SMALL, tmp_path / "cut", tell).run()
    known = Ledger(tmp_path / "cut").results
    assert len(known) == after
    with (tmp_path / "cut" / TRIALS).open("a") as file:
        file.write('{"cell":"slid')  # a trial that was being written
    added: list[Cell] = []
    add = Ledger.add

    def noting(self: Ledger, result: Result) -> None:
        added.append(result.cell)
        add(self, result)

    monkeypatch.setattr(Ledger, "add", noting)
    report = audit(DesignSubject(tiny()), SMALL, tmp_path / "cut")
    assert trials(tmp_path / "cut") == trials(tmp_path / "whole")
    assert not {each.cell for each in known} & set(added), "what is finished is not done again"
    assert len(known) + len(added) == len(Ledger(tmp_path / "whole").results)
    whole = json.loads((tmp_path / "whole" / "report.json").read_text())
    again = json.loads(report.to_json())
    assert (again["attacks"], again["features"]) == (whole["attacks"], whole["features"])


@pytest.mark.parametrize(
    ("subject", "settings", "said"),
    [
        (lambda: DesignSubject(replace(tiny(), name="other")), SMALL, 'name "other", received "tiny"; '),
        (lambda: DesignSubject(parse_design(TINY.replace("90", "91"), "x")), SMALL, "sha256 .*, received "),
        (lambda: DesignSubject(tiny()), replace(SMALL, seed=1), "seed 1, received 0"),
        (lambda: DesignSubject(tiny()), replace(SMALL, budgets=(0,)), r"budgets \[0\], received \[0, 20\]"),
        (lambda: DesignSubject(tiny()), replace(SMALL, fold_case=False), "fold_case false, received true"),
        (lambda: DesignSubject(tiny()), replace(SMALL, tested=31), "number of tested images 31, received 30"),
        (lambda: shop(images(75)), SMALL, 'kind "folder", received "design"'),
    ],
)
def test_a_folder_holds_one_audit(
    subject: Callable[[], Subject], settings: AuditSettings, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    no_perturbation: None,
) -> None:  # fmt: skip
    use_fakes(monkeypatch)
    first = replace(SMALL, scope=Scope.LABELS)
    audit(DesignSubject(tiny()), first, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    with pytest.raises(OptionError, match=f"expected a new folder, or that of the same audit: .*{said}"):
        audit(subject(), replace(settings, scope=Scope.LABELS), tmp_path)
    assert before == {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    audit(DesignSubject(tiny()), replace(first, minutes=5.0), tmp_path)  # the minutes may be others
    assert trials(tmp_path) == before[TRIALS]


def test_trials_of_nobody_knows_what_are_not_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_fakes(monkeypatch)
    (tmp_path / TRIALS).write_text("")
    with pytest.raises(OptionError, match=r"expected a new folder, received one with trials.jsonl and no audit.json"):
        audit(shop(images(75)), SMALL, tmp_path)


def test_a_folder_takes_the_budgets_that_it_has_and_says_which_were_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_perturbation: None
) -> None:
    use_fakes(monkeypatch)
    settings = replace(SMALL, budgets=(0, 20, 200, 1000), tested=40)
    report = audit(shop(images(100)), settings, tmp_path)
    tried = {(row.name, row.labels) for row in report.attacks if "ensemble" not in row.name}
    assert tried == {(name, labels) for name in ("sliding", "segmented") for labels in (0, 20, 60)}
    said = "budgets of 200, 1,000 labels were left out: 60 images are left to label; 60 labels were tried instead"
    assert said in report.flags


def test_thousands_of_labels_where_so_many_can_be_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_perturbation: None
) -> None:
    fakes = use_fakes(monkeypatch)
    audit(DesignSubject(tiny()), replace(SMALL, budgets=(0, 5000), scope=Scope.LABELS), tmp_path)
    assert fakes["sliding"].prepared == [(0, 0), (5000, 5000)]


def test_a_generator_is_given_as_a_design_to_train_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_perturbation: None
) -> None:
    given: list[str] = []

    def arming(inputs: AttackInputs) -> None:
        if inputs.design_file is not None:
            given.append(inputs.design_file.read_text(encoding="utf-8"))

    use_fakes(monkeypatch, arming)
    audit(DesignSubject(tiny()), SMALL, tmp_path)
    assert [parse_design(text, "again") for text in given] == [tiny()] * 2
    assert Cell("sliding", UNLIMITED) in Ledger(tmp_path)


def test_a_full_disk_is_one_clear_line_and_finished_cells_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_perturbation: None
) -> None:
    def arming(inputs: AttackInputs) -> None:
        if inputs.labelled:
            raise OSError(28, "No space left on device", str(inputs.folder / "labels"))

    use_fakes(monkeypatch, arming)
    with pytest.raises(SetupError, match=r"labels: No space left on device; what is finished is kept; the same"):
        audit(shop(images(75)), SMALL, tmp_path)
    assert [each.cell for each in Ledger(tmp_path).results] == [Cell("segmented"), Cell("sliding")]


def test_without_keras_the_attackers_that_need_none_attack_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("keras", "tensorflow"):
        monkeypatch.setitem(sys.modules, name, None)  # importing it raises ImportError
    report = audit(DesignSubject(tiny()), SMALL, tmp_path)
    rows = [row for row in report.attacks if row.name in ("sliding", "segmented")]
    assert [(row.name, row.labels, row.n) for row in rows] == [("segmented", 0, 30), ("sliding", 0, 30)]
    assert "no attacker was trained: pip install 'captcha-solver[train]'" in report.flags
    assert report.perturbation == ()
    assert {(row.labels, row.adaptive) for row in report.features} == {(0, False)}
    assert len(report.features) == 2 * 5 + 2 + 1  # each at 1 to 5 and without; both without


def test_a_null_design_is_broken_without_a_label(tmp_path: Path) -> None:
    subject = DesignSubject(load_design("plain"))
    report = audit(subject, AuditSettings(budgets=(0,), tested=60, scope=Scope.LABELS), tmp_path)
    assert {row.status for row in report.thresholds} == {"broken"}
    assert {(row.labels, row.bound) for row in report.thresholds} == {(0, "=")}
    assert not any((report.features, report.left_out))


def noise(rng: np.random.Generator) -> tuple[bytes, str]:
    """Pixels without meaning, and a text that has nothing to do with them."""
    text = "".join(np.array(list("abcdefghijklmnopqrstuvwxyz"))[rng.integers(26, size=5)])
    return encode_png(rng.integers(0, 256, (40, 120, 3), np.uint8)), text


def test_of_pure_noise_nothing_is_claimed(tmp_path: Path, no_perturbation: None) -> None:
    settings = AuditSettings(budgets=(0,), tested=120, scope=Scope.FULL)
    report = audit(open_subject(f"{__name__}:noise"), settings, tmp_path)
    upper = wilson(0, 120)[1]
    assert upper == pytest.approx(0.0310, abs=1e-4)  # z^2 / (n + z^2) = 3.8415 / 123.8415
    for row in report.attacks:
        assert (row.solved, row.n, row.ci95[0]) == (0, 120, 0.0)
        assert row.ci95[1] == pytest.approx(upper)
    assert {row.threshold: row.status for row in report.thresholds} == {
        0.0001: "undecided",
        0.01: "undecided",
        0.1: "holds",
    }
    assert not any((report.features, report.advice, report.curves, report.drift, report.improved))
    assert report.cost is not None
    assert report.cost.per_1000_correct is None
    assert not any("rises" in flag for flag in report.flags)


PLANTED = """
name = "planted"
[canvas]
width_px = 150
height_px = 50
[text]
charset = "upper+digits"
length = 5
[[distortion]]
kind = "swirl"
severity = 5
[[distortion]]
kind = "dots"
severity = 0.01
"""


def test_a_planted_effect_is_found_and_one_that_is_none_is_not(tmp_path: Path, no_perturbation: None) -> None:
    report = audit(DesignSubject(parse_design(PLANTED, "x")), AuditSettings(budgets=(0,), tested=60), tmp_path)
    removed = {row.name: row for row in report.features if row.what == "removed"}
    assert removed["swirl"].change > 0.2
    assert removed["swirl"].ci95[0] > 0
    assert removed["dots"].ci95[0] <= 0 <= removed["dots"].ci95[1]
    assert {row.name for row in report.features} == {"swirl", "dots", "swirl + dots"}
