"""Uploads that no honest client sends: none is a 5xx, ends a process, fills the memory, or stops the next image."""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pytest

from captcha_solver.types import Sample
from tests.api.hostile import Case, corpus, forget_peak, peak_mib, send, wrong
from tests.api.services import Live, until

pytestmark = [
    pytest.mark.redis,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is read from /proc"),
]

LEAST = 200
MOST_MIB = {"api": 450.0, "worker": 300.0}  # measured: 285 and 150
KINDS = ("image", "zip", "form", "file name", "JSON", "other")


@dataclass(frozen=True, slots=True)
class Memory:
    """The processes of the service, and the peak of each."""

    pids: dict[str, int]

    def peaks(self) -> dict[str, float]:
        return {name: round(peak_mib(pid), 1) for name, pid in self.pids.items()}


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    return list(corpus())


@pytest.fixture(scope="module")
def memory(live: Live, record_testsuite_property: Callable[[str, object], None]) -> Iterator[Memory]:
    """Measured over the whole of this module."""
    (worker,) = live.running.pool.pids
    measured = Memory({"api": live.running.api.pid, "worker": worker})
    for pid in measured.pids.values():
        forget_peak(pid)
    yield measured
    record_testsuite_property("peak MiB", measured.peaks())
    sys.stderr.write(f"\npeak memory over the hostile corpus, MiB: {measured.peaks()}\n")


def kind(case: Case) -> str:
    found = case.sent.name.split(":")[0]
    return found if found in KINDS else "other"


def test_the_corpus_is_large_and_each_case_has_its_name(cases: Sequence[Case]) -> None:
    names = [case.sent.name for case in cases]
    assert len(set(names)) == len(names) >= LEAST
    assert {kind(case) for case in cases} == set(KINDS)


@pytest.mark.parametrize("of", KINDS)
def test_each_is_answered_and_the_service_goes_on(
    live: Live, memory: Memory, cases: Sequence[Case], samples: Sequence[Sample], of: str
) -> None:
    found, jobs = [], []
    for case in cases:
        if kind(case) == of:
            reply = send(live.address, case.sent)
            found.append(wrong(case, reply))
            if reply.status == 202:
                jobs.append(reply.body["id"])
    problems = [each for each in found if each]
    assert not problems, "\n".join(problems)
    unfinished = [
        job["status"] for job in map(live.finished, jobs) if job["status"] not in {"succeeded", "partial", "failed"}
    ]
    assert not unfinished
    good = live.mine.post("/v1/solve", content=samples[0].image, headers={"Content-Type": "image/png"})
    assert (good.status_code, good.json()["text"]) == (200, samples[0].text)
    assert live.running.pool.pids == [memory.pids["worker"]]
    assert live.running.api.poll() is None
    peaks = memory.peaks()
    assert all(peaks[name] < most for name, most in MOST_MIB.items()), peaks
    until(lambda: '"stored_images":0' in live.mine.get("/readyz").text)
