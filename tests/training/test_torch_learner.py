"""The learner for the torch backend: PyTorch computes what Keras does. Each case runs in a process of its own."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from captcha_solver.models.bundle import load_bundle
from tests.paths import ROOT

NEEDS_TORCH = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch is not installed")

SAME_LOGITS = """
import keras, numpy as np, torch
from captcha_solver.models.sliding import build_sliding, SlidingSize
from captcha_solver.training.torch_learner import forward

size = SlidingSize(8, 16, 16, 16, 32, further=(0, 1, 0), kernels=(3,), gates=True, attention=True)
model = build_sliding(16, 11, size)
rng = np.random.default_rng(0)
model.set_weights([np.abs(rng.normal(0, 0.3, w.shape)) + 0.2 * (w.ndim == 1) for w in model.get_weights()])
for width in (48, 57):
    x = torch.from_numpy(rng.random((3, 16, width, 3), np.float32))
    with torch.no_grad():
        ours, theirs = forward(model, x, training=False), model(x, training=False)
    print(ours.shape == theirs.shape, float((ours - theirs).abs().max() / theirs.abs().max()) < 1e-5)
"""

SAME_LOSS = """
import keras, numpy as np, torch
from captcha_solver.training.torch_losses import ctc

rng = np.random.default_rng(0)
logits = torch.from_numpy(rng.normal(size=(4, 12, 6)).astype(np.float32))
labels = torch.tensor([[1, 2, 0, 0], [3, 3, 5, 0], [4, 0, 0, 0], [5, 4, 3, 2]], dtype=torch.int32)
print(abs(float(ctc(labels, logits)) - float(keras.losses.CTC()(labels, logits))) < 1e-4)
print(bool(torch.isfinite(ctc(torch.ones((1, 20), dtype=torch.int32), logits[:1]))))  # a text that cannot fit
"""

RECIPE = """
import keras, numpy as np
from captcha_solver.models.sliding import build_sliding
from captcha_solver.training.checkpoint import Progress
from captcha_solver.training.learners import new_learner
from captcha_solver.training.loop import TrainSettings
from captcha_solver.training.recipes.recipe import Recipe

settings = TrainSettings(max_steps=4, batch=4, recipe=Recipe(guided=0.5, aligned=0.2, consistent=0.2))
learner = lambda: new_learner(build_sliding(16, 5), keras.losses.CTC(), settings, None)
x = np.random.default_rng(0).random((4, 16, 48, 3), np.float32)
y = np.tile(np.array([[1, 2, 3, 0]], np.int32), (4, 1))
first = learner()
before = [p.detach().numpy().copy() for p in first._guide.parameters()]
print(bool(np.isfinite([first.step(x, y, 1e-3) for _ in range(3)]).all()))
guide = [p.detach().numpy() for p in first._guide.parameters()]
print(any((old != new).any() for old, new in zip(before, guide)))
again = learner()
again.restore(first.state(Progress(step=3)))
print(all((p.detach().numpy() == old).all() for p, old in zip(again._guide.parameters(), guide)))
print(len(first.model.get_weights()) == len(build_sliding(16, 5).get_weights()))  # no bundle has the guide
"""


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "KERAS_BACKEND": "torch"}
    command = [sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=environment)


@NEEDS_TORCH
@pytest.mark.parametrize("code", [SAME_LOGITS, SAME_LOSS, RECIPE])
def test_pytorch_computes_what_keras_computes(code: str) -> None:
    done = python("-c", code)
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) == {"True"}


@NEEDS_TORCH
@pytest.mark.slow
def test_a_training_interrupted_and_gone_on_with_ends_as_one_that_ran_through(tmp_path: Path) -> None:
    through = python("-m", "tests.training.tiny_task", str(tmp_path / "through"), "")
    assert through.returncode == 0, through.stderr
    stopped = python("-m", "tests.training.tiny_task", str(tmp_path / "stopped"), "13")
    assert stopped.returncode == 130, stopped.stderr
    on = python("-m", "tests.training.tiny_task", str(tmp_path / "stopped"), "")
    assert on.returncode == 0, on.stderr
    one, other = (load_bundle(tmp_path / name).card for name in ("through", "stopped"))
    assert one["training"]["steps"] == other["training"]["steps"] == 60
    assert one["training"]["heldout_accuracy"] == other["training"]["heldout_accuracy"] > 0.2
    assert one["backend"] == "torch"
