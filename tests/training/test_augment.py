"""Variations of a labelled image: a share of them has a line across it, in a colour of the picture."""

import numpy as np
import pytest

from captcha_solver.training import augment as augmenting
from captcha_solver.training.augment import augment
from captcha_solver.types import Rgb

SEEN = 600  # images; the share of those struck is then known to 1.6 points (one standard deviation)
NOISE = 60  # levels: six deviations of the strongest noise


def picture(ink: tuple[int, int, int] = (20, 30, 120)) -> Rgb:
    """White, with a block of ink in its left quarter: nothing but a line brings ink to the middle."""
    image = np.full((60, 160, 3), 255, np.uint8)
    image[5:55, 4:48] = ink
    return image


def crossed(image: Rgb) -> bool:
    """Whether there is ink in the middle columns, where the picture has none."""
    middle = image[:, 76:84].astype(int)
    paper = np.median(image[:, 100:], axis=(0, 1))
    return bool((np.abs(middle - paper).max(axis=2) > NOISE).any())


def test_a_share_of_the_images_has_a_line_and_no_more() -> None:
    share = np.mean([crossed(augment(picture(), np.random.default_rng(seed))) for seed in range(SEEN)])
    assert 0.14 < share < 0.26


def test_without_lines_nothing_comes_to_the_middle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(augmenting, "STRUCK", 0.0)
    assert not any(crossed(augment(picture(), np.random.default_rng(seed))) for seed in range(SEEN))


@pytest.mark.parametrize("ink", [(20, 30, 120), (200, 20, 20)])
def test_a_line_has_the_colour_of_the_ink_and_leaves_most_of_it(
    ink: tuple[int, int, int],
) -> None:
    for seed in range(40):
        rng = np.random.default_rng(seed)
        struck = augmenting._struck(picture(ink), rng)
        changed = (struck != picture(ink)).any(axis=2)
        assert 30 < changed.sum() < 0.25 * changed.size, "a line across, and not more"
        nearest = struck[changed][np.abs(struck[changed].astype(int) - ink).sum(axis=1).argmin()]
        assert np.abs(nearest.astype(int) - ink).max() <= 70, "the edge of a thin line is smoothed"


@pytest.mark.parametrize("seed", range(8))
def test_it_keeps_size_and_type_and_its_argument(seed: int) -> None:
    image = picture()
    made = augment(image, np.random.default_rng(seed))
    assert made.shape == image.shape
    assert made.dtype == np.uint8
    np.testing.assert_array_equal(image, picture())
