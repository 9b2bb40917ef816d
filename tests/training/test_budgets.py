"""A training keeps its budget: so many steps and no more, or so many minutes with all that comes before the export."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from captcha_solver.models.bundle import load_bundle, shipped_bundles
from captcha_solver.training import loop, run
from captcha_solver.training.finishing.calibration import Calibration
from captcha_solver.training.progress import Interruption
from captcha_solver.training.recipes import few
from captcha_solver.training.recipes.few import FoldBudget, Plan, Share, what_is_left
from captcha_solver.training.run import TrainOptions
from captcha_solver.training.sources import Fold
from captcha_solver.training.task import Pair, Settled, TrainSettings
from captcha_solver.training.tasks.sliding import SlidingTask
from tests.training.recipes.test_few import labelled, task
from tests.training.tiny_task import BarsTask


class Clock:
    """Stands in for ``time.monotonic``: it goes on only when something takes time."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(time, "monotonic", made)
    return made


@dataclass
class SlowLearner:
    """Takes 0.7 s a step and 0.1 s an image read, and reads nothing right."""

    clock: Clock
    model: Any = None
    steps: int = 0
    reads: list[float] = field(default_factory=list)

    def step(self, images: Any, labels: Any, rate: float) -> float:
        self.steps, self.clock.now_s = self.steps + 1, self.clock.now_s + 0.7
        return 1.0

    def accuracy(self, heldout: Sequence[Pair], accuracy: Any) -> float:
        self.clock.now_s += 0.1 * sum(len(x) for x, _ in heldout)
        self.reads.append(self.clock.now_s)
        return 0.0

    def averaged(self) -> "SlowLearner":
        return self

    def go_on(self) -> None: ...

    def keep_best(self) -> None: ...

    def use_best(self) -> None: ...

    def state(self, progress: Any) -> Any:
        return None


def trained(clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **budget: Any) -> tuple[SlowLearner, float]:
    """The learner after a training of the tiny task, and the seconds that all before the export took."""
    learner, began = SlowLearner(clock), clock()
    monkeypatch.setattr(loop, "save_checkpoint", lambda *_: None)
    monkeypatch.setattr(loop, "draw_curves", lambda *_: None)
    build = BarsTask.heldout

    def heldout(self: BarsTask) -> Sequence[Pair]:
        clock.now_s += 4  # to draw them
        return build(self)

    monkeypatch.setattr(BarsTask, "heldout", heldout)
    ended: list[float] = []
    settings = TrainSettings(**budget)
    loop.train(
        BarsTask(),
        tmp_path / "out",
        settings,
        learner=learner,  # type: ignore[arg-type]
        end=lambda out, model, report: ended.append(clock() - began),  # type: ignore[arg-type,return-value]
    )
    return learner, ended[0]


@pytest.mark.parametrize("validate_every", [10**9, 10])
@pytest.mark.parametrize("minutes", [0.5, 1, 3])
def test_minutes_hold_for_all_that_comes_before_the_export(
    minutes: float, validate_every: int, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner, took_s = trained(clock, tmp_path, monkeypatch, minutes=minutes, validate_every=validate_every)
    assert 60 * minutes - 8 < took_s <= 60 * minutes + 0.7
    assert learner.steps > 5
    assert learner.reads[-1] == clock(), "the last thing is to read what is held out"


@pytest.mark.parametrize("steps", [1, 2, 7, 33])
def test_steps_are_taken_exactly_though_a_draw_has_several(
    steps: int, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner, _ = trained(clock, tmp_path, monkeypatch, max_steps=steps)
    assert learner.steps == steps


def test_no_time_at_all_is_one_step(clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    learner, _ = trained(clock, tmp_path, monkeypatch, minutes=0.001)
    assert learner.steps == 1


@pytest.mark.parametrize(
    ("asked", "minutes", "steps", "patience"),
    [
        (TrainOptions(), 10.0, None, 20),
        (TrainOptions(max_steps=5), None, 5, run.ENDLESS),
        (TrainOptions(minutes=3), 3, None, 20),
        (TrainOptions(minutes=3, max_steps=5), 3, 5, run.ENDLESS),
        (TrainOptions(max_steps=5, patience=2), None, 5, 2),
    ],
)
def test_steps_asked_for_alone_have_no_other_end(
    asked: TrainOptions, minutes: float | None, steps: int | None, patience: int
) -> None:
    settings = run.settings_for(asked, few.FEW_SETTINGS)
    assert (settings.minutes, settings.max_steps, settings.patience) == (minutes, steps, patience)


def plan(steps: int | None, elapsed_s: float, taken: int) -> Plan:
    return Plan(steps, Settled(Calibration(1.0, 1, 0.0, 0.0), {}), elapsed_s, taken)


@pytest.mark.parametrize(
    ("settings", "found", "minutes", "steps"),
    [
        ({"minutes": 10.0}, plan(70, 290, 300), 10 - 290 / 60, 70),
        ({"minutes": 10.0}, plan(None, 310, 300), 10 - 310 / 60, None),
        ({"max_steps": 20}, plan(2, 290, 9), None, 11),
        ({"minutes": 1.0}, plan(None, 100, 3), few.LEAST_MINUTES, None),
    ],
)
def test_the_training_on_all_labels_has_what_cross_validation_left(
    settings: dict[str, Any], found: Plan, minutes: float | None, steps: int | None
) -> None:
    left = what_is_left(TrainSettings(**settings), found)
    assert left.minutes == pytest.approx(minutes)
    assert left.max_steps == steps


def folds(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, **budget: Any) -> list[list[few.FoldReading]]:
    """The checks of all folds, each with a learner that takes 0.7 s a step, 3 s to be made, 1.1 s to read."""

    def made(*_: Any) -> SlowLearner:
        clock.now_s += 3
        return SlowLearner(clock)

    def predict(model: SlowLearner, images: Any) -> Any:
        clock.now_s += 0.1 * len(images)
        return np.zeros((len(images), 4, 63), np.float32)

    monkeypatch.setattr(few, "new_learner", made)
    monkeypatch.setattr(few, "predict", predict)
    monkeypatch.setattr(SlidingTask, "build", lambda self: None)
    monkeypatch.setattr(SlidingTask, "loss", lambda self: None)
    settings = TrainSettings(**budget)
    start = load_bundle(shipped_bundles()["sliding"])
    until = math.inf if settings.minutes is None else clock() + 60 * settings.minutes * few.FOLDS_SHARE
    made_task = task(labelled(tmp_path / "f", 33), Fold(0, few.FOLDS))
    (tmp_path / "out").mkdir()
    share = Share(settings, start, Interruption(), until)
    return [few._fold(made_task, k, tmp_path / "out", share) for k in range(few.FOLDS)]


@pytest.mark.parametrize("steps", [1, 5, 6, 20, 100])
def test_cross_validation_takes_a_sixth_of_the_steps_in_each_fold(
    steps: int, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = folds(tmp_path, clock, monkeypatch, max_steps=steps)
    assert [fold[-1].steps for fold in checks] == [steps // 6] * 3
    assert {len(fold) for fold in checks} == {few.CHECKS}
    taken = sum(fold[-1].steps for fold in checks)
    left = what_is_left(TrainSettings(max_steps=steps), plan(None, 0, taken))
    assert taken + (left.max_steps or 0) == steps


@pytest.mark.parametrize("minutes", [1.0, 3.0, 10.0])
def test_cross_validation_with_its_building_and_reading_ends_when_half_of_the_time_is_over(
    minutes: float, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = clock()
    checks = folds(tmp_path, clock, monkeypatch, minutes=minutes)
    assert 60 * minutes / 2 - 8 < clock() - began <= 60 * minutes / 2 + 0.7
    counts = [fold[-1].steps for fold in checks]
    assert max(counts) - min(counts) <= max(5, 0.2 * max(counts)), "each fold has about as much"


def test_a_fold_without_time_takes_one_step(clock: Clock) -> None:
    budget = FoldBudget(clock(), -5.0, None)
    assert budget.used(0) == 0
    assert budget.used(1) >= 1
