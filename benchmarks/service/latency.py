"""``POST /v1/solve`` at several loads: requests at seeded times of chance, whatever the answers do; their times out.

Tested in ``tests/benchmarks/service/test_measure.py``.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import httpx
import numpy as np

from benchmarks.service.pictures import Pictures
from benchmarks.service.stack import Stack
from captcha_solver.errors import SetupError

AT_ONCE = 16  # requests under way while the capacity is measured
SHARES = (0.10, 0.25, 0.50, 0.75, 0.90)
HALF, WANTED_MS = 0.50, 50.0
CONNECTIONS = 200
ANSWER_S = 30.0
RAW = {"Content-Type": "image/png"}


@dataclass(frozen=True, slots=True)
class Load:
    """Times at one load, from when a request was due until its answer was there. ``late``: how long after it was due
    it was sent, that is how far the measuring was behind; ``own_cpu``: of one core, what the measuring took itself."""

    share: float
    per_s: float
    requests: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    late_p50_ms: float
    late_p99_ms: float
    own_cpu: float
    wrong: dict[str, int]

    @property
    def good(self) -> bool | None:
        """Whether the time wanted is kept, at the load it is wanted for."""
        return None if self.share != HALF else self.p99_ms <= WANTED_MS and not self.wrong


@dataclass(frozen=True, slots=True)
class _Sent:
    due_s: float
    sent_s: float
    over_s: float
    wrong: str | None


def capacity(stack: Stack, pictures: Pictures, seconds: float) -> float:
    """Requests a second with ``AT_ONCE`` under way all the time."""
    return asyncio.run(_capacity(stack, pictures, seconds))


async def _capacity(stack: Stack, pictures: Pictures, seconds: float) -> float:
    async with _client(stack) as client:
        await _ask(client, pictures, 0, 0.0)
        began = time.perf_counter()

        async def one_after_the_other(start: int) -> int:
            done = 0
            while time.perf_counter() - began < seconds:
                sent = await _ask(client, pictures, start + done, 0.0)
                if sent.wrong:
                    raise SetupError(f"expected the direct call's answer, received {sent.wrong}")
                done += 1
            return done

        counts = await asyncio.gather(*(one_after_the_other(17 * number) for number in range(AT_ONCE)))
        return sum(counts) / (time.perf_counter() - began)


def at_load(stack: Stack, pictures: Pictures, share: float, how: tuple[float, float, int]) -> Load:
    """Send for ``seconds`` at a share of the capacity. ``how``: capacity, seconds, seed."""
    whole, seconds, seed = how
    return asyncio.run(_at_load(stack, pictures, share, (share * whole, seconds, seed)))


async def _at_load(stack: Stack, pictures: Pictures, share: float, how: tuple[float, float, int]) -> Load:
    per_s, seconds, seed = how
    due = arrivals(per_s, seconds, np.random.default_rng([seed, round(100 * share)]))
    async with _client(stack) as client:
        await _ask(client, pictures, 0, 0.0)
        began, cpu = time.perf_counter(), time.process_time()
        tasks = []
        for number, at in enumerate(due):
            await asyncio.sleep(max(began + at - time.perf_counter(), 0.0))
            tasks.append(asyncio.create_task(_ask(client, pictures, number, began + at)))
        sent = await asyncio.gather(*tasks)
        own = (time.process_time() - cpu) / (time.perf_counter() - began)
    return summary(share, per_s, sent, own)


def arrivals(per_s: float, seconds: float, rng: np.random.Generator) -> list[float]:
    """When requests are due, seconds from the start: a Poisson process. At least one."""
    gaps = rng.exponential(1 / per_s, max(int(2 * per_s * seconds) + 20, 20))
    times = np.cumsum(gaps)
    return [float(at) for at in times[: max(int(np.searchsorted(times, seconds)), 1)]]


def summary(share: float, per_s: float, sent: Sequence["_Sent"], own_cpu: float) -> Load:
    took = [1e3 * (each.over_s - each.due_s) for each in sent]
    late = [1e3 * (each.sent_s - each.due_s) for each in sent]
    p50, p95, p99 = (float(np.percentile(took, q)) for q in (50, 95, 99))
    late_p50, late_p99 = (float(np.percentile(late, q)) for q in (50, 99))
    wrong = dict(Counter(each.wrong for each in sent if each.wrong))
    return Load(share, per_s, len(sent), p50, p95, p99, late_p50, late_p99, own_cpu, wrong)


async def _ask(client: httpx.AsyncClient, pictures: Pictures, number: int, due_s: float) -> _Sent:
    place = number % len(pictures.images)
    sent_s = time.perf_counter()
    try:
        answer = await client.post("/v1/solve", content=pictures.images[place], headers=RAW)
    except httpx.HTTPError as error:
        return _Sent(due_s, sent_s, time.perf_counter(), type(error).__name__)
    over_s = time.perf_counter()
    if answer.status_code != 200:
        return _Sent(due_s, sent_s, over_s, str(answer.status_code))
    right = answer.json()["text"] == pictures.answers[place].text
    return _Sent(due_s, sent_s, over_s, None if right else "another text")


def _client(stack: Stack) -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
    headers = {"Authorization": f"Bearer {stack.running.key}"}
    return httpx.AsyncClient(
        base_url=stack.running.url, headers=headers, limits=limits, timeout=ANSWER_S, trust_env=False
    )


def table(per_s: float, loads: Sequence[Load]) -> str:
    """A Markdown table."""
    lines = [
        f"Capacity, {AT_ONCE} requests under way: {per_s:.0f} requests/s",
        "",
        "| load | requests/s | requests | p50, ms | p95, ms | p99, ms | sent late, p50 / p99, ms | "
        f"own CPU, of a core | wrong | p99 <= {WANTED_MS:.0f} ms |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|---|---|",
    ]
    for each in loads:
        wrong = ", ".join(f"{what}: {count}" for what, count in each.wrong.items()) or "none"
        good = "" if each.good is None else "yes" if each.good else "no"
        times = f"{each.p50_ms:.1f} | {each.p95_ms:.1f} | {each.p99_ms:.1f}"
        own = f"{each.late_p50_ms:.2f} / {each.late_p99_ms:.2f} | {100 * each.own_cpu:.0f} %"
        lines.append(
            f"| {100 * each.share:.0f} % | {each.per_s:.1f} | {each.requests} | {times} | {own} | {wrong} | {good} |"
        )
    return "\n".join(lines)
