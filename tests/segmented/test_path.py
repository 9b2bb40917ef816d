"""The best path on lattices small enough to work out by hand."""

import numpy as np
import pytest
from numpy.typing import NDArray

from captcha_solver.segmented.path import Candidates, Narrowing, SegmentSettings, best_path, candidates
from captcha_solver.types import Box, Glyphs

NOISE_PRIOR = 0.1

Row = tuple[int, int, float, float]
"""First cut, last cut, probability of class 1, probability of class 0; class 2 has the rest."""


def lattice(shares: list[float], rows: list[Row]) -> tuple[Candidates, NDArray[np.float32]]:
    """Candidates whose intervals are 10 pixels wide each, and their log-probabilities over three classes."""
    boxes = [Box(10 * row[0], 0, 10 * row[1], 30) for row in rows]
    found = Candidates(
        Glyphs(np.zeros((len(rows), 32, 32, 1), np.float32), boxes),
        np.array([row[:2] for row in rows], np.int32).reshape(-1, 2),
        np.array(shares, np.float32),
        NOISE_PRIOR,
    )
    table = np.array([[p0, p1, 1 - p0 - p1] for _, _, p1, p0 in rows], np.float32).reshape(-1, 3)
    return found, np.log(np.maximum(table, 1e-9)).astype(np.float32)


def spans(shares: list[float], rows: list[Row]) -> list[tuple[float, float]]:
    scores = best_path(*lattice(shares, rows))
    assert not scores.collapse
    assert scores.log_probs.shape == (len(scores.spans_px), 3)
    return [(float(left), float(right)) for left, right in scores.spans_px]


CASES: dict[str, tuple[list[float], list[Row], list[tuple[float, float]]]] = {
    # mean log probability: one glyph log .9 = -.11, two halves log .4 = -.92
    "whole beats halves": (
        [0.5, 0.5],
        [(0, 2, 0.9, 0.05), (0, 1, 0.4, 0.6), (1, 2, 0.4, 0.6)],
        [(0, 20)],
    ),
    # the merged pair as a glyph: log .1 = -2.3; as noise: log(.9 * .1) = -2.4; apart: log .9 = -.11
    "a pair is cut": (
        [0.5, 0.5],
        [(0, 2, 0.1, 0.9), (0, 1, 0.9, 0.05), (1, 2, 0.9, 0.05)],
        [(0, 10), (10, 20)],
    ),
    # halves as "not a glyph", certain: log(.99 * .1) = -2.3 each; the glyph at log .2 = -1.6 still wins
    "halves are not noise": (
        [0.5, 0.5],
        [(0, 2, 0.2, 0.8), (0, 1, 0.005, 0.99), (1, 2, 0.005, 0.99)],
        [(0, 20)],
    ),
    # .25 * log .05 + .75 * log .8 = -.92; the other way round .75 * log .05 + .25 * log .8 = -2.3
    "each unit of ink has one vote": (
        [0.25, 0.5, 0.25],
        [(0, 1, 0.05, 0.1), (1, 3, 0.8, 0.1), (0, 2, 0.05, 0.1), (2, 3, 0.8, 0.1)],
        [(0, 10), (10, 30)],
    ),
    # no candidate spans the middle
    "a speck is passed over": (
        [0.4, 0.2, 0.4],
        [(0, 1, 0.9, 0.05), (2, 3, 0.9, 0.05)],
        [(0, 10), (20, 30)],
    ),
    "no candidate": ([0.5, 0.5], [], []),
    "no ink": ([], [], []),
}


@pytest.mark.parametrize(("shares", "rows", "expected"), CASES.values(), ids=CASES)
def test_best_path(shares: list[float], rows: list[Row], expected: list[tuple[float, float]]) -> None:
    # class 2 would add to a piece's probability: give it nothing
    found, log_probs = lattice(shares, rows)
    log_probs[:, 2] = np.log(1e-9)
    chosen = best_path(found, log_probs)
    assert [tuple(span) for span in chosen.spans_px.tolist()] == expected


@pytest.mark.parametrize("count", [1, 3, 9])
def test_any_number_of_glyphs_left_to_right(count: int) -> None:
    rows = [(i, i + 1, 0.9, 0.05) for i in range(count)][::-1]
    assert spans([1 / count] * count, rows) == [(10.0 * i, 10.0 * i + 10) for i in range(count)]


def test_doubt_between_lookalikes_is_no_doubt_about_the_place() -> None:
    # the glyph is 1 or 2, half each: log(.5 + .5) = 0 against log .9 for the halves
    rows = [(0, 2, 0.5, 0.0), (0, 1, 0.9, 0.1), (1, 2, 0.9, 0.1)]
    found, log_probs = lattice([0.5, 0.5], rows)
    log_probs[1:, 2] = np.log(1e-9)
    assert best_path(found, log_probs).spans_px.tolist() == [[0, 20]]


def test_rows_are_probabilities_with_nothing_weighed_by_the_prior() -> None:
    scores = best_path(*lattice([1.0], [(0, 1, 0.3, 0.6)]))
    expected = np.array([0.06, 0.3, 0.1]) / 0.46
    assert np.exp(scores.log_probs[0]) == pytest.approx(expected, rel=1e-5)


def test_candidates_of_two_bars() -> None:
    gray = np.zeros((60, 100), np.float32)
    gray[10:50, 20:27] = gray[10:50, 70:77] = 1.0
    found = candidates(gray, SegmentSettings())
    assert found.glyphs.pixels.shape == (len(found), 32, 32, 1)
    assert len(found.glyphs.boxes) == len(found)
    assert Box(20, 10, 27, 50) in found.glyphs.boxes
    assert Box(70, 10, 77, 50) in found.glyphs.boxes


@pytest.mark.parametrize("glyph_px", [28, 32])
def test_an_empty_image_has_no_candidates_and_reads_as_nothing(glyph_px: int) -> None:
    found = candidates(np.zeros((20, 40), np.float32), SegmentSettings(glyph_px=glyph_px))
    assert len(found) == 0
    assert found.glyphs.pixels.shape == (0, glyph_px, glyph_px, 1)
    scores = best_path(found, np.zeros((0, 63), np.float32))
    assert scores.log_probs.shape == (0, 63)
    assert scores.spans_px.shape == (0, 2)


def test_classes_that_cannot_be_are_ruled_out() -> None:
    # the whole is a class 1 of .5; its halves are class 2, surely, and beat it unless there is no class 2
    found, log_probs = lattice([0.5, 0.5], [(0, 2, 0.5, 0.5), (0, 1, 0.001, 0.009), (1, 2, 0.001, 0.009)])
    assert len(best_path(found, log_probs).spans_px) == 2
    scores = best_path(found, log_probs, Narrowing(classes=(1,)))
    assert scores.spans_px.tolist() == [[0, 20]]
    assert scores.log_probs.argmax(axis=1).tolist() == [1]
    assert np.exp(scores.log_probs[:, 2]).max() < 1e-6


def test_a_length_changes_the_path() -> None:
    found, log_probs = lattice([0.5, 0.5], [(0, 2, 0.9, 0.05), (0, 1, 0.4, 0.6), (1, 2, 0.4, 0.6)])
    assert len(best_path(found, log_probs).spans_px) == 1
    assert len(best_path(found, log_probs, Narrowing(min_glyphs=2, max_glyphs=2)).spans_px) == 2
    assert len(best_path(found, log_probs, Narrowing(min_glyphs=1, max_glyphs=2)).spans_px) == 1
    assert len(best_path(found, log_probs, Narrowing(min_glyphs=5, max_glyphs=6)).spans_px) == 1  # never so many


def test_a_chain_may_leave_pieces_out_as_noise() -> None:
    found, log_probs = lattice([0.4, 0.2, 0.4], [(0, 1, 0.95, 0.04), (1, 2, 0.1, 0.9), (2, 3, 0.95, 0.04)])
    scores = best_path(found, log_probs, Narrowing(min_glyphs=2, max_glyphs=2))
    assert scores.spans_px.tolist() == [[0, 10], [20, 30]]
