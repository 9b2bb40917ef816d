"""One job under fire: images in by REST, faults while it runs, a verdict on its answers out.

Tested in ``tests/benchmarks/chaos/test_scenarios.py``.
"""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from benchmarks.chaos.check import CheckResult, answered, judge, left_of
from benchmarks.chaos.faults import SINGLES, Saboteur, Step, plan
from benchmarks.service.client import Rest
from benchmarks.service.pictures import Batch
from benchmarks.service.stack import Stack
from captcha_solver.client.service import Request
from captcha_solver.errors import SetupError
from workers import keys

AT_LEAST_S, TIMES_EXPECTED = 240.0, 20.0  # a job that has not ended by then never will
PAGE = 1000


@dataclass(frozen=True, slots=True)
class Round:
    """What happened to one job. ``requeued``: chunks found lost; ``away``: requests that met no service."""

    images: int
    expected_s: float
    took_s: float
    verdict: CheckResult
    steps: tuple[Step, ...]
    missed: tuple[str, ...]
    requeued: int
    away: dict[str, int]
    strange: tuple[str, ...]

    @property
    def good(self) -> bool:
        return self.verdict.good and not self.strange

    def count(self, action: str) -> int:
        return sum(step.action == action for step in self.steps)


def run_round(stack: Stack, batch: Batch, rng: np.random.Generator) -> Round:
    """Submit a batch, let the faults happen until the job has ended, and look at what came of it."""
    expected_s = batch.pictures.each_s * len(batch.order) / len(stack.worker_pids)
    before, requeued = answered(stack.client), _requeued(stack)
    with Rest(stack.running.url, stack.running.key) as rest:
        job_id = str(rest.submit(batch.zipped(), key=f"chaos-{time.time_ns()}")["id"])
        began = time.monotonic()
        seen: dict[int, float] = {}
        with Saboteur(stack, plan(rng, expected_s)) as saboteur:
            _watch(rest, job_id, seen, AT_LEAST_S + TIMES_EXPECTED * expected_s)
            took_s = time.monotonic() - began
        job = rest.job(job_id)
        items = rest.results(job_id)
        verdict = judge(
            items,
            batch.expected,
            job,
            answered=answered(stack.client) - before,
            seen=seen,
            left=left_of(stack.client, job_id),
        )
        rest.delete(job_id)
        left = (*verdict.left, *left_of(stack.client))
    return Round(
        images=len(batch.order),
        expected_s=round(expected_s, 2),
        took_s=round(took_s, 2),
        verdict=CheckResult(verdict.lost, verdict.doubled, verdict.wrong, verdict.miscounted, left),
        steps=tuple(saboteur.done),
        missed=tuple(saboteur.missed),
        requeued=_requeued(stack) - requeued,
        away=dict(rest.away),
        strange=tuple(rest.strange),
    )


def _watch(rest: Rest, job_id: str, seen: dict[int, float], within_s: float) -> None:
    """Ask how far the job is until it has ended, and note answers on the way: none of them may change."""
    deadline = time.monotonic() + within_s
    start = 0
    while time.monotonic() < deadline:
        job = rest.job(job_id, wait_s=1.0)
        page = rest.ask("GET", f"/v1/jobs/{job_id}/results", Request({"limit": PAGE, "cursor": start})).json()
        start = int(page["next_cursor"] or 0)
        for item in page["items"]:
            seen.setdefault(item["index"], item["elapsed_ms"])
        if job["finished_at"] is not None:
            return
    raise SetupError(f"expected {job_id} to end within {within_s:.0f} s, received {job['counts']}")


def _requeued(stack: Stack) -> int:
    return int(stack.client.hget(keys.STATISTICS, "chunks_requeued") or 0)


def table(rounds: Sequence[Round]) -> str:
    """A Markdown table, a line a round, and the sum."""
    lines = [
        "| round | images | worker kills | Redis kills, pauses | API kills | undisturbed, s | took, s | requeued | "
        "requests away | lost | doubled | wrong | else |",
        "|---:|" + "---:|" * 11 + "---|",
    ]
    for number, each in enumerate(rounds, 1):
        verdict, (redis, pause, api) = each.verdict, (each.count(begin) for begin, _, _ in SINGLES)
        also = [*verdict.miscounted, *(f"left: {key}" for key in verdict.left), *each.strange, *_missed(each)]
        lines.append(
            f"| {number} | {each.images:,} | {each.count('kill worker')} | {redis}, {pause} | {api} | "
            f"{each.expected_s:.1f} | {each.took_s:.1f} | {each.requeued} | {sum(each.away.values())} | "
            f"{verdict.lost} | {verdict.doubled} | {verdict.wrong} | {'; '.join(also[:4]) or 'none'} |"
        )
    images, kills = sum(each.images for each in rounds), sum(each.count("kill worker") for each in rounds)
    lost, doubled = sum(each.verdict.lost for each in rounds), sum(each.verdict.doubled for each in rounds)
    lines += ["", f"{len(rounds)} rounds, {images:,} images, {kills} workers killed: {lost} lost, {doubled} doubled"]
    return "\n".join(lines)


def _missed(each: Round) -> list[str]:
    return [f"ended before: {fault}" for fault in each.missed]


def document(each: Round) -> dict[str, Any]:
    return asdict(each) | {"good": each.good}
