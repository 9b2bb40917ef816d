"""Whether a job is as it should be: what was lost, doubled, wrong, or left behind.

Tested in ``tests/benchmarks/chaos/test_scenarios.py``.
"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.service.pictures import Expected
from workers import keys
from workers.connection import Client

GONE_WITHIN_S = 40.0
LOOK_EVERY_S = 0.5
NOTES = ":idempotency:"  # what a request made is remembered for a day, so that it is not made twice
KEPT = (  # what belongs to no job: counters, locks and words of workers, all small and most of them running out
    keys.STATISTICS,
    keys.SWEEP_LOCK,
    keys.WORKERS,
    f"{keys.PREFIX}:worker:",
    "rq:queues",
    "rq:workers",
    "rq:worker:",
    "rq:clean_registries:",
    "rq:clean_groups",
    "LIMITS:",
)


@dataclass(frozen=True, slots=True)
class CheckResult:
    """How a job ended. Every number is 0 and every list empty, where all is as it should be."""

    lost: int  # images without an answer
    doubled: int  # answers beyond one an image: in the results, in the counts, or written over
    wrong: int  # answers other than the direct call's
    miscounted: tuple[str, ...]  # counts that do not agree
    left: tuple[str, ...]  # keys in Redis that should be gone

    @property
    def good(self) -> bool:
        return not (self.lost or self.doubled or self.wrong or self.miscounted or self.left)


def judge(
    items: Sequence[Mapping[str, Any]],
    expected: Mapping[str, Expected],
    job: Mapping[str, Any],
    *,
    answered: int,
    seen: Mapping[int, float],
    left: Sequence[str] = (),
) -> CheckResult:
    """Compare. ``answered``: answers written, as the service counts them; ``seen``: index -> elapsed_ms, while it ran.

    An answer that was seen and then written over shows in its time, which no two readings of an image share.
    """
    names = list(expected)
    times = Counter(int(item["index"]) for item in items)
    by_index = {int(item["index"]): item for item in items}
    rewritten = sum(index in by_index and by_index[index]["elapsed_ms"] != ms for index, ms in seen.items())
    total, counts = len(names), job["counts"]
    failed = sum(item["status"] == "failed" for item in items)
    should_fail = sum(each.text is None for each in expected.values())
    told = {
        "total": (total, counts["total"]),
        "done": (total, counts["done"]),
        "failed": (failed, counts["failed"]),
        "answered": (total, answered),
        "status": (_status(should_fail, total), job["status"]),
    }
    return CheckResult(
        lost=sum(index not in times for index in range(total)),
        doubled=sum(number - 1 for number in times.values()) + max(answered - total, 0) + rewritten,
        wrong=sum(not _right(item, names, expected) for item in items),
        miscounted=tuple(
            f"{what}: {should} expected, {is_} told" for what, (should, is_) in told.items() if should != is_
        ),
        left=tuple(left),
    )


def _status(failed: int, total: int) -> str:
    return "succeeded" if failed == 0 else "failed" if failed == total else "partial"


def _right(item: Mapping[str, Any], names: Sequence[str], expected: Mapping[str, Expected]) -> bool:
    index = int(item["index"])
    if not 0 <= index < len(names) or item["id"] != names[index]:
        return False
    return expected[names[index]] == Expected(item["text"], item["confidence"])


def answered(redis: Client) -> int:
    """Answers that workers have written since this Redis began."""
    solved, failed = redis.hmget(keys.STATISTICS, ["images_solved", "images_failed"])
    return int(solved or 0) + int(failed or 0)


def left_of(redis: Client, job_id: str | None = None) -> list[str]:
    """Keys that should be gone: of a finished job all but its record and answers, of a removed one everything.

    Looked at again until they are gone or time is up: RQ's leases and suspicions run out by themselves.
    """
    kept = _kept_of(redis, job_id) if job_id else set()
    deadline = time.monotonic() + GONE_WITHIN_S
    while left := [key for key in _all(redis) if key not in kept and not key.startswith(KEPT) and NOTES not in key]:
        if time.monotonic() > deadline:
            break
        time.sleep(LOOK_EVERY_S)
    return sorted(left)


def _all(redis: Client) -> list[str]:
    return [key.decode() for key in redis.scan_iter(count=1000)]


def _kept_of(redis: Client, job_id: str) -> set[str]:
    owner = redis.hget(keys.job(job_id), "owner").decode()
    own = (keys.job, keys.counts, keys.results, keys.events, keys.attempts)
    return {*(key(job_id) for key in own), keys.jobs_of(owner), keys.EXPIRY}
