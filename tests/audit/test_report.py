"""The report: computed again from the files of an audit it is the same, byte for byte; broken files are told of."""

import json
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from captcha_solver.audit.campaign import Campaign
from captcha_solver.audit.cells import BASE, UNLIMITED, Cell, Result, in_order, read_files
from captcha_solver.audit.facts import FACTS, Audited, Changed, Facts, read_facts
from captcha_solver.audit.findings.drift import Recovered
from captcha_solver.audit.findings.rows import AttackAndBudget, Effect
from captcha_solver.audit.pages import plots
from captcha_solver.audit.plan import ADAPTED_LABELS
from captcha_solver.audit.provenance import Provenance, backend_and_device
from captcha_solver.audit.report import Improved, build
from captcha_solver.audit.runner import LeftOut
from captcha_solver.audit.subjects.record import SubjectRecord
from captcha_solver.audit.subjects.subject import DesignSubject
from captcha_solver.audit.writing import write_facts
from captcha_solver.audit_settings import Prices
from captcha_solver.cli.main import main
from captcha_solver.report_files import BADGE_FILE, CELLS, HTML_FILE, JSON_FILE, SHEET_FILE, TRIALS
from captcha_solver.statistics import Rate
from tests.audit.audited import SMALL, audited, use_squinting
from tests.audit.fake_attackers import tiny
from tests.audit.results import result, solving

MADE = (JSON_FILE, HTML_FILE, BADGE_FILE)
FACTS_OF = Facts(
    design=Audited("d", "design", 400),
    provenance=Provenance(
        subject=SubjectRecord("design", "d"),
        seed=0,
        fold_case=True,
        budgets=(0, 20, 100),
        minutes=None,
        images_sha256="0" * 64,
        labelled=100,
        duplicates=0,
        version="1",
        python="3",
        platform="any",
        packages={},
        keras_backend=None,
        device="cpu",
        written_at="2026-01-01T00:00:00Z",
    ),
    fold_case=True,
    prices=Prices(),
)


@pytest.fixture(scope="module")
def audits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an audit of a design and one of a folder."""
    return audited(tmp_path_factory.mktemp("audits"), {"design", "folder"})


@pytest.fixture
def folder(audits: Path, tmp_path: Path) -> Path:
    """A copy of the audit of a folder."""
    return Path(shutil.copytree(audits / "folder", tmp_path / "copy"))


@pytest.mark.parametrize("kind", ["design", "folder"])
def test_a_report_computed_again_is_the_same(audits: Path, tmp_path: Path, kind: str) -> None:
    """From the facts, trials, cells and the contact sheet alone."""
    again = tmp_path / "again"
    again.mkdir()
    for name in (FACTS, TRIALS, CELLS, SHEET_FILE):
        shutil.copy(audits / kind / name, again)
    assert main(["report", str(again)]) == 0
    assert {each.name for each in again.iterdir()} == {FACTS, TRIALS, CELLS, SHEET_FILE, *MADE}
    for each in again.iterdir():
        assert each.read_bytes() == (audits / kind / each.name).read_bytes(), each.name


def test_a_changed_trial_changes_the_report(folder: Path) -> None:
    before = json.loads((folder / JSON_FILE).read_text("utf-8"))
    lines = (folder / TRIALS).read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    place = next(
        i for i, row in enumerate(rows) if row["cell"].startswith("sliding|20|") and row["text"] == row["truth"]
    )
    rows[place]["text"] = "-"
    (folder / TRIALS).write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    assert main(["report", str(folder)]) == 0
    after = json.loads((folder / JSON_FILE).read_text("utf-8"))

    def solved(report: dict[str, Any]) -> int:
        return next(int(row["solved"]) for row in report["attacks"] if (row["name"], row["labels"]) == ("sliding", 20))

    assert solved(after) == solved(before) - 1
    assert after["provenance"] == before["provenance"]  # the time of the audit among it


def test_without_a_contact_sheet_there_is_a_report_all_the_same(folder: Path) -> None:
    (folder / SHEET_FILE).unlink()
    assert main(["report", str(folder)]) == 0
    assert "data:image/png" not in (folder / HTML_FILE).read_text("utf-8")
    assert not (folder / SHEET_FILE).exists()


def test_an_audit_under_way_is_reported_on_and_left_alone(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The last line of its trials is half written."""
    with (folder / TRIALS).open("ab") as file:
        file.write(b'{"cell":"sliding|50|')
    before = (folder / TRIALS).read_bytes()
    assert main(["report", str(folder), "--format", "json"]) == 0
    assert (folder / TRIALS).read_bytes() == before
    assert json.loads(capsys.readouterr().out) == json.loads((folder / JSON_FILE).read_text("utf-8"))


def test_an_audit_that_was_interrupted_is_reported_on_as_far_as_it_got(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tell(stage: str, done: int, total: int, left_s: float) -> None:
        if stage == "each distortion at 5, adaptive attacker":
            raise KeyboardInterrupt

    use_squinting(monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        Campaign(DesignSubject(tiny()), SMALL, tmp_path, tell).run()
    assert main(["report", str(tmp_path)]) == 0
    report = json.loads((tmp_path / JSON_FILE).read_text("utf-8"))
    unaware = {row["condition"] for row in report["features"] if not row["adaptive"]}
    assert {"no lines", "no dots", "lines at 5", "dots at 5"} <= unaware
    assert {row["condition"] for row in report["features"] if row["adaptive"]} == {"no lines", "no dots"}
    assert all(row["legibility_change"] is not None for row in report["features"])


def test_an_audit_that_has_finished_nothing_has_nothing_to_say(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_facts(FACTS_OF, tmp_path)
    assert main(["report", str(tmp_path)]) == 0
    assert "Nothing was measured." in capsys.readouterr().out
    assert main(["report", str(tmp_path), "--fail-above", "0.5"]) == 1
    assert "whether too much is read is not known" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("form", "starts"), [("table", "attack "), ("json", "{"), ("markdown", "### shop: This design is broken")]
)
def test_the_forms_of_a_report(folder: Path, capsys: pytest.CaptureFixture[str], form: str, starts: str) -> None:
    assert main(["report", str(folder), "--format", form]) == 0
    assert capsys.readouterr().out.startswith(starts)


@pytest.mark.parametrize(("more", "code"), [(-1e-9, 1), (0.0, 0), (1e-9, 0)])
def test_a_rate_above_the_one_allowed_is_an_exit_code(folder: Path, more: float, code: int) -> None:
    rate = json.loads((folder / JSON_FILE).read_text("utf-8"))["within_budget"]["rate"]
    assert 0 < rate < 1
    assert main(["report", str(folder), "--fail-above", repr(rate + more)]) == code


Change = Callable[[Path], object]


def rewritten(name: str, change: Callable[[Any], Any]) -> Change:
    """A change to the JSON of a file."""

    def apply(folder: Path) -> None:
        known = json.loads((folder / name).read_text("utf-8"))
        (folder / name).write_text(json.dumps(change(known)), "utf-8")

    return apply


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda f: (f / FACTS).unlink(), "expected the folder of an audit, found no audit.json"),
        (lambda f: (f / FACTS).write_bytes(b"{"), "audit.json: expected JSON in UTF-8, received '{'"),
        (lambda f: (f / FACTS).write_bytes(b"\xff"), "audit.json: expected JSON in UTF-8"),
        (rewritten(FACTS, lambda _: []), "audit.json: expected an object, received a list"),
        (rewritten(FACTS, lambda k: {**k, "more": 1}), "audit.json: expected the fields design, provenance"),
        (rewritten(FACTS, lambda k: {**k, "prices": {}}), "prices: expected the field "),
        (rewritten(FACTS, lambda k: {**k, "flags": "none"}), "flags: expected a list, received text"),
        (
            rewritten(FACTS, lambda k: {**k, "legibility": {"a": "b"}}),
            "legibility[...]: expected a number, received text",
        ),
        (
            rewritten(FACTS, lambda k: {**k, "fold_case": 1}),
            "fold_case: expected true or false, received a whole number",
        ),
        (
            rewritten(FACTS, lambda k: {**k, "variants": {"a": {"severities": [["lines"]]}}}),
            "severities[0]: expected a list of length 2, received 1",
        ),
        (lambda f: (f / TRIALS).unlink(), "trials.jsonl: expected trials of"),
        (lambda f: (f / TRIALS).write_bytes(b"x\n"), "trials.jsonl, line 1: expected JSON in UTF-8, received 'x'"),
        (
            lambda f: (f / CELLS).write_bytes(b'{"n":1}\n'),
            "cells.jsonl, line 1: expected the field cell, received none",
        ),
    ],
)
def test_broken_files_end_in_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], change: Change, told: str
) -> None:
    before = {name: (folder / name).read_bytes() for name in MADE}
    change(folder)
    assert main(["report", str(folder)]) == 3
    said = capsys.readouterr()
    assert told in said.err
    assert said.err.count("\n") == 1
    assert said.out == ""
    assert {name: (folder / name).read_bytes() for name in MADE} == before


def test_a_folder_that_is_not_there_is_a_usage_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(tmp_path / "none")]) == 2
    assert "does not exist" in capsys.readouterr().err


def test_a_report_that_cannot_be_written_is_told_of(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, data: bytes) -> int:
        with self.open("wb") as file:
            file.write(data[:10])
        raise OSError(28, "No space left on device")

    before = {each.name for each in folder.iterdir()}
    monkeypatch.setattr(Path, "write_bytes", full)
    assert main(["report", str(folder)]) == 3
    assert "could not write the report (No space left on device); the trials are kept" in capsys.readouterr().err
    assert {each.name for each in folder.iterdir()} == before


def test_facts_are_read_as_they_were_written(tmp_path: Path) -> None:
    facts = replace(
        FACTS_OF,
        flags=("a",),
        variants={"no lines": Changed((("lines", 0),)), "other faces": Changed()},
        legibility={BASE: 0.25, "no lines": 0.5},
        drift=("other faces",),
        proposed="no lines",
        left_out=(LeftOut(Cell("sliding", 20, BASE, BASE, 1), "the time was up"),),
    )
    write_facts(facts, tmp_path)
    assert read_facts(tmp_path) == facts
    assert read_facts(tmp_path).to_json() == facts.to_json()


@pytest.mark.parametrize("kind", ["design", "folder"])
def test_files_of_a_real_audit_are_read_as_they_were_written(audits: Path, kind: str) -> None:
    folder = audits / kind
    assert read_facts(folder).to_json() == (folder / FACTS).read_text("utf-8")
    found = read_files(folder)
    assert found.whole
    assert list(found.results) == in_order(found.results)
    assert all(len(each.trials) > 30 for each in found.results)


def flags(results: list[Result], **changed: Any) -> list[str]:
    return list(build(replace(FACTS_OF, **changed), results).flags)


def test_nothing_to_mind_makes_no_flag() -> None:
    assert flags([result("sliding", 0, solving("x."))]) == []


@pytest.mark.parametrize(("tested", "flagged"), [(299, True), (300, False)])
def test_few_images_are_flagged_with_what_they_cannot_tell(tested: int, flagged: bool) -> None:
    told = "only 299 images were tested: nothing below 1.0 % can be told"
    assert flags([], design=Audited("d", "folder", tested)) == [told] * flagged


def test_a_rising_curve_is_flagged() -> None:
    rising = [result("sliding", 20, solving("." * 40)), result("sliding", 50, solving("x" * 20 + "." * 20))]
    assert flags(rising) == ["the curve of sliding still rises: its rate is a lower bound"]


@pytest.mark.parametrize(
    ("own", "condition", "trained_on", "flagged"),
    [
        (0.81, BASE, BASE, True),
        (0.79, BASE, BASE, False),
        (None, BASE, BASE, False),
        (1.0, "harder", "harder", False),
        (1.0, BASE, "harder", False),  # it reads another design worse: no wonder
    ],
)
def test_who_learns_by_heart_is_flagged(own: float | None, condition: str, trained_on: str, flagged: bool) -> None:
    taught = replace(result("sliding", 20, solving("x."), condition, trained_on), train_accuracy=own)
    told = "sliding with 20 labels reads 81% of its own labels, 50% of others"
    assert flags([taught]) == [told] * flagged


@pytest.mark.parametrize(("own", "flagged"), [([0.49], True), ([0.5], False), ([0.1, 0.6], False), ([None], False)])
def test_attackers_who_have_not_learnt_are_flagged(own: list[float | None], flagged: bool) -> None:
    taught = [replace(result(f"a{i}", 20, solving("x.")), train_accuracy=each) for i, each in enumerate(own)]
    assert (
        any(flag.startswith("no trained attacker reads even 50% of its own labels") for flag in flags(taught))
        is flagged
    )


def test_what_was_left_out_is_named_and_flagged() -> None:
    left_out = LeftOut(Cell("sliding", 20), "the time was up")
    report = build(replace(FACTS_OF, left_out=(left_out,)), [])
    assert report.left_out == (left_out,)
    assert report.flags == ("parts that were left out: 1, see the end of the report",)


def test_the_models_that_attacks_start_from_are_told_by_their_hashes() -> None:
    results = [
        replace(result("sliding", 0, solving("x")), model_sha256="a"),
        replace(result("sliding", 20, solving("x")), model_sha256="b"),
        result("tesseract", 0, solving("x")),
    ]
    assert build(FACTS_OF, results).provenance.models == {"sliding": "a"}


@pytest.mark.parametrize(("budgets", "solved"), [((0,), 1), ((0, 20), 2), ((0, 19), 1), ((0, 5000), 3)])
def test_the_budget_is_that_of_the_audit(budgets: tuple[int, ...], solved: int) -> None:
    results = [
        result("sliding", 0, solving("x...")),
        result("sliding", 20, solving("xx..")),
        result("sliding", 100, solving("xxx.")),
        result("sliding", UNLIMITED, solving("xxxx")),
    ]
    facts = replace(FACTS_OF, provenance=replace(FACTS_OF.provenance, budgets=budgets))
    within = build(facts, results).within_budget
    assert within is not None
    assert within.solved == solved


def test_the_matrix_of_a_changing_design() -> None:
    steps = (BASE, "a", "b")
    rates = {(BASE, BASE): "xxx.", (BASE, "a"): "x...", ("a", "a"): "xx..", ("a", "b"): "....", ("b", "b"): "xxxx"}
    results = [result("sliding", 50, solving(read), tested, taught) for (taught, tested), read in rates.items()]
    results.append(result("sliding", 20, solving("x..."), "a", "a"))
    drift = build(replace(FACTS_OF, drift=steps[1:]), results).drift
    assert drift is not None
    assert (drift.labels, drift.steps) == (50, steps)
    assert drift.matrix == ((0.75, 0.25, None), (None, 0.5, 0.0), (None, None, 1.0))
    assert drift.n == ((4, 4, None), (None, 4, 4), (None, None, 4))
    assert drift.ci95[0] == (Rate(3, 4).ci95, Rate(1, 4).ci95, None)
    assert drift.recovered == (Recovered("a", 0.75, 0.25, ((20, 0.25), (50, 0.5))),)  # of b not all was measured
    assert drift.must_change == "before 50 of its images may have been labelled"  # fewer were not tried


def test_a_design_must_change_before_the_first_attack_reads_it() -> None:
    results = [
        result("segmented", 0, solving("." * 100)),
        result("sliding", 0, solving("." * 100)),
        result("sliding", 99, solving("x" * 2 + "." * 98)),
        result("segmented", 9999, solving("x" * 3 + "." * 97)),
    ]
    report = build(replace(FACTS_OF, drift=("a",)), results)
    assert report.best == AttackAndBudget("segmented", 9999)
    assert report.drift is not None
    # to 1 %: sliding half of the way to log 100, segmented a third of the way to log 10,000
    assert report.drift.must_change == "before 9 of its images may have been labelled"


def test_what_the_advice_was_predicted_to_do_and_did() -> None:
    before = result("sliding", ADAPTED_LABELS, solving("x" * 80 + "." * 20))
    without = result("sliding", ADAPTED_LABELS, solving("x" * 80 + "." * 20), "no dots", "no dots")
    raised = result("sliding", ADAPTED_LABELS, solving("x" * 30 + "." * 70), "lines at 5", "lines at 5")
    together = result("sliding", ADAPTED_LABELS, solving("x" * 20 + "." * 80), "both", "both")
    facts = replace(
        FACTS_OF,
        variants={"no dots": Changed((("dots", 0),)), "lines at 5": Changed((("lines", 5),))},
        legibility={BASE: 0.5, "no dots": 0.6, "lines at 5": 0.3},
        proposed="both",
    )
    report = build(facts, [before, without, raised, together])
    assert [each.do for each in report.advice] == ["raise lines to 5", "remove dots"]
    assert report.improved is not None
    assert report.improved.predicted == pytest.approx(0.8 - 0.5 + 0)
    assert report.improved == Improved(
        condition="both",
        changes={"lines": 5.0, "dots": 0.0},
        before=0.8,
        predicted=report.improved.predicted,
        measured=0.2,
        ci95=Rate(20, 100).ci95,
        n=100,
    )
    assert build(replace(facts, proposed=None), [before, raised]).improved is None
    assert build(facts, [before, raised]).improved is None  # proposed, and left out


def test_only_a_design_that_can_be_changed_is_advised_on() -> None:
    everything = [result("sliding", 100, solving("x" * 100))]
    assert [each.do for each in build(FACTS_OF, everything).advice] == ["draw another design"]
    assert build(replace(FACTS_OF, design=Audited("d", "command", 400)), everything).advice == ()


def test_an_audit_of_the_same_name_may_be_another() -> None:
    same = replace(FACTS_OF, flags=("more is known now",), provenance=replace(FACTS_OF.provenance, written_at="later"))
    assert same.identity == FACTS_OF.identity
    for changed in (
        {"seed": 1},
        {"budgets": (0,)},
        {"images_sha256": "1" * 64},
        {"subject": SubjectRecord("folder", "d")},
    ):
        other = replace(FACTS_OF, provenance=replace(FACTS_OF.provenance, **changed))
        assert other.identity != FACTS_OF.identity, changed


def test_what_computes_is_that_of_the_keras_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    class Fake:
        class config:  # noqa: N801 - as Keras has it
            backend = staticmethod(lambda: "torch")

        class distribution:  # noqa: N801
            list_devices = staticmethod(lambda kind: ["gpu:0"] if kind == "gpu" else [])

    monkeypatch.setitem(sys.modules, "keras", Fake)
    assert backend_and_device() == ("torch", "gpu")
    monkeypatch.setattr(Fake.distribution, "list_devices", staticmethod(lambda kind: []))
    assert backend_and_device() == ("torch", "cpu")
    monkeypatch.delitem(sys.modules, "keras")
    assert backend_and_device() == (None, "cpu")


@pytest.mark.parametrize(
    ("share", "end"), [(0.0, 0.06), (0.06, 0.06), (0.061, 0.1), (0.27, 0.3), (0.41, 0.5), (0.7, 0.8), (0.81, 1.0)]
)
def test_the_axis_of_changes_ends_at_a_round_number(share: float, end: float) -> None:
    effect = Effect("lines", "removed", "no lines", "sliding", 0, False, 0.5, share, (0.0, share), None, 100)
    drawn = plots.feature_chart([effect])
    ticks = re.findall(r'text-anchor="middle">([^<]*)</text>', drawn)
    assert ticks == [f"{100 * t:+.0f}" if t else "0" for t in (-end, -end / 2, 0, end / 2, end)]


def test_the_names_over_the_matrix_have_room() -> None:
    long = "other faces, colours, and harder than before"
    drawn = plots.matrix_chart(["as it is", long], [[0.5, 0.5], [0.5, None]])
    (width, height) = map(int, re.findall(r'viewBox="0 0 (\d+) (\d+)"', drawn)[0])
    (x, y) = map(float, re.findall(r"translate\(([\d.]+),([\d.]+)\)", drawn)[-1])
    reach = plots.CHARACTER_PX * len(long)
    assert x + reach * 0.88 <= width
    assert y - reach * 0.47 >= 0
    assert height > y + 2 * 72
