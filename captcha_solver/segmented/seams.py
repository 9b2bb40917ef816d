"""Find where ink may be cut: seams from top to bottom that cross as little ink as they can."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from captcha_solver.segmented.ink import Ink

_SIDESTEP = 0.15  # cost of moving one column aside, in columns of ink crossed
_CLEAN = 2.5  # the most that a clean seam crosses and steps aside
_DEEPEST = 3.5  # the most ink, in strokes, that a straight cut at a minimum crosses
_EMPTY = 0.3  # a column with less ink than this is empty
_OUTSIDE = 1e6


@dataclass(frozen=True, slots=True)
class Seams:
    """Cuts from left to right, K of them, never crossing.

    ``columns`` (K, h) int32: column of each cut in each working row (ink at this column and after lies
    right of it); ``crossed`` (K,) float32: ink crossed, in working pixels.
    """

    columns: NDArray[np.int32]
    crossed: NDArray[np.float32]


def find_seams(ink: Ink, spacing: float, longest: float) -> Seams:
    """Cuts of ``ink``, at least ``spacing`` text heights apart, and at most ``longest`` within ink.

    First the clean ones: seams that step at most one column aside a row (seam carving, Avidan and Shamir
    2007) and cross next to no ink, so that they follow the slanted gap between two leaning letters. Then
    straight ones, at the minima of the vertical projection: where glyphs overlap, a straight cut splits the
    difference best.
    """
    down, up = _accumulate(ink.gray), _accumulate(ink.gray[::-1])[::-1]
    rows, columns = (np.flatnonzero(ink.mask.any(axis=axis)) for axis in (1, 0))
    middle, first, last = int(rows[0] + rows[-1]) // 2, int(columns[0]), int(columns[-1]) + 1
    profile = (down[middle] + up[middle] - ink.gray[middle])[first:last]
    projection = ink.gray.sum(axis=0)[first:last]
    apart = max(2, round(spacing * ink.text_px))
    clean = spread([], _valleys(profile, _CLEAN), apart)
    straight = spread(clean, _valleys(projection, _DEEPEST * ink.stroke_px), apart)
    straight += fill(projection, [*clean, *straight], apart, round(longest * ink.text_px))
    paths = np.concatenate(
        [
            _trace(down, up, middle, [first + column for column in clean]),
            np.broadcast_to(np.array(straight, np.int32)[:, None] + first, (len(straight), len(ink.gray))),
        ]
    )
    crossed = np.concatenate([profile[clean], projection[straight]])
    order = np.argsort([*clean, *straight])
    ends = np.full((2, len(ink.gray)), [[0], [ink.gray.shape[1]]], np.int32)
    paths = np.concatenate([ends[:1], paths[order], ends[1:]]).astype(np.int32)
    crossed = np.concatenate([[0], crossed[order], [0]]).astype(np.float32)
    return Seams(np.maximum.accumulate(paths, axis=0), crossed)


def spread(taken: list[int], wanted: list[int], apart: int) -> list[int]:
    """Those of ``wanted``, in their order, ``apart`` columns or more from those before and ``taken``."""
    chosen: list[int] = []
    for column in wanted:
        if all(abs(column - other) >= apart for other in [*taken, *chosen]):
            chosen.append(column)
    return chosen


def _valleys(profile: NDArray[np.float32], deepest: float) -> list[int]:
    """Middles of the flat local minima of ``profile`` not above ``deepest``, lowest first."""
    change = np.flatnonzero(np.abs(np.diff(profile)) > 0.05) + 1
    starts = np.concatenate([[0], change])
    lengths = np.diff(np.concatenate([starts, [profile.size]]))
    height = np.add.reduceat(profile, starts) / lengths
    inner = height[1:-1]
    low = np.flatnonzero((inner < height[:-2]) & (inner < height[2:]) & (inner <= deepest)) + 1
    low = low[np.argsort(height[low], kind="stable")]
    return [int(column) for column in starts[low] + lengths[low] // 2]


def fill(projection: NDArray[np.float32], chosen: list[int], apart: int, longest: int) -> list[int]:
    """More cuts, each at the lowest ``projection`` of a stretch with over ``longest`` columns of ink."""
    inked = np.concatenate([[0], np.cumsum(projection > _EMPTY)])
    stretches = list(zip([0, *sorted(chosen)], [*sorted(chosen), projection.size], strict=True))
    extra: list[int] = []
    while stretches:
        left, right = stretches.pop()
        if right - left <= 2 * apart or inked[right] - inked[left] <= longest:
            continue
        cut = left + apart + int(np.argmin(projection[left + apart : right - apart]))
        extra.append(cut)
        stretches += [(left, cut), (cut, right)]
    return extra


def _accumulate(cost: NDArray[np.float32]) -> NDArray[np.float32]:
    """Least cost of a seam from the top row to each pixel, (h, w)."""
    total = np.empty_like(cost)
    total[0] = cost[0]
    beside = np.full((3, cost.shape[1]), np.float32(_OUTSIDE))
    for y in range(1, len(cost)):
        before = total[y - 1]
        beside[0] = before
        beside[1, 1:] = before[:-1] + _SIDESTEP
        beside[2, :-1] = before[1:] + _SIDESTEP
        np.add(beside.min(axis=0), cost[y], out=total[y])
    return total


def _trace(down: NDArray[np.float32], up: NDArray[np.float32], middle: int, starts: list[int]) -> NDArray[np.int32]:
    """Columns (K, h) of the best seams through ``starts`` (K of them) on row ``middle``."""
    paths = np.zeros((len(starts), len(down)), np.int32)
    paths[:, middle] = starts
    for total, order in ((down, range(middle - 1, -1, -1)), (up, range(middle + 1, len(down)))):
        rows, last = total.tolist(), total.shape[1] - 1
        for number, start in enumerate(starts):
            at = start
            for y in order:
                here = rows[y][at]
                left = rows[y][max(at - 1, 0)] + _SIDESTEP
                right = rows[y][min(at + 1, last)] + _SIDESTEP
                if left < here and left <= right:
                    at = max(at - 1, 0)
                elif right < here:
                    at = min(at + 1, last)
                paths[number, y] = at
    return paths
