"""Other things that go wrong: what was seen of the service, and what should not have been."""

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from benchmarks.chaos.check import answered, judge, left_of
from benchmarks.chaos.clients import half_upload, open_files, sent_and_left, watched_and_left
from benchmarks.service.client import Rest, is_problem
from benchmarks.service.pictures import Batch, Pictures, batch
from benchmarks.service.stack import Stack
from captcha_solver.client.service import PLAIN, Request

SOME = 500  # images of a small job
WITHIN_S = 60.0
LOOK_EVERY_S = 0.25
SPARE_FILES = 3  # connections that the API keeps open for the next request
WATCHERS = 8


@dataclass(frozen=True, slots=True)
class Setting:
    """What a scenario plays with. ``images``: of its largest job, and all that the store takes at once."""

    stack: Stack
    pictures: Pictures
    rng: np.random.Generator
    images: int
    away_s: float

    def batch(self, count: int) -> Batch:
        return batch(self.pictures, count, self.rng)


@dataclass(frozen=True, slots=True)
class Outcome:
    """``seen``: figures worth telling; ``wrong``: what should not have been."""

    scenario: str
    took_s: float
    seen: dict[str, float]
    wrong: tuple[str, ...]

    @property
    def good(self) -> bool:
        return not self.wrong


class Notes:
    """What a scenario writes down on its way."""

    def __init__(self) -> None:
        self.seen: dict[str, float] = {}
        self.wrong: list[str] = []

    def check(self, fine: bool, otherwise: str) -> None:
        if not fine:
            self.wrong.append(otherwise)


def run_scenario(name: str, setting: Setting) -> Outcome:
    """One of ``SCENARIOS``; whatever it leaves in Redis is wrong."""
    notes = Notes()
    began = time.monotonic()
    with Rest(setting.stack.running.url, setting.stack.running.key, patience_s=max(2 * WITHIN_S, 120)) as rest:
        SCENARIOS[name](setting, rest, notes)
        notes.wrong += rest.strange
    notes.wrong += [f"left: {key}" for key in left_of(setting.stack.client)]
    return Outcome(name, round(time.monotonic() - began, 2), notes.seen, tuple(notes.wrong))


def unfinished_upload(setting: Setting, rest: Rest, notes: Notes) -> None:
    """Uploads that stop half-way, more of them than may be received at once; then one that does not."""
    stack, whole = setting.stack, setting.batch(SOME)
    files = open_files(stack.api.pid)
    count = stack.running.settings.max_uploads + 2
    for number in range(count):
        half_upload(rest, whole.zipped(), abruptly=number % 2 == 1)
    notes.seen["cut off"] = count
    notes.check(_until(lambda: _stored(rest) == 0), "images are stored of uploads that were cut off")
    notes.check(_until(lambda: open_files(stack.api.pid) <= files + SPARE_FILES), "the API keeps files of cut uploads")
    _solved(setting, rest, notes, whole)


def disconnect(setting: Setting, rest: Rest, notes: Notes) -> None:
    """Clients that stop watching a job, and one that leaves when all is sent, before it hears of its job."""
    stack, whole = setting.stack, setting.batch(SOME)
    with _stopped(stack.worker_pids):
        job_id = str(rest.submit(whole.zipped())["id"])
        for number in range(WATCHERS):
            watched_and_left(rest, job_id, abruptly=number % 2 == 1)
        notes.seen["watchers gone"] = WATCHERS
        notes.check(_until(lambda: _watching(stack) == 0), "the API waits for news that nobody wants")
    _ended(rest, notes, whole, job_id)
    rest.delete(job_id)
    key = f"left-{time.time_ns()}"
    sent_and_left(rest, whole.zipped(), key)
    job_id = str(rest.submit(whole.zipped(), key=key)["id"])
    listed = rest.ask("GET", "/v1/jobs").json()["items"]
    notes.check([job["id"] for job in listed] == [job_id], f"one job expected, {len(listed)} made")
    _ended(rest, notes, whole, job_id)
    rest.delete(job_id)


def full(setting: Setting, rest: Rest, notes: Notes) -> None:
    """A job that fills the store while no worker works; another is refused until there is room."""
    first, second = setting.batch(setting.images), setting.batch(SOME)
    zipped = second.zipped()
    with _stopped(setting.stack.worker_pids):
        before = answered(setting.stack.client)
        filling = str(rest.submit(first.zipped())["id"])
        refused = _refusal(rest, zipped, notes)
        ready = rest.once("GET", "/readyz")
        notes.check(ready is not None and ready.status_code == 503, "a full service says that it is ready")
    refusals, began = 1, time.monotonic()
    while True:
        time.sleep(refused)
        answer = rest.once("POST", "/v1/jobs", Request(content=zipped, headers={"Content-Type": "application/zip"}))
        if answer is not None and answer.status_code == 202:
            break
        refusals += 1
        if time.monotonic() - began > WITHIN_S + 20 * first.pictures.each_s * setting.images:
            notes.wrong.append("never accepted, although there must have been room")
            return
    notes.seen |= {"refused": refusals, "accepted after, s": round(time.monotonic() - began, 1)}
    waiting = str(answer.json()["id"])
    for job_id, each in ((filling, first), (waiting, second)):
        _ended(rest, notes, each, job_id)
        rest.delete(job_id)
    told = answered(setting.stack.client) - before
    notes.check(told == setting.images + SOME, f"{setting.images + SOME} answers expected, {told} written")


def away(setting: Setting, rest: Rest, notes: Notes) -> None:
    """Redis is gone for a while, in the middle of a job: 503, nothing dies, and all resumes by itself."""
    stack, whole = setting.stack, setting.batch(max(setting.images // 4, SOME))
    job_id = str(rest.submit(whole.zipped())["id"])
    api, workers = stack.api.pid, stack.worker_pids
    stack.redis.kill()
    try:
        slowest = _asked_meanwhile(setting, rest, job_id, notes)
    finally:
        stack.redis.start()
    back = time.monotonic()
    notes.check(_until(lambda: _status(rest, "/readyz") == 200), "not ready after Redis has come back")
    notes.seen |= {"slowest answer, s": round(slowest, 2), "ready after, s": round(time.monotonic() - back, 2)}
    _ended(rest, notes, whole, job_id)
    notes.seen["job ended after, s"] = round(time.monotonic() - back, 1)
    rest.delete(job_id)
    notes.check(stack.api.poll() is None and stack.api.pid == api, "the API has died")
    notes.check(stack.worker_pids == workers, "workers have died")
    _solved(setting, rest, notes, setting.batch(SOME))


SCENARIOS: dict[str, Callable[[Setting, Rest, Notes], None]] = {
    "upload": unfinished_upload,
    "disconnect": disconnect,
    "full": full,
    "away": away,
}


def _asked_meanwhile(setting: Setting, rest: Rest, job_id: str, notes: Notes) -> float:
    """Ask all sorts of things until Redis comes back. The slowest answer, seconds."""
    image = setting.pictures.images[0]
    raw = {"Content-Type": "image/png"}
    requests: list[tuple[str, str, Request, int]] = [
        ("GET", "/healthz", PLAIN, 200),
        ("GET", "/readyz", PLAIN, 503),
        ("GET", f"/v1/jobs/{job_id}", PLAIN, 503),
        ("POST", "/v1/solve", Request(content=image, headers=raw), 503),
        ("GET", f"/v1/jobs/{job_id}/results", PLAIN, 503),
    ]
    slowest, until, asked = 0.0, time.monotonic() + setting.away_s, 0
    while time.monotonic() < until:
        for method, path, sent, status in requests:
            began = time.monotonic()
            answer = rest.once(method, path, sent)
            slowest = max(slowest, time.monotonic() - began)
            got = None if answer is None else answer.status_code
            notes.check(got == status, f"{method} {path.replace(job_id, '{id}')} without Redis: {got}, not {status}")
            asked += 1
        time.sleep(LOOK_EVERY_S)
    notes.seen["asked"] = asked
    return slowest


def _refusal(rest: Rest, zipped: bytes, notes: Notes) -> float:
    """Submit what there is no room for. The seconds that Retry-After asks for."""
    answer = rest.once("POST", "/v1/jobs", Request(content=zipped, headers={"Content-Type": "application/zip"}))
    if answer is None or answer.status_code != 503 or not is_problem(answer) or answer.json()["code"] != "store_full":
        notes.wrong.append(f"503 store_full expected, received {answer and answer.text[:120]}")
        return 1.0
    return float(answer.headers.get("Retry-After", 1))  # without one, it is noted already


def _solved(setting: Setting, rest: Rest, notes: Notes, whole: Batch) -> None:
    """A job from its submission to its removal, as it should be."""
    job_id = str(rest.submit(whole.zipped())["id"])
    _ended(rest, notes, whole, job_id)
    rest.delete(job_id)


def _ended(rest: Rest, notes: Notes, whole: Batch, job_id: str) -> None:
    """Wait for a job's end and judge it."""
    count = len(whole.order)
    job = rest.finished(job_id, 2 * WITHIN_S + 20 * whole.pictures.each_s * count)
    verdict = judge(rest.results(job_id), whole.expected, job, answered=count, seen={})
    notes.check(verdict.good, f"{verdict.lost} lost, {verdict.doubled} doubled, {verdict.wrong} wrong")
    notes.wrong += verdict.miscounted


@contextmanager
def _stopped(pids: Sequence[int]) -> Iterator[None]:
    """Hold the workers still, so that what waits for them still waits."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def _until(holds: Callable[[], bool]) -> bool:
    """Whether it comes to hold in time."""
    deadline = time.monotonic() + WITHIN_S
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(LOOK_EVERY_S)
    return True


def _status(rest: Rest, path: str) -> int | None:
    answer = rest.once("GET", path)
    return None if answer is None else answer.status_code


def _stored(rest: Rest) -> int:
    return int(rest.ask("GET", "/readyz").json()["stored_images"])


def _watching(stack: Stack) -> int:
    """Connections that wait for a job's events."""
    return sum(each["cmd"] == "xread" and "b" in each["flags"] for each in stack.client.client_list())


def table(outcomes: Sequence[Outcome]) -> str:
    """A Markdown table, a line a scenario."""
    lines = ["| scenario | took, s | seen | wrong |", "|---|---:|---|---|"]
    for each in outcomes:
        seen = ", ".join(f"{what}: {value:g}" for what, value in each.seen.items())
        lines.append(f"| {each.scenario} | {each.took_s:.1f} | {seen} | {'; '.join(each.wrong[:5]) or 'nothing'} |")
    return "\n".join(lines)
