"""The training loop: its schedule, its checkpoints, a tiny training that is interrupted and resumed."""

import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from captcha_solver.errors import BundleError, CaptchaSolverError, OptionError
from captcha_solver.models.bundle import MANIFEST, load_bundle
from captcha_solver.models.runtimes import OnnxRuntime
from captcha_solver.training.checkpoint import (
    Progress,
    State,
    load_checkpoint,
    remove_checkpoint,
    save_checkpoint,
)
from captcha_solver.training.finishing.calibration import right
from captcha_solver.training.finishing.curves import draw_curves
from captcha_solver.training.loop import schedule, train
from captcha_solver.training.run import TASKS, TrainOptions, TrainRequest, run
from captcha_solver.training.task import TrainSettings, as_float
from tests.paths import ROOT
from tests.training.tiny_task import BarsTask, MakeBars

SETTINGS = TrainSettings(max_steps=10)


@pytest.mark.parametrize(
    ("used", "factor"),
    [(0.0, 0.01), (0.05, 0.5), (0.1, 1.0), (0.55, 0.505), (1.0, 0.01), (1.7, 0.01)],
)
def test_the_rate_warms_up_and_falls_along_a_cosine(used: float, factor: float) -> None:
    assert schedule(used, 0.1) == pytest.approx(factor)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"max_steps": None}, "minutes or max_steps, received neither"),
        ({"minutes": 0}, "minutes above 0"),
        ({"max_steps": -1}, "max_steps above 0"),
        ({"batch": 0}, "batch above 0"),
        ({"learning_rate": -1e-3}, "learning_rate above 0"),
        ({"patience": 0}, "patience above 0"),
        ({"warmup": 1.0}, "warmup"),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, float], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        replace(SETTINGS, **wrong)  # type: ignore[arg-type]


def test_images_become_shares_of_full_ink() -> None:
    assert as_float(np.array([0, 51, 255], np.uint8)).tolist() == pytest.approx([0, 0.2, 1])
    assert as_float(np.array([0.5], np.float32)).dtype == np.float32


def state(step: int = 3) -> State:
    arrays = [np.arange(6, dtype=np.float32).reshape(2, 3), np.float32(2.5) * np.ones(1, np.float32)]
    progress = Progress(step=step, draw=2, elapsed_s=1.5, best_accuracy=0.25, history=({"step": 1, "loss": 2.0},))
    return State(progress, arrays, [np.array(7), *arrays], arrays[::-1])


def test_a_checkpoint_comes_back_as_it_went(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, state(1), "mine")
    save_checkpoint(tmp_path, state(), "mine")
    found = load_checkpoint(tmp_path, "mine")
    assert found is not None
    assert found.progress == state().progress
    for one, other in zip(
        [*found.weights, *found.optimizer, *found.average],
        [*state().weights, *state().optimizer, *state().average],
        strict=True,
    ):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
    assert found.best == []
    assert [p.name for p in (tmp_path / "checkpoint").iterdir()] == ["last.npz"]
    remove_checkpoint(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_no_checkpoint_is_a_fresh_start(tmp_path: Path) -> None:
    assert load_checkpoint(tmp_path, "mine") is None


@pytest.mark.parametrize(
    ("data", "message"), [(None, "made with other settings"), (b"broken", "expected a checkpoint in")]
)
def test_a_checkpoint_of_something_else_is_refused(tmp_path: Path, data: bytes | None, message: str) -> None:
    save_checkpoint(tmp_path, state(), "theirs")
    if data is not None:
        (tmp_path / "checkpoint" / "last.npz").write_bytes(data)
    with pytest.raises(BundleError, match=message):
        load_checkpoint(tmp_path, "mine")


def test_curves_are_a_picture(tmp_path: Path) -> None:
    rows = [{"step": 1, "loss": 2.0, "learning_rate": 0.1}, {"step": 2, "accuracy": 0.5}]
    draw_curves(rows, tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"route": "reading"}, f"{', '.join(TASKS)}, received 'reading'"),
        ({"sources": ()}, "a folder or a design to train on, received none"),
        ({"labels": 0}, "labels above 0, received 0"),
        ({"start_from": "nobody"}, r"expected a bundle folder .*nobody"),
        ({"route": "digits", "sources": ("a", "b")}, "one folder of digits, received 2"),
        ({"route": "digits", "sources": ("nowhere",)}, "nowhere: expected a folder"),
    ],
)
def test_a_request_that_cannot_be_met_is_refused(tmp_path: Path, change: dict[str, object], message: str) -> None:
    request = TrainRequest(("nowhere",), tmp_path / "out", "sliding", None, None, TrainOptions(max_steps=1))
    with pytest.raises(CaptchaSolverError, match=message):
        run(replace(request, **change))  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


def tiny(out: Path, stop_at: str = "") -> subprocess.CompletedProcess[str]:
    """Train the tiny task in a process of its own, stopped by SIGINT before draw ``stop_at``."""
    command = [sys.executable, "-m", "tests.training.tiny_task", str(out), stop_at]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)


STARTED_OVER = """
import numpy as np
from captcha_solver.training.checkpoint import Progress
from captcha_solver.training.learners import new_learner
from captcha_solver.training.loop import TrainSettings, as_float
from tests.training.tiny_task import BarsTask, MakeBars

task, batches = BarsTask(), [(as_float(x), y) for k in range(6) for x, y in MakeBars()(np.random.default_rng(k))]
learner = new_learner(task.build(), task.loss(), TrainSettings(max_steps=12, layer_decay=0.9), None)
start = learner.state(Progress()).weights
learner.try_out(batches[:2])
tried = learner.state(Progress())
same = [(a == b).all() for group in (tried.weights, tried.average) for a, b in zip(start, group, strict=True)]
ends = []
for _ in range(2):
    for x, y in batches:
        learner.step(x, y, 0.02)
    learner.keep_best()
    ends.append(learner.state(Progress()))
    learner.start_over()
    same.append(not learner.state(Progress()).best)
for name in ("weights", "optimizer", "average", "best"):
    one, other = (getattr(end, name) for end in ends)
    same += [np.allclose(a, b, atol=1e-5) for a, b in zip(one, other, strict=True)]
learnt = any((a != b).any() for a, b in zip(start, ends[0].weights, strict=True))
print(all(same), learnt, len(same) > 20)
"""


@pytest.mark.parametrize("backend", ["tensorflow", "torch"])
def test_a_learner_that_starts_over_is_as_at_first(backend: str) -> None:
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    environment = {**os.environ, "KERAS_BACKEND": backend}
    command = [sys.executable, "-c", STARTED_OVER]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["True"] * 3


@pytest.mark.slow
def test_a_training_interrupted_and_gone_on_with_ends_as_one_that_ran_through(tmp_path: Path) -> None:
    through = tiny(tmp_path / "through")
    assert through.returncode == 0, through.stderr
    stopped = tiny(tmp_path / "stopped", "13")
    assert stopped.returncode == 130, stopped.stderr
    assert stopped.stdout == "interrupted at step 28; run the same command again to resume"
    assert (tmp_path / "stopped" / "checkpoint" / "last.npz").is_file()
    assert not (tmp_path / "stopped" / MANIFEST).exists()
    on = tiny(tmp_path / "stopped")
    assert on.returncode == 0, on.stderr
    one, other = load_bundle(tmp_path / "through"), load_bundle(tmp_path / "stopped")
    assert one.card["training"]["steps"] == other.card["training"]["steps"] == 60
    rows = [json.loads(line) for line in (tmp_path / "stopped" / "train.log").read_text().splitlines()]
    assert [r["step"] for r in rows if "accuracy" in r] == [20, 40, 60]
    assert not (tmp_path / "stopped" / "checkpoint").exists()
    images, labels = MakeBars(32)(np.random.default_rng(9))[0]
    logits = [OnnxRuntime(bundle).run(as_float(images)) for bundle in (one, other)]
    np.testing.assert_allclose(logits[0], logits[1], atol=1e-3)
    assert right(logits[0], labels).mean() > 0.2  # guessing gives 0.04
    with pytest.raises(BundleError, match="holds a finished bundle already"):
        train(BarsTask(), tmp_path / "through", SETTINGS)
