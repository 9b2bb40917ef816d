"""Timing that noise does not spoil: several passes, the median of them.

Tested in ``tests/benchmarks/speed/test_measure.py``.
"""

import statistics
import time
from collections.abc import Callable


def median_s(work: Callable[[], object], passes: int) -> float:
    """Seconds of one call of ``work``: the median of ``passes``, after one that is not counted."""
    work()
    times = []
    for _ in range(passes):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return statistics.median(times)
