"""Many images through the service for a long time: memory of each process, and whether it stays flat.

Tested in ``tests/benchmarks/service/test_measure.py``.
"""

import statistics
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.chaos.check import judge, left_of
from benchmarks.service.client import Rest
from benchmarks.service.pictures import Batch
from benchmarks.service.stack import Stack, rss_mib
from captcha_solver.errors import SetupError

EVERY_S = 3.0
JOB_S = 600.0
SHARE, LEAST_MIB = 0.05, 8.0  # memory may be so much more at the end, whichever is more: pages come and go


@dataclass(frozen=True, slots=True)
class MemorySample:
    """Memory at one time, MiB: of each process its part that lies in RAM, of Redis what it says that it uses."""

    at_s: float
    images: int
    mib: dict[str, float]


@dataclass(frozen=True, slots=True)
class Trend:
    """One process: median of the second tenth and of the last tenth of the images, and the largest of all."""

    process: str
    early_mib: float
    late_mib: float
    most_mib: float

    @property
    def flat(self) -> bool:
        return self.late_mib - self.early_mib <= max(SHARE * self.early_mib, LEAST_MIB)


class Sampler:
    """Writes memory down every few seconds, in a thread of its own, until the block ends."""

    def __init__(self, stack: Stack, every_s: float) -> None:
        self.images = 0
        self.samples: list[MemorySample] = []
        self._stack = stack
        self._every_s = every_s
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Sampler":
        self._thread.start()
        return self

    def __exit__(self, *args: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        began = time.monotonic()
        while not self._over.wait(self._every_s):
            self.samples.append(MemorySample(round(time.monotonic() - began, 2), self.images, self._memory()))

    def _memory(self) -> dict[str, float]:
        stack = self._stack
        found = {"api": rss_mib(stack.api.pid)}
        found |= {f"worker {place + 1}": rss_mib(pid) for place, pid in enumerate(stack.worker_pids)}
        found["redis process"] = rss_mib(stack.redis.pid)
        found["redis used"] = int(stack.client.info("memory")["used_memory"]) / 2**20
        return {name: round(mib, 2) for name, mib in found.items()}


def soak(stack: Stack, batch: Batch, images: int) -> list[MemorySample]:
    """Send the batch again and again, the next job while the one before is read; each is judged and removed."""
    zipped, jobs = batch.zipped(), -(-images // len(batch.order))
    workers = stack.worker_pids
    with Rest(stack.running.url, stack.running.key) as rest, Sampler(stack, EVERY_S) as sampler:
        waiting = str(rest.submit(zipped)["id"])
        for number in range(jobs):
            following = str(rest.submit(zipped)["id"]) if number + 1 < jobs else ""
            _over(rest, batch, waiting)
            sampler.images += len(batch.order)
            waiting = following
    if stack.worker_pids != workers:
        raise SetupError(f"expected the same workers from first to last, received {workers} and {stack.worker_pids}")
    if left := left_of(stack.client):
        raise SetupError(f"expected nothing of removed jobs in Redis, received {', '.join(left[:5])}")
    return sampler.samples


def _over(rest: Rest, batch: Batch, job_id: str) -> None:
    job = rest.finished(job_id, JOB_S)
    verdict = judge(rest.results(job_id), batch.expected, job, answered=len(batch.order), seen={})
    if not verdict.good:
        raise SetupError(f"expected the direct call's answers, received {verdict}")
    rest.delete(job_id)


def trends(samples: Sequence[MemorySample], images: int) -> list[Trend]:
    """By process: the second tenth of the images against the last one. ``SetupError`` where they were too few."""
    second = [each for each in samples if images / 10 <= each.images < images / 5]
    last = [each for each in samples if each.images >= images * 9 / 10]
    if not second or not last:
        raise SetupError("expected samples of the second and of the last tenth, received none: soak more images")
    return [
        Trend(
            name,
            statistics.median(each.mib[name] for each in second),
            statistics.median(each.mib[name] for each in last),
            max(each.mib[name] for each in samples),
        )
        for name in second[0].mib
    ]


def table(rows: Sequence[Trend]) -> str:
    """A Markdown table."""
    lines = [
        f"Flat: the last tenth's median is at most {100 * SHARE:.0f} % or {LEAST_MIB:.0f} MiB, whichever is more, "
        "above the second tenth's",
        "",
        "| process | second tenth, MiB | last tenth, MiB | most, MiB | flat |",
        "|---|---:|---:|---:|---|",
    ]
    for row in rows:
        flat = "yes" if row.flat else "no"
        lines.append(f"| {row.process} | {row.early_mib:.1f} | {row.late_mib:.1f} | {row.most_mib:.1f} | {flat} |")
    return "\n".join(lines)
