"""Hand-made ink with one right place to cut."""

import numpy as np

from captcha_solver.segmented.ink import Ink, Mask
from captcha_solver.segmented.seams import fill, find_seams, spread


def ink_of(mask: Mask) -> Ink:
    return Ink(mask.astype(np.float32), mask, 1.0, 40.0, 6.0)


def test_a_gap_is_cut_without_crossing_ink() -> None:
    mask = np.zeros((50, 60), np.uint8)
    mask[5:45, 10:16] = mask[5:45, 40:46] = 1
    seams = find_seams(ink_of(mask), 0.12, 0.2)
    inner = seams.columns[1:-1]
    assert len(inner) == 1
    assert seams.crossed[1] == 0.0
    assert inner.min() >= 16
    assert inner.max() <= 40
    assert seams.columns[0].max() == 0
    assert seams.columns[-1].min() == 60


def test_a_seam_follows_the_slanted_gap_between_leaning_strokes() -> None:
    mask = np.zeros((50, 80), np.uint8)
    for y in range(5, 45):
        mask[y, 40 - y // 2 : 46 - y // 2] = 1  # two parallel strokes, 20 columns of lean: no straight
        mask[y, 52 - y // 2 : 58 - y // 2] = 1  # cut parts them
    seams = find_seams(ink_of(mask), 0.12, 0.5)
    clean = seams.columns[1:-1][seams.crossed[1:-1] <= 3.5]
    rows = np.arange(5, 45)
    assert any(not mask[rows, np.minimum(path[5:45], 79)].any() and np.ptp(path) > 10 for path in clean)


def test_touching_bars_are_cut_where_they_are_thinnest() -> None:
    mask = np.zeros((50, 70), np.uint8)
    mask[5:45, 10:25] = mask[5:45, 45:60] = 1
    mask[24:27, 25:45] = 1  # a bridge of 3
    seams = find_seams(ink_of(mask), 0.12, 0.5)
    bridge = [k for k in range(1, len(seams.columns) - 1) if 25 <= seams.columns[k, 25] <= 45]
    assert bridge
    assert min(seams.crossed[k] for k in bridge) == 3.0


def test_seams_never_cross() -> None:
    noise = np.random.default_rng(3).random((50, 150)) > 0.6
    mask = np.asarray(noise, np.uint8)
    columns = find_seams(ink_of(mask), 0.1, 0.15).columns
    assert len(columns) > 5
    assert (np.diff(columns, axis=0) >= 0).all()


def test_spread_keeps_the_first_wanted_and_the_distance() -> None:
    assert spread([10], [12, 20, 24, 31], 5) == [20, 31]
    assert spread([], [], 5) == []


def test_fill_cuts_long_ink_at_its_lowest_and_leaves_gaps_alone() -> None:
    projection = np.full(40, 5.0, np.float32)
    projection[17] = 2.0
    assert fill(projection, [], 5, 30) == [17]
    assert fill(projection, [], 5, 40) == []
    assert fill(np.zeros(100, np.float32), [], 5, 10) == []
