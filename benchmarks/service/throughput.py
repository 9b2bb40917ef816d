"""The same images by the service and by plain processes, in turn: images a second, and what the service keeps of it.

Tested in ``tests/benchmarks/service/test_measure.py``.
"""

import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.chaos.check import judge
from benchmarks.service.client import Rest
from benchmarks.service.pictures import Batch
from benchmarks.service.plain import Plain
from benchmarks.service.stack import Stack
from captcha_solver.errors import SetupError

WITHIN_S = 600.0
WANTED = 0.85


@dataclass(frozen=True, slots=True)
class Round:
    """Seconds of one round. ``solved``: from the first request until the last job had ended; ``fetched``: all answers
    in the client's hands too; ``plain``: the plain processes, for the same number of images."""

    images: int
    solved_s: float
    fetched_s: float
    plain_s: float


@dataclass(frozen=True, slots=True)
class Rate:
    """Medians over rounds with the smallest and the largest; ratios are those of the rounds, not of the medians."""

    workers: int
    images: int
    service: tuple[float, float, float]
    plain: tuple[float, float, float]
    ratio: tuple[float, float, float]
    ratio_fetched: tuple[float, float, float]

    @property
    def good(self) -> bool:
        return self.ratio[0] >= WANTED


def measure(stack: Stack, batch: Batch, jobs: int, rounds: int) -> list[Round]:
    """``jobs`` jobs of the batch one behind the other through the service, then the same by plain processes."""
    zipped, found = batch.zipped(), []
    with tempfile.TemporaryDirectory() as scratch, Rest(stack.running.url, stack.running.key) as rest:
        archive = Path(scratch) / "images.zip"
        archive.write_bytes(zipped)
        _by_service(rest, batch, zipped, 1)  # what is done once only is not counted
        plain = Plain(archive, len(stack.worker_pids), jobs)
        try:
            plain.once()
            for _ in range(rounds):
                solved_s, fetched_s = _by_service(rest, batch, zipped, jobs)
                found.append(Round(jobs * len(batch.order), solved_s, fetched_s, plain.once()))
        finally:
            plain.close()
    return found


def _by_service(rest: Rest, batch: Batch, zipped: bytes, jobs: int) -> tuple[float, float]:
    began = time.perf_counter()
    ids = [str(rest.submit(zipped)["id"]) for _ in range(jobs)]
    ended = {job_id: rest.finished(job_id, WITHIN_S) for job_id in ids}
    solved_s = time.perf_counter() - began
    answers = {job_id: rest.results(job_id) for job_id in ids}
    fetched_s = time.perf_counter() - began
    for job_id in ids:
        verdict = judge(answers[job_id], batch.expected, ended[job_id], answered=len(batch.order), seen={})
        if not verdict.good:
            raise SetupError(f"expected the direct call's answers, received {verdict}")
        rest.delete(job_id)
    return solved_s, fetched_s


def rate(workers: int, rounds: Sequence[Round]) -> Rate:
    return Rate(
        workers=workers,
        images=rounds[0].images,
        service=_spread([each.images / each.solved_s for each in rounds]),
        plain=_spread([each.images / each.plain_s for each in rounds]),
        ratio=_spread([each.plain_s / each.solved_s for each in rounds]),
        ratio_fetched=_spread([each.plain_s / each.fetched_s for each in rounds]),
    )


def _spread(values: Sequence[float]) -> tuple[float, float, float]:
    return statistics.median(values), min(values), max(values)


def table(rates: Sequence[Rate]) -> str:
    """A Markdown table."""
    lines = [
        "| workers | images | service, images/s | plain processes, images/s | service / plain | answers fetched too | "
        f">= {100 * WANTED:.0f} % |",
        "|---:|---:|---:|---:|---:|---:|---|",
    ]
    lines += [
        f"| {each.workers} | {each.images:,} | {_told(each.service)} | {_told(each.plain)} | "
        f"{_percent(each.ratio)} | {_percent(each.ratio_fetched)} | {'yes' if each.good else 'no'} |"
        for each in rates
    ]
    return "\n".join(lines)


def _told(spread: tuple[float, float, float]) -> str:
    median, low, high = spread
    return f"{median:.0f} ({low:.0f}-{high:.0f})"


def _percent(spread: tuple[float, float, float]) -> str:
    median, low, high = (100 * each for each in spread)
    return f"{median:.1f} % ({low:.1f}-{high:.1f})"
