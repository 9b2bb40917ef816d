"""The ledger: what it keeps through crashes and full disks, what it drops, and what it refuses."""

import errno
import json
import os
from collections.abc import Callable
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from captcha_solver.audit.cells import (
    BASE,
    UNLIMITED,
    Cell,
    Ledger,
    LedgerEntry,
    Result,
    TrialRecord,
    read_files,
    trials_of,
)
from captcha_solver.errors import DatasetError, SetupError
from captcha_solver.records import parse_record
from captcha_solver.report_files import CELLS, TRIALS
from captcha_solver.types import Reading, Sample, Solution
from tests.audit.results import result, solving

FIRST = result("sliding", 20, solving("x.x"), train_core_s=3.5, ms_per_solve=1.25)
SECOND = result("segmented", 0, [("ä\u2028b", "a\u2028b", 0.25), ("七", "", 0.0)])


def kept(folder: Path) -> dict[Cell, Result]:
    return {each.cell: each for each in Ledger(folder).results}


def raw(folder: Path) -> tuple[bytes, bytes]:
    return (folder / TRIALS).read_bytes(), (folder / CELLS).read_bytes()


@pytest.fixture
def both(tmp_path: Path) -> Path:
    """A folder with two finished cells."""
    ledger = Ledger(tmp_path)
    ledger.add(FIRST)
    ledger.add(SECOND)
    return tmp_path


def test_outcomes_pair_what_was_asked_with_what_was_read() -> None:
    cell = Cell("x", 20)
    samples = [Sample("a.png", b"", "ab", "d"), Sample("b.png", b"", "cd", "d")]
    answers = [
        Solution(Reading("ab", (), 0.12345678), "x", "", 5.0),
        Solution(Reading("", (), 0.0), "x", "", 5.0, "no text found"),
    ]
    assert trials_of(cell, samples, answers) == [
        TrialRecord("x|20|as it is|as it is|0", "a.png", "ab", "ab", 0.123457, None),
        TrialRecord("x|20|as it is|as it is|0", "b.png", "cd", "", 0.0, "no text found"),
    ]


@pytest.mark.parametrize(
    ("truth", "text", "folded", "exact"),
    [("aB", "aB", True, True), ("aB", "Ab", True, False), ("aB", "ab ", False, False), ("", "", False, False)],
)
def test_when_an_image_is_solved(truth: str, text: str, folded: bool, exact: bool) -> None:
    trial = TrialRecord("x", "a.png", truth, text, 0.5, None)
    assert (trial.solved(fold_case=True), trial.solved(fold_case=False)) == (folded, exact)


def test_a_ledger_reads_what_it_wrote(both: Path) -> None:
    assert kept(both) == {FIRST.cell: FIRST, SECOND.cell: SECOND}
    assert FIRST.cell in Ledger(both)
    assert Ledger(both)[SECOND.cell] == SECOND
    assert Cell("sliding", 50) not in Ledger(both)


def test_a_line_is_one_line_whatever_is_in_it(both: Path) -> None:
    trials, cells = raw(both)
    assert (trials.count(b"\n"), cells.count(b"\n")) == (5, 2)
    rows = [json.loads(line) for line in trials.decode().split("\n")[:-1]]
    assert [set(row) for row in rows] == [{each.name for each in fields(TrialRecord)}] * 5
    assert set(json.loads(cells.split(b"\n")[0])) == {each.name for each in fields(LedgerEntry)}


def test_a_cell_is_written_once(both: Path) -> None:
    before = raw(both)
    Ledger(both).add(FIRST)
    assert raw(both) == before


def test_settled_files_do_not_depend_on_the_order(both: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other")
    ledger = Ledger(other)
    ledger.add(SECOND)
    ledger.add(FIRST)
    assert raw(other) != raw(both)
    ledger.settle()
    Ledger(both).settle()
    assert raw(other) == raw(both)


@pytest.mark.parametrize("settled", [False, True])
def test_cells_and_their_trials_are_written_in_order(tmp_path: Path, settled: bool) -> None:
    """As they are finished; settled, fewest labels first. The trials of a cell stay as its images were asked."""
    third = result("sliding", 5, [("c", "c", 0.1), ("a", "b", 0.2), ("b", "b", 0.3)])
    shuffled = replace(third, trials=[third.trials[i] for i in (2, 0, 1)])
    ledger = Ledger(tmp_path)
    for each in (FIRST, shuffled, SECOND):
        ledger.add(each)
    if settled:
        ledger.settle()
    in_turn = [SECOND, shuffled, FIRST] if settled else [FIRST, shuffled, SECOND]
    trials, cells = (([json.loads(line) for line in part.decode().split("\n")[:-1]]) for part in raw(tmp_path))
    assert [each["cell"]["labels"] for each in cells] == [each.cell.labels for each in in_turn]
    assert [(each["cell"], each["sample"]) for each in trials] == [
        (each.cell.id, trial.sample) for each in in_turn for trial in each.trials
    ]
    assert [each.cell.labels for each in Ledger(tmp_path).results] == [0, 5, 20]
    assert list(Ledger(tmp_path)[shuffled.cell].trials) == list(shuffled.trials)


def test_fewest_labels_come_first_and_a_generator_last() -> None:
    cells = [Cell("a", UNLIMITED), Cell("b", 1000), Cell("b", 20), Cell("a", 20), Cell("a", 0, "z"), Cell("a", 0, BASE)]
    ordered = sorted(cells, key=lambda cell: cell.order)
    assert [(cell.attack, cell.labels, cell.condition) for cell in ordered] == [
        ("a", 0, BASE),
        ("a", 0, "z"),
        ("a", 20, BASE),
        ("b", 20, BASE),
        ("b", 1000, BASE),
        ("a", UNLIMITED, BASE),
    ]


@pytest.mark.parametrize("name", [TRIALS, CELLS])
@pytest.mark.parametrize("back", [1, 2, 10])
def test_a_last_line_that_was_cut_off_is_dropped_and_can_be_written_after(both: Path, name: str, back: int) -> None:
    size = (both / name).stat().st_size
    os.truncate(both / name, size - back)
    if name == TRIALS:  # then its cell was not finished either
        os.truncate(both / CELLS, len(raw(both)[1].split(b"\n")[0]) + 1)
    assert kept(both) == {FIRST.cell: FIRST}
    Ledger(both).add(SECOND)
    assert kept(both) == {FIRST.cell: FIRST, SECOND.cell: SECOND}


def test_half_of_the_first_line_is_no_trial(tmp_path: Path) -> None:
    (tmp_path / TRIALS).write_bytes('{"cell":"ä'.encode()[:-1])  # within a character
    Ledger(tmp_path).add(FIRST)
    assert kept(tmp_path) == {FIRST.cell: FIRST}


def test_trials_of_a_cell_that_was_not_finished_are_dropped(both: Path) -> None:
    os.truncate(both / CELLS, len(raw(both)[1].split(b"\n")[0]) + 1)
    found = read_files(both)
    assert (found.results, found.whole) == ([FIRST], False)
    assert raw(both)[0].count(b"\n") == 5  # reading alone writes nothing
    Ledger(both)
    assert raw(both)[0].count(b"\n") == 3
    assert read_files(both).whole


@pytest.mark.parametrize("spared", [0, 1])
def test_a_full_disk_keeps_what_was_done(both: Path, monkeypatch: pytest.MonkeyPatch, spared: int) -> None:
    """``spared``: files that can still be written before the disk is full."""
    ledger, before, third = Ledger(both), raw(both), result("sliding", 50, solving("xxx"))
    fill_disk(monkeypatch, spared)
    with pytest.raises(SetupError, match=r"could not write .No space left on device.; finished cells are kept"):
        ledger.add(third)
    monkeypatch.undo()
    assert third.cell not in ledger
    assert raw(both) == before  # not half of a line
    ledger.add(third)
    assert set(kept(both)) == {FIRST.cell, SECOND.cell, third.cell}


def test_a_full_disk_does_not_keep_the_files_from_being_read(both: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = raw(both)

    def full(self: Path, data: bytes) -> int:
        with self.open("wb") as file:
            file.write(data[: len(data) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    ledger = Ledger(both)
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(SetupError, match="No space left"):
        ledger.settle()
    assert raw(both) == before
    assert sorted(each.name for each in both.iterdir()) == [CELLS, TRIALS]  # nothing half written is left behind


def fill_disk(patch: pytest.MonkeyPatch, spared: int) -> None:
    """Have the disk be full once ``spared`` files are on it: what is in them by then stays."""
    sync, synced = os.fsync, []

    def full(descriptor: int) -> None:
        sync(descriptor)
        synced.append(descriptor)
        if len(synced) > spared:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    patch.setattr(os, "fsync", full)


Change = Callable[[list[dict[str, Any]]], object]


@pytest.mark.parametrize(
    ("name", "change", "told"),
    [
        (TRIALS, lambda rows: rows.pop(), "expected trials of 2 images in cell segmented|0|"),
        (TRIALS, lambda rows: rows.append(rows[0]), "received 4 of 3 images"),
        (TRIALS, lambda rows: rows[0].pop("text"), "line 1: expected the field text, received none"),
        (TRIALS, lambda rows: rows[1].update(more=1), "line 2: expected the fields cell, sample, truth"),
        (TRIALS, lambda rows: rows[2].update(confidence="1"), "line 3: confidence: expected a number, received text"),
        (TRIALS, lambda rows: rows[2].update(confidence=True), "confidence: expected a number, received true or false"),
        (TRIALS, lambda rows: rows[2].update(confidence=float("nan")), "line 3: expected JSON in UTF-8, received"),
        (TRIALS, lambda rows: rows[2].update(truth=None), "truth: expected text, received nothing"),
        (CELLS, lambda rows: rows.append(rows[0]), "expected each cell once, received sliding|20|"),
        (CELLS, lambda rows: rows[0].update(n=4), "expected trials of 4 images in cell sliding|20|"),
        (CELLS, lambda rows: rows[0].update(n=3.0), "line 1: n: expected a whole number, received a number"),
        (
            CELLS,
            lambda rows: rows[0]["cell"].update(labels="20"),
            "cell.labels: expected a whole number, received text",
        ),
        (CELLS, lambda rows: rows[1].update(cell=[]), "line 2: cell: expected an object, received a list"),
    ],
)
def test_files_that_were_tampered_with_are_refused(both: Path, name: str, change: Change, told: str) -> None:
    rows = [json.loads(line) for line in (both / name).read_text("utf-8").split("\n")[:-1]]
    change(rows)
    (both / name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    with pytest.raises(DatasetError) as error:
        Ledger(both)
    assert told in str(error.value)
    assert str(both / name) in str(error.value) or name == CELLS  # whose number of trials it is that is missed
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("line", [b"{", b"[]", b"\xff\xfe", b"null", b"", b"1" * 5000])
def test_a_line_that_is_no_trial_is_named(both: Path, line: bytes) -> None:
    (both / TRIALS).write_bytes(line + b"\n" + raw(both)[0])
    with pytest.raises(DatasetError, match="line 1: ") as error:
        Ledger(both)
    assert len(str(error.value)) < 400


def test_a_missing_file_is_missed(both: Path) -> None:
    (both / TRIALS).unlink()
    with pytest.raises(DatasetError, match=r"expected trials of 3 images in cell .*, received 0 of 0 images"):
        Ledger(both)


@given(
    st.builds(
        TrialRecord,
        cell=st.text(),
        sample=st.text(),
        truth=st.text(),
        text=st.text(),
        confidence=st.floats(0, 1),
        failure=st.none() | st.text(),
    )
)
def test_any_outcome_survives_its_line(trial: TrialRecord) -> None:
    line = json.dumps(asdict(trial), ensure_ascii=False)
    assert parse_record(TrialRecord, line.encode()) == trial
