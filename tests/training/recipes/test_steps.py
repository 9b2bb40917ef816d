"""Training an attacker: as many steps as labels deserve, within the time, and the same one every time."""

import json
import math
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from captcha_solver.models.bundle import load_bundle, shipped_bundles
from captcha_solver.models.runtimes import import_keras
from captcha_solver.training.checkpoint import Progress
from captcha_solver.training.recipes import steps as tuning
from captcha_solver.training.recipes.few_labels import BATCH
from captcha_solver.training.recipes.steps import OutOfTimeError, StepWatch, steps_for, tune
from captcha_solver.training.task import TrainSettings
from captcha_solver.training.tasks.sliding import LONGEST_LABEL, SlidingTask
from tests.audit.fake_attackers import images
from tests.paths import ROOT


@pytest.mark.parametrize(
    ("labels", "steps"),
    [(1, 40), (10, 40), (20, 70), (40, 100), (80, 130), (100, 140), (5000, 309)],  # 40 + 30 log2(labels / 10)
)
def test_each_doubling_of_the_labels_takes_a_little_longer(labels: int, steps: int) -> None:
    assert steps_for(labels) == steps


def test_a_training_ends_when_the_time_is_up(tmp_path: Path) -> None:
    late, early = (StepWatch(tmp_path, time.monotonic() + seconds) for seconds in (-1, 1000))
    with early as watch:
        watch.update(0.5, Progress(step=3), 1.0)
    with pytest.raises(OutOfTimeError, match="the time was up when 50% of its training was done"):
        late.update(0.5, Progress(step=3), 1.0)


# Run as a process of its own each time: names, hashes and threads are others there.
SOURCE = """
import hashlib, json, sys
from pathlib import Path
from captcha_solver.audit.attackers.attacks import ATTACKS, AttackInputs
from captcha_solver.audit.attackers import attacks
from tests.audit.fake_attackers import images

if __name__ == "__main__":
    attacks.steps_for = lambda labels: 8
    found = {}
    for name in sys.argv[2:]:
        route, design = name.split("-")
        folder = Path(sys.argv[1]) / name
        folder.mkdir(parents=True)
        prepared = ATTACKS[route].prepare(12, AttackInputs(images(12, design), None, 0, folder))
        read = [(each.text, each.confidence) for each in prepared.read(images(30, "crowded"))]
        found[name] = hashlib.sha256(json.dumps(read).encode()).hexdigest()
    print(json.dumps(found))
"""


@pytest.mark.slow
def test_the_same_seed_makes_the_same_attacker_whoever_was_trained_before(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(SOURCE)
    root = ROOT
    found, asked = [], "sliding-crowded"
    for name, trained in (("one", [asked]), ("other", ["sliding-plain", asked])):
        argv = [sys.executable, str(script), str(tmp_path / name), *trained]
        done = subprocess.run(argv, cwd=root, env={"PYTHONPATH": str(root), "PATH": ""}, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
        found.append(json.loads(done.stdout)[asked])
    assert found[0] == found[1]


@pytest.mark.slow
def test_what_is_traced_at_first_serves_images_of_every_width(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the trace, and the last bits of the weights, would be those of the widths that came first."""
    keras: Any = import_keras()
    traced: list[object] = []

    class Loss(keras.losses.CTC):  # type: ignore[misc]  # Keras is loaded at run time
        def call(self, labels: Any, logits: Any) -> Any:
            traced.append(logits.shape)
            return super().call(labels, logits)

    monkeypatch.setattr(tuning, "_LEARNERS", {})
    monkeypatch.setattr(SlidingTask, "loss", lambda _: Loss())
    start = load_bundle(shipped_bundles()["sliding"])
    task = SlidingTask.from_sources(("plain",), labels=None, batch=BATCH, workers=1, start=start)
    learner = tuning._learner(task, TrainSettings(batch=BATCH, max_steps=9), start)
    before = len(traced)
    labels = np.eye(1, LONGEST_LABEL, dtype=np.int32).repeat(BATCH, axis=0)
    for width in (96, 160, 48):
        learner.step(np.zeros((BATCH, task.slide.strip_px, width, 3), np.float32), labels, 1e-4)
    assert len(traced) == before > 0
    assert tuning._learner(task, TrainSettings(batch=BATCH, max_steps=5), start) is learner


@pytest.mark.slow
def test_what_was_cut_off_is_trained_anew_and_what_is_done_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = images(12)
    with pytest.raises(OutOfTimeError):
        tune("segmented", samples, tmp_path, steps=8, seed=0, until=time.monotonic() - 1)
    (tmp_path / "labels" / "labels.csv").unlink()  # as if the labels were being written
    tuned = tune("segmented", samples, tmp_path, steps=8, seed=0, until=math.inf)
    assert tuned.bundle.card["training"]["steps"] == 8
    assert tuned.core_s > 0
    monkeypatch.setattr(tuning, "ROUTES", {})  # nothing can be trained any more
    assert tune("segmented", samples, tmp_path, steps=8, seed=0) == tuned
