"""A network that is given another charset reads what it read before, and has outputs for what is new."""

import numpy as np
import pytest

from captcha_solver.charset import Charset
from captcha_solver.models.glyph import build_glyph
from captcha_solver.models.relabel import keep_rows, with_classes
from captcha_solver.models.sliding import build_sliding
from captcha_solver.training.learner import predict

pytestmark = pytest.mark.slow
OLD, NEW = Charset("abcd"), Charset("dцaжb")


@pytest.mark.parametrize("route", ["sliding", "segmented"])
def test_known_characters_keep_their_rows_wherever_they_stand(route: str) -> None:
    known = build_sliding(40, OLD.classes) if route == "sliding" else build_glyph(OLD.classes)
    known.get_layer("logits").set_weights(
        [np.random.default_rng(k).normal(size=w.shape) for k, w in enumerate(known.get_layer("logits").weights)]
    )
    model = with_classes(known, NEW.classes)
    keep_rows(model, NEW, known, OLD)
    for layer in known.layers:
        if layer.name != "logits":
            model.get_layer(layer.name).set_weights(layer.get_weights())
    side = known.input_shape[1]
    x = np.random.default_rng(3).random((2, side, side if route == "segmented" else 80, known.input_shape[-1]))
    before, after = predict(known, x.astype(np.float32)), predict(model, x.astype(np.float32))
    assert after.shape[-1] == NEW.classes
    np.testing.assert_allclose(after[..., [0, 1, 3, 5]], before[..., [0, 4, 1, 2]], rtol=1e-4, atol=1e-4)
    mean = before[..., 1:].mean(axis=-1)
    for new in (2, 4):  # a character like any other, and less likely than most
        assert (after[..., new] < mean).all()
        np.testing.assert_allclose(after[..., 2], after[..., 4], rtol=1e-4)


def test_a_network_of_another_size_keeps_none() -> None:
    known, model = build_sliding(40, OLD.classes), build_glyph(NEW.classes)
    before = [w.copy() for w in model.get_layer("logits").get_weights()]
    keep_rows(model, NEW, known, OLD)
    for now, then in zip(model.get_layer("logits").get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)
