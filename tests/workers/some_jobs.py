"""Jobs, images and answers for tests, the state of one job as Redis has it, and a reader without a network."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypedDict

from captcha_solver.decoding.decode import Constraints
from captcha_solver.errors import OptionError
from captcha_solver.solver import Solver
from captcha_solver.types import Solution
from captcha_solver.voting import VoteFit, parse_views
from tests.fakes import FakeRecognizer, picture
from workers import keys
from workers.connection import Client
from workers.jobs.reader import Reader
from workers.jobs.record import Answer, Counts, Job, StoredOptions, Upload
from workers.jobs.store import JOBS, Store
from workers.records import Idempotency, new_id

TIMEOUT_S = 60
FAKE_SHA256 = "f" * 64  # as FakeRecognizer has it
TEXTS = ("CAT", "dog", "7")


class Limits(TypedDict):
    max_stored: int
    max_jobs: int


LIMITS: Limits = {"max_stored": 1000, "max_jobs": 50}


def a_job(total: int = 5, *, chunk_size: int = 2, owner: str = "ann", **others: Any) -> Job:
    """A job that is not stored yet, created now and kept for an hour; 5 images make chunks of 2, 2 and 1."""
    now = time.time()
    job = Job(new_id("job"), owner, total, chunk_size, StoredOptions("fake"), FAKE_SHA256, now, now + 3600)
    return replace(job, **others)


def uploads(count: int) -> list[Upload]:
    """Pictures that the fake reader reads as ``TEXTS``, over and over; the first of them has a label."""
    return [Upload(f"{i}.png", picture(i % len(TEXTS)), "cat" if i == 0 else None) for i in range(count)]


def submit(store: Store, job: Job, images: Sequence[Upload] | None = None, same_as: Idempotency | None = None) -> Job:
    """Begin, store and commit a job."""
    begun = store.begin(job)
    store.put(begun, uploads(job.total) if images is None else images)
    return store.commit(begun, same_as)


def an_answer(index: int, by: str = "first", *, failed: bool = False, correct: bool | None = None) -> Answer:
    """An answer that tells who gave it."""
    return Answer(index, failed, correct, json.dumps({"index": index, "by": by}))


def counts_of(redis: Client, job: Job) -> Counts:
    ((_, counts),) = JOBS.fetch(redis, [job.id])
    return counts


def job_of(redis: Client, job: Job) -> Job:
    ((found, _),) = JOBS.fetch(redis, [job.id])
    return found


def items_of(store: Store, job: Job) -> list[dict[str, Any]]:
    """All answers of a job, by index."""
    return [json.loads(item) for item in store.items(job, 0, job.total)]


def events_of(redis: Client, job: Job) -> list[str]:
    """The kinds of a job's events, oldest first."""
    return [entry[b"event"].decode() for _, entry in redis.xrange(keys.events(job.id))]


def keys_of(redis: Client, job: Job) -> set[str]:
    """The keys named after a job, without those that RQ has for it."""
    return {key.decode() for key in redis.keys(f"{keys.job(job.id)}*")}


def holds_images(redis: Client, job: Job) -> bool:
    """Whether Redis keeps what only an unfinished job needs."""
    kept = [*(keys.images(job.id, chunk) for chunk in range(job.chunks)), keys.chunks(job.id)]
    kept += [keys.pending(job.id, chunk) for chunk in range(job.chunks)]
    listed = redis.zscore(keys.OPEN, job.id) is not None or redis.zscore(keys.active_of(job.owner), job.id) is not None
    return bool(redis.exists(*kept) or redis.hexists(keys.STORED, job.id) or listed)


def until(condition: Callable[[], object], within_s: float = 30.0) -> None:
    """Wait for a condition, and fail where it does not come to hold in time."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"expected within {within_s:.0f} s what did not come"
        time.sleep(0.02)


class BreakingSolver(Solver):
    """Raises as long as the image ``bad`` is among those it is given, as an odd image may make a library do."""

    def __init__(self, recognizer: FakeRecognizer, bad: bytes) -> None:
        super().__init__(recognizer, Constraints())
        self._bad = bad
        self.asked: list[int] = []

    def solve_batch(self, images: Sequence[bytes]) -> list[Solution]:
        self.asked.append(len(images))
        if self._bad in images:
            raise MemoryError("an odd image")
        return super().solve_batch(images)


class FakeReader(Reader):
    """Has one model, ``fake``, which reads ``TEXTS`` off an image's colour, and breaks at the image ``bad``.

    It is unsure of all that it reads.
    """

    def __init__(self, bad: bytes = b"none", sha256: str = FAKE_SHA256) -> None:
        super().__init__([])
        self.made = BreakingSolver(FakeRecognizer(TEXTS), bad)
        self._sha256 = sha256

    @property
    def models(self) -> Mapping[str, str]:
        return {"fake": self._sha256}

    def solver(self, options: StoredOptions) -> Solver:
        if options.charset == "none of these":
            raise OptionError("expected a charset, received none of these")
        self.made.views = parse_views(options.views, VoteFit(1.0))
        return self.made
