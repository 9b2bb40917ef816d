"""The task of the locating network: cells are marked where glyphs are, and a short training learns to."""

from pathlib import Path

import numpy as np
import pytest

from captcha_solver.errors import OptionError
from captcha_solver.locate.textmap import unfolded
from captcha_solver.models.bundle import load_bundle
from captcha_solver.training.run import TrainOptions, TrainRequest, run
from captcha_solver.training.tasks.locator import LocatorTask, MakeCells, stacked, varied


def test_cells_are_marked_where_a_glyph_is() -> None:
    image, glyphs = np.full((16, 24, 3), 200, np.uint8), np.zeros((16, 24), np.uint8)
    glyphs[4:8, 10:12] = 255
    x, y = stacked([(image, glyphs), (image[:8, :16], glyphs[:8, :16])])
    assert x.shape == (2, 16, 24, 3)
    assert y.shape == (2, 4, 6, 4)
    marked = unfolded(y[0].astype(np.float32))
    assert marked[2:4, 5].tolist() == [1, 1]
    assert marked.sum() == 2
    assert (unfolded(y[1].astype(np.float32)) == marked).all()


def test_variations_keep_glyphs_on_their_pixels() -> None:
    rng = np.random.default_rng(0)
    image, glyphs = np.full((40, 60, 3), 230, np.uint8), np.zeros((40, 60), np.uint8)
    image[10:30, 20:40] = 10
    glyphs[10:30, 20:40] = 255
    shapes = set()
    for _ in range(50):
        changed, moved = varied(image, glyphs, rng)
        assert changed.shape[:2] == moved.shape
        shapes.add(moved.shape)
        inside, outside = changed[moved > 200].mean(), changed[moved < 50].mean()
        assert abs(inside - outside) > 150
    assert len(shapes) > 10


def test_the_same_draw_gives_the_same_batches() -> None:
    task = LocatorTask.from_sources(["plain", "double-deck:2"], batch=4, workers=0)
    first, again = (next(iter(task.batches(3, 0))) for _ in range(2))
    assert len(first) == 16
    for (x, y), (other_x, other_y) in zip(first, again, strict=True):
        np.testing.assert_array_equal(x, other_x)
        np.testing.assert_array_equal(y, other_y)


def test_held_out_images_are_as_they_are() -> None:
    task = LocatorTask.from_sources(["plain"], batch=4, workers=0)
    make = MakeCells(task.mixture, 4, 1, heldout=True)
    ((x, _),) = make(np.random.default_rng(1))
    ((again, _),) = make(np.random.default_rng(1))
    np.testing.assert_array_equal(x, again)


def test_accuracy_is_the_mean_share_in_common() -> None:
    task = LocatorTask.from_sources(["plain"], batch=4, workers=0)
    marked = np.zeros((2, 2, 2, 4), np.int32)
    marked[0, 0] = 1
    logits = np.where(marked > 0, 3.0, -3.0).astype(np.float32)
    assert task.accuracy(logits, marked) == 1.0
    logits[0, 0, 0] = -3.0
    assert task.accuracy(logits, marked) == 0.75  # half of the first image's, and all of the second, which has none


def test_a_folder_does_not_tell_where_its_glyphs_are(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="designs"):
        LocatorTask.from_sources([str(tmp_path)], batch=4, workers=0)


def test_a_short_training_learns_where_text_is(tmp_path: Path) -> None:
    asked = TrainOptions(max_steps=96, batch=16, workers=0)
    path = run(TrainRequest(("plain",), tmp_path / "locator", "locator", None, None, asked))
    bundle = load_bundle(path)
    assert bundle.kind == "locator"
    assert bundle.card["parity"]["max_difference"] < 1e-4
    task = LocatorTask.from_sources(["plain"], batch=16, workers=0)
    marked = np.mean([y.mean() for _, y in task.heldout()])  # what saying "a glyph" of every cell would reach
    assert bundle.card["training"]["heldout_accuracy"] > 2 * marked
