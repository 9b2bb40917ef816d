"""Recipes: steps are named and bounded; joined, sieved and doubled strips keep their labels."""

from pathlib import Path

import numpy as np
import pytest

from captcha_solver.charset import NAMED, Charset
from captcha_solver.designs.drawing.draw import draw_batch
from captcha_solver.designs.load import load_design
from captcha_solver.errors import OptionError
from captcha_solver.models.bundle import shipped_bundles
from captcha_solver.sliding.strip import SlideSettings
from captcha_solver.training.recipes.recipe import Recipe, parse_recipe
from captcha_solver.training.run import TrainOptions, TrainRequest, run
from captcha_solver.training.sources import Mixture, parse_source
from captcha_solver.training.tasks.sliding import (
    LONGEST_LABEL,
    MakeStrips,
    SlidingTask,
    cut_to_text,
    in_two_views,
    joined,
    sieved,
)

PLAIN = Mixture((parse_source("plain"),), Charset(NAMED["alnum"]))
SLIDE = SlideSettings()


def strips(count: int = 12) -> list[tuple[np.ndarray[tuple[int, ...], np.dtype[np.uint8]], list[int]]]:
    make = MakeStrips(PLAIN, SLIDE, 1, count, recipe=Recipe(widened=0, shifted=0))
    return [(x[0], [int(i) for i in y[0] if i]) for x, y in make(np.random.default_rng(3))]


def test_steps_are_said_by_name() -> None:
    assert parse_recipe([]) == Recipe()
    assert parse_recipe(["joined=0.2", "aligned=0.1"]) == Recipe(joined=0.2, aligned=0.1)
    assert Recipe(joined=0.2, aligned=0.1, guided=0.3).in_torch == ("aligned", "guided")


@pytest.mark.parametrize(
    "step", ["joint=0.2", "joined", "joined=much", "joined=2", "joined=-1", "joined=nan", "sieved=1"]
)
def test_other_steps_are_refused(step: str) -> None:
    with pytest.raises(OptionError, match="expected"):
        parse_recipe([step])


def test_two_strips_joined_are_read_one_after_the_other() -> None:
    given = strips()
    made = joined(given, SLIDE, (1.0, np.random.default_rng(0)))
    assert len(made) == len(given)
    for (pixels, ids), (first, start) in zip(made, given, strict=True):
        assert len(ids) < LONGEST_LABEL
        assert pixels.shape[1] <= SLIDE.max_width_px
        assert ids[: len(start)] == start
        np.testing.assert_array_equal(pixels[:, : first.shape[1]], first)
        rest = [(other, further) for other, further in given if further == ids[len(start) :]]
        if len(ids) > len(start):
            assert any(np.array_equal(pixels[:, first.shape[1] :], other) for other, _ in rest)
    assert sum(len(ids) > len(start) for (_, ids), (_, start) in zip(made, given, strict=True)) > 6


def test_what_is_easy_or_hopeless_is_left_out() -> None:
    reader = shipped_bundles()["sliding"]
    given = strips()
    wrong = [(pixels, [61, 61, 60, 60, 59]) for pixels, _ in given]
    kept = sieved(given, reader, SLIDE, (1.0, np.random.default_rng(0)))
    assert len(kept) < len(given) / 2  # plain print is read surely
    assert len(sieved(wrong, reader, SLIDE, (1.0, np.random.default_rng(0)))) < len(given) / 2
    assert len(sieved(given, reader, SLIDE, (0.0, np.random.default_rng(0)))) == len(given)


def test_a_sieve_needs_a_reader() -> None:
    with pytest.raises(OptionError, match="--from"):
        SlidingTask.from_sources(["plain"], labels=None, batch=4, workers=0, recipe=Recipe(sieved=0.5))


def test_two_views_are_of_the_same_strips() -> None:
    (batch,) = MakeStrips(PLAIN, SLIDE, 8, 1, recipe=Recipe(consistent=0.5))(np.random.default_rng(1))
    x, y = batch
    assert len(x) == len(y) == 8  # four strips, twice
    np.testing.assert_array_equal(y[:4], y[4:])
    apart = np.abs(x[:4].astype(int) - x[4:]).mean(axis=(1, 2, 3))
    assert (apart > 0.5).all()
    assert (apart < 60).all()


def test_views_leave_the_batch_as_it_was() -> None:
    x = np.random.default_rng(0).integers(0, 255, (3, 40, 96, 3), np.uint8)
    before = x.copy()
    made, _ = in_two_views((x, np.zeros((3, 20), np.int32)), np.random.default_rng(0))
    np.testing.assert_array_equal(x, before)
    assert made.shape == (6, 40, 96, 3)


def test_edges_move_as_far_as_the_recipe_says() -> None:
    image = draw_batch(load_design("plain"), [None], np.random.default_rng(1))[0].image
    exact = cut_to_text(image)
    rng = np.random.default_rng(0)
    assert (cut_to_text(image, rng, 0.0) == exact).all()
    heights = np.array([len(cut_to_text(image, rng, 0.1)) for _ in range(200)]) - len(exact)
    assert 0.05 * len(exact) < heights.std() < 0.2 * len(exact)


def test_a_recipe_is_the_sliding_routes_alone(tmp_path: Path) -> None:
    request = TrainRequest(
        ("plain",), tmp_path / "out", "segmented", None, None, TrainOptions(recipe=Recipe(joined=0.2))
    )
    with pytest.raises(OptionError, match="route sliding alone, received one for segmented"):
        run(request)
