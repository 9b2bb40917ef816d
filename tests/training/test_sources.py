"""Images of a mixture: training never sees what is held out, and what is held out is never varied."""

from pathlib import Path

import numpy as np
import pytest

from captcha_solver.charset import Charset, parse_charset
from captcha_solver.dataset import write_folder
from captcha_solver.image import encode_png
from captcha_solver.training.sources import Fold, Mixture, Source, folder_samples
from captcha_solver.types import Rgb, Sample

ALNUM: Charset = parse_charset("alnum")
COUNT = 40


def level(index: int) -> Rgb:
    """An image that says which it is, whatever is done to it: its middle has a level of its own."""
    return np.full((20, 40, 3), 5 * index + 20, np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    samples = [Sample(f"{i:02}.png", encode_png(level(i)), f"t{i:02}", "any") for i in range(COUNT)]
    write_folder(samples, tmp_path / "set")
    return tmp_path / "set"


def texts(mixture: Mixture, *, heldout: bool) -> set[str]:
    return {text for _, text in mixture.images(np.random.default_rng(0), 400, heldout=heldout)}


@pytest.mark.parametrize(("labels", "fold"), [(None, None), (20, None), (20, Fold(1, 4))])
def test_training_and_held_out_images_are_the_folders_two_parts(
    folder: Path, labels: int | None, fold: Fold | None
) -> None:
    mixture = Mixture((Source(str(folder)),), ALNUM, labels, fold)
    training, held = folder_samples(str(folder), labels, fold)
    assert held
    assert texts(mixture, heldout=False) == {sample.text for sample in training}
    assert texts(mixture, heldout=True) == {sample.text for sample in held}
    assert not texts(mixture, heldout=False) & texts(mixture, heldout=True)


def test_held_out_images_are_as_they_are_and_training_images_are_varied(folder: Path) -> None:
    mixture = Mixture((Source(str(folder)),), ALNUM)
    for heldout in (True, False):
        images = mixture.images(np.random.default_rng(1), 100, heldout=heldout)
        same = [np.array_equal(image, level(int(text[1:]))) for image, text in images]
        assert all(same) if heldout else sum(same) < 50
