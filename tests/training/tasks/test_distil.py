"""Distillation: what the teacher says travels with the labels, and the loss falls where the student agrees."""

from pathlib import Path

import numpy as np
import pytest

from captcha_solver.errors import BundleError, OptionError
from captcha_solver.models.bundle import load_bundle, shipped_bundles
from captcha_solver.models.runtimes import import_keras, load_keras
from captcha_solver.models.sliding import NETWORKS, build_sliding
from captcha_solver.training.run import TrainOptions, TrainRequest, run
from captcha_solver.training.tasks.distil import MakeTaught, packed, taught_loss
from captcha_solver.training.tasks.sliding import MakeStrips, SlidingTask

TEACHER = shipped_bundles()["sliding"]


def test_probabilities_and_ids_are_packed_a_column_each() -> None:
    logits = np.log(np.array([[[1, 3], [1, 1], [4, 0.001]]], np.float32))
    both = packed(logits, np.array([[1, 0, 0, 0, 0]], np.int32))
    assert both.shape == (1, 3, 3)
    np.testing.assert_allclose(both[0, :, 0], [0.25, 0.5, 1.0], atol=1e-3)
    np.testing.assert_array_equal(both[0, :, 2], [1, 0, 0])


def test_the_loss_is_ctc_alone_where_the_student_says_what_the_teacher_says() -> None:
    keras = import_keras()
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(3, 8, 5)).astype(np.float32), np.array([[1, 2], [3, 0], [4, 4]], np.int32)
    ctc = float(keras.losses.CTC()(labels, logits))
    same = float(taught_loss(4.0)(packed(logits, labels), logits))
    assert same == pytest.approx(ctc, rel=1e-4)
    other = rng.normal(size=logits.shape).astype(np.float32)
    probs = packed(other, labels)[..., :-1]
    student = packed(logits, labels)[..., :-1]
    divergence = (probs * np.log(probs / student)).sum(axis=(1, 2)).mean()
    assert float(taught_loss(4.0)(packed(other, labels), logits)) == pytest.approx(ctc + 4 * divergence, rel=1e-3)


def test_batches_carry_what_the_teacher_says_of_them() -> None:
    task = SlidingTask.from_sources(["plain"], labels=None, batch=4, workers=0, charset="alnum")
    make = MakeStrips(task.mixture, task.slide, 4, 1)
    ((x, y),) = make(np.random.default_rng(3))
    ((same, both),) = MakeTaught(make, TEACHER)(np.random.default_rng(3))
    np.testing.assert_array_equal(x, same)
    assert both.shape == (4, x.shape[2] // 4, task.charset.classes + 1)
    np.testing.assert_allclose(both[..., :-1].sum(axis=-1), 1, atol=1e-5)
    width = min(y.shape[1], both.shape[1])
    np.testing.assert_array_equal(both[:, :width, -1], y[:, :width])


def test_the_small_network_is_a_third_of_the_work_and_gives_as_many_rows() -> None:
    shapes = []
    for size in NETWORKS.values():
        model = build_sliding(40, 63, size)
        shapes.append(model(np.zeros((1, 40, 112, 3), np.float32)).shape)
    assert shapes == [(1, 28, 63)] * len(NETWORKS)
    assert build_sliding(40, 63, NETWORKS["small"]).count_params() < 0.6 * build_sliding(40, 63).count_params()


@pytest.mark.slow
def test_a_small_network_learns_from_a_teacher_and_is_resumed_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = SlidingTask._held
    monkeypatch.setattr(SlidingTask, "_held", lambda self, images, seed: held(self, images // 16, seed))
    asked = TrainOptions(max_steps=8, batch=4, workers=0)
    first = run(TrainRequest(("plain",), tmp_path / "a", "sliding", None, None, asked, "small", "sliding"))
    card = load_bundle(first).card
    assert card["data"]["teacher"] == load_bundle(TEACHER).sha256
    assert card["data"]["network"] == "small"
    sizes = [load_bundle(path).onnx_path.stat().st_size for path in (first, TEACHER)]
    assert sizes[0] < 0.7 * sizes[1]
    resumed = SlidingTask.from_sources(["plain"], labels=None, batch=4, workers=0, start=load_bundle(first))
    weights = [weight.shape for weight in resumed.build().get_weights()]
    assert weights == [weight.shape for weight in load_keras(load_bundle(first)).get_weights()]


@pytest.mark.parametrize(
    ("network", "teacher", "error", "says"),
    [
        ("huge", None, OptionError, "expected a network out of base, small, deep, received 'huge'"),
        ("small", "segmented", BundleError, "expected a teacher .*sliding.*received .*segmented"),
    ],
)
def test_an_unfit_network_or_teacher_is_refused(
    tmp_path: Path, network: str, teacher: str | None, error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        run(
            TrainRequest(("plain",), tmp_path / "o", "sliding", None, None, TrainOptions(max_steps=1), network, teacher)
        )
