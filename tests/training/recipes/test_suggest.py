"""Images to label next: doubtful ones first, unlike each other, and none that has a label."""

from pathlib import Path

import numpy as np
import pytest

from captcha_solver.designs.drawing.draw import draw_run
from captcha_solver.designs.load import load_design
from captcha_solver.errors import DatasetError
from captcha_solver.image import encode_png
from captcha_solver.models.bundle import load_bundle, shipped_bundles
from captcha_solver.training.recipes.suggest import doubts, look_of, spread, suggest

LOOKS = np.array([[0.0], [0.05], [1.0], [0.5]])


def test_the_most_doubtful_comes_first_and_then_what_is_unlike_it() -> None:
    assert spread(np.array([0.9, 0.8, 0.5, 0.5]), LOOKS, 4) == [0, 2, 3, 1]
    assert spread(np.array([0.1, 0.9, 0.1, 0.1]), LOOKS, 2) == [1, 2]
    assert spread(np.array([0.5, 0.5]), np.zeros((2, 3)), 5) == [0, 1], "alike ones come too, each once"
    assert spread(np.array([0.01, 0.01, 0.9, 0.01]), LOOKS, 2) == [2, 0]


def test_looks_are_small_and_tell_colours_apart() -> None:
    red, blue = np.zeros((2, 40, 90, 3), np.uint8)
    red[..., 0], blue[..., 2] = 255, 255
    assert look_of(red).shape == (384,)
    assert np.abs(look_of(red) - look_of(blue)).mean() > 0.5


def test_noise_is_more_doubtful_than_plain_text() -> None:
    bundle = load_bundle(shipped_bundles()["sliding"])
    plain = [each.image for each, _ in zip(draw_run(load_design("plain"), 3), range(6), strict=False)]
    noise = [np.random.default_rng(k).integers(0, 256, (60, 160, 3)).astype(np.uint8) for k in range(6)]
    found = doubts(bundle, [*plain, *noise])
    assert found[:6].mean() < found[6:].mean() - 0.2


def test_only_images_without_a_label_are_suggested(tmp_path: Path) -> None:
    for number, drawing in zip(range(12), draw_run(load_design("plain"), 3), strict=False):
        (tmp_path / f"{number}.png").write_bytes(encode_png(drawing.image))
    (tmp_path / "broken.png").write_bytes(b"no image")
    rows = "".join(f"{number}.png,abcd\n" for number in range(5))
    (tmp_path / "labels.csv").write_text(f"filename,label\n{rows}")
    bundle = load_bundle(shipped_bundles()["sliding"])
    found = suggest(tmp_path, bundle, 4)
    assert len(set(found)) == 4
    assert set(found) <= {f"{number}.png" for number in range(5, 12)}
    rows += "".join(f"{number}.png,abcd\n" for number in range(5, 12)) + "broken.png,x\n"
    (tmp_path / "labels.csv").write_text(f"filename,label\n{rows}")
    with pytest.raises(DatasetError, match="images without a label"):
        suggest(tmp_path, bundle, 4)
