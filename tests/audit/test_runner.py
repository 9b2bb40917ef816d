"""Cells within their minutes: what takes too long is left out and named, and the clock learns from what was done."""

import time
from pathlib import Path

import pytest

from captcha_solver.audit import runner
from captcha_solver.audit.attackers.attacks import ATTACKS, AttackInputs
from captcha_solver.audit.attackers.cell_runner import CellRunner
from captcha_solver.audit.attackers.perturb import PERTURBATIONS
from captcha_solver.audit.cells import Cell, Ledger, Result
from captcha_solver.audit.plan import Stage
from captcha_solver.audit.runner import Clock, LeftOut, do_cell, guess_s, rest_s, run_stages
from captcha_solver.audit.subjects.split import split
from captcha_solver.audit_settings import AuditSettings
from captcha_solver.errors import DatasetError, OptionError
from captcha_solver.training.recipes.steps import OutOfTimeError
from tests.audit.fake_attackers import images, shop, use_fakes

READ, TRAINED = Cell("sliding"), Cell("sliding", 20)


@pytest.fixture
def cell_runner(tmp_path: Path) -> CellRunner:
    settings = AuditSettings(budgets=(0, 20), tested=40)
    subject = shop(images(100))
    return CellRunner(subject, split(subject, labels=60, tested=40, seed=0), settings, tmp_path)


def test_guesses_of_what_cells_take(cell_runner: CellRunner) -> None:
    assert guess_s(READ, cell_runner) == 40 * 0.006
    assert guess_s(Cell("tesseract"), cell_runner) == 40 * 0.1
    assert guess_s(TRAINED, cell_runner) == 40 * 0.006 + 15 + 70 * 0.25
    assert guess_s(Cell("segmented", 20), cell_runner) == 40 * 0.05 + 15 + 70 * 0.06
    fgsm, pgd = PERTURBATIONS[0], PERTURBATIONS[-1]
    assert (fgsm.steps, pgd.steps) == (1, 10)
    assert guess_s(Cell("sliding", 0, fgsm.name), cell_runner) == pytest.approx(0.24 + 200 * 0.02)
    assert guess_s(Cell("sliding", 0, f"{pgd.name}, JPEG 75"), cell_runner) == pytest.approx(0.24 + 200 * 10 * 0.02)


def test_every_attack_has_its_guess(cell_runner: CellRunner) -> None:
    assert all(guess_s(Cell(name, 20 if attack.trains else 0), cell_runner) > 0 for name, attack in ATTACKS.items())


def test_the_clock_learns_what_cells_take() -> None:
    clock = Clock(None)
    assert clock.estimate_s(10, trained=True) == 10
    clock.learn(10, 30, trained=True)
    assert clock.estimate_s(10, trained=True) == 30
    clock.learn(10, 10, trained=True)
    assert clock.estimate_s(10, trained=True) == 20
    assert clock.estimate_s(10, trained=False) == 10  # reading is another matter


@pytest.mark.parametrize(("minutes", "kept_s"), [(10.0, 15), (1.0, 6)])
def test_some_time_is_kept_for_the_report(minutes: float, kept_s: float) -> None:
    assert Clock(minutes, began=100.0).ends_at == 100 + 60 * minutes - kept_s
    assert Clock(None).ends_at == float("inf")


def test_an_attacker_is_counted_as_trained_once(cell_runner: CellRunner) -> None:
    again = Cell("sliding", 20, "dots at 5")
    trained, read = guess_s(TRAINED, cell_runner), guess_s(READ, cell_runner)
    assert rest_s([TRAINED, again, READ], cell_runner, Clock(None)) == pytest.approx(trained + 2 * read)
    assert rest_s([TRAINED] + [Cell("sliding", n) for n in (50, 100, 200)], cell_runner, Clock(None)) > 150
    assert rest_s([TRAINED], cell_runner, Clock(0.5)) <= 27  # no longer than there is time


def test_what_does_not_fit_is_left_out_and_what_fits_is_done(
    cell_runner: CellRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_fakes(monkeypatch)
    ledger, clock = Ledger(tmp_path), Clock(1.0, began=time.monotonic() - 30)  # 24 s are left
    left = run_stages([Stage("all", (TRAINED, READ))], cell_runner, ledger, clock)
    assert [(each.cell, each.why) for each in left] == [(TRAINED, "needs about 33 s, and the time was up")]
    assert [each.cell for each in ledger.results] == [READ]


@pytest.mark.parametrize("error", [OptionError, DatasetError, OutOfTimeError])
def test_one_that_cannot_be_trained_is_left_out_and_teaches_the_clock_nothing(
    error: type[Exception], cell_runner: CellRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def arming(_: AttackInputs) -> None:
        raise error("expected other labels")

    use_fakes(monkeypatch, arming)
    clock = Clock(None)
    assert do_cell(TRAINED, cell_runner, clock) == LeftOut(TRAINED, "expected other labels")
    assert clock.estimate_s(10, trained=True) == 10


def test_a_training_is_told_when_it_must_be_done(cell_runner: CellRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[float] = []
    use_fakes(monkeypatch, lambda inputs: told.append(inputs.until))
    clock = Clock(100.0)
    assert isinstance(do_cell(TRAINED, cell_runner, clock), Result)
    assert told == [clock.began + 6000 - 15 - runner.EXPORT_S]


def test_progress_is_told_for_each_cell_and_at_the_end_of_each_stage(
    cell_runner: CellRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_fakes(monkeypatch)
    ledger, told = Ledger(tmp_path), list[tuple[str, int, int]]()
    seconds: list[float] = []

    def tell(stage: str, done: int, total: int, left_s: float) -> None:
        told.append((stage, done, total))
        seconds.append(left_s)

    ledger.add(cell_runner.do(READ))
    stages = [Stage("zero", (READ, Cell("segmented"))), Stage("curve", (TRAINED,))]
    assert run_stages(stages, cell_runner, ledger, Clock(None), tell, [Cell("sliding", 100)]) == []
    assert told == [("zero", 0, 1), ("zero", 1, 1), ("curve", 0, 1), ("curve", 1, 1)]
    assert seconds[0] > seconds[-1] > 0  # at the end there is still the later cell
