"""Worker processes: the same stream whatever their number, errors that surface, and a clean end."""

import multiprocessing
import os
import sys
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import pytest

from captcha_solver.errors import OptionError, SetupError
from captcha_solver.training.workers import stream


@dataclass(frozen=True, slots=True)
class Draw:
    """A pair as tasks make it, and a few of them in one draw."""

    size: int

    def __call__(self, rng: np.random.Generator) -> list[tuple[np.ndarray, int]]:
        return [(rng.integers(0, 256, (self.size, w), np.uint8), w) for w in (2, 3)]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a worker finds: loaded backends, OpenCV's and OpenMP's threads, its niceness above ours."""

    nice: int

    def __call__(self, rng: np.random.Generator) -> tuple[Any, ...]:
        import cv2

        loaded = [m for m in ("keras", "tensorflow", "torch", "jax") if m in sys.modules]
        return (
            loaded,
            cv2.getNumThreads() <= 1,
            os.environ["OMP_NUM_THREADS"],
            os.nice(0) >= min(19, self.nice + 1),
        )


@dataclass(frozen=True, slots=True)
class Breaks:
    """Fails, or dies, at a batch that the seed decides."""

    dies: bool = False

    def __call__(self, rng: np.random.Generator) -> int:
        if self.dies:
            os._exit(9)
        raise ValueError("no ink left")


def expected(seed: int, start: int, count: int) -> list[list[tuple[np.ndarray, int]]]:
    return [Draw(4)(np.random.default_rng([seed, k])) for k in range(start, start + count)]


@pytest.mark.parametrize(("workers", "start"), [(0, 0), (0, 5), (1, 0), (2, 3)])
def test_the_stream_depends_on_seed_and_start_alone(workers: int, start: int) -> None:
    draws = stream(Draw(4), workers=workers, seed=11, start=start)
    taken = list(islice(draws, 5))
    draws.close()
    for one, other in zip(taken, expected(11, start, 5), strict=True):
        assert [w for _, w in one] == [w for _, w in other]
        for (x, _), (y, _) in zip(one, other, strict=True):
            np.testing.assert_array_equal(x, y)


def test_closing_ends_every_process() -> None:
    draws = stream(Draw(4), workers=2, seed=0)
    next(draws)
    assert len(multiprocessing.active_children()) == 2
    draws.close()
    assert multiprocessing.active_children() == []


def test_a_worker_is_single_threaded_nicer_and_free_of_backends() -> None:
    before = os.environ.get("OMP_NUM_THREADS")
    draws = stream(Surroundings(os.nice(0)), workers=1)
    assert next(draws) == ([], True, "1", True)
    draws.close()
    assert os.environ.get("OMP_NUM_THREADS") == before


@pytest.mark.parametrize(
    ("make", "message"),
    [(Breaks(), "a drawing process failed: ValueError: no ink left"), (Breaks(dies=True), r"exit code 9\)")],
)
def test_a_worker_that_fails_is_heard(make: Breaks, message: str) -> None:
    with pytest.raises(SetupError, match=message):
        next(stream(make, workers=1))
    assert multiprocessing.active_children() == []


def test_less_than_no_workers_is_refused() -> None:
    with pytest.raises(OptionError, match="received -1"):
        stream(Draw(4), workers=-1)
