"""Jobs whose lives go in any order, against a model in plain Python: Redis agrees with it after each step."""

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from tests.workers.some_jobs import a_job, an_answer, holds_images, items_of, keys_of, uploads
from workers import keys
from workers.connection import connect
from workers.jobs.chunk import Chunk, record, take
from workers.jobs.record import Counts, Job, Status
from workers.jobs.recovery import sweep
from workers.jobs.store import Store, StoreFullError, TooManyJobsError
from workers.queue import ChunkQueue, rq_id
from workers.records import Idempotency
from workers.recovery import LOST_AFTER_S
from workers.redis_server import PrivateRedis

MAX_STORED, MAX_JOBS = 14, 4
OWNERS = ("ann", "bob")


@dataclass(slots=True)
class Life:
    """What a job should be: its stage, its images without an answer, and the answers it got, failed or not."""

    job: Job
    stage: str = "draft"  # draft, running, finished, cancelled, expired, gone
    started: bool = False
    pending: list[set[int]] = field(default_factory=list)
    answers: dict[int, tuple[str, bool]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.pending = [set(self.job.indexes(chunk)) for chunk in range(self.job.chunks)]

    @property
    def stored(self) -> int:
        if self.stage == "draft":
            return self.job.total
        return sum(map(len, self.pending)) if self.stage == "running" else 0

    @property
    def unanswered(self) -> set[str]:
        """RQ ids of the chunks that must be worked on."""
        return {
            rq_id(self.job.id, chunk) for chunk, left in enumerate(self.pending) if left and self.stage == "running"
        }

    @property
    def counts(self) -> Counts:
        return Counts(self.job.total, len(self.answers), sum(failed for _, failed in self.answers.values()))

    @property
    def status(self) -> Status:
        if self.stage in {"cancelled", "expired"}:
            return Status(self.stage)
        if self.stage == "running":
            return Status.RUNNING if self.started else Status.QUEUED
        failed = self.counts.failed
        return Status.SUCCEEDED if not failed else Status.FAILED if failed == self.job.total else Status.PARTIAL


class LifeCycle(RuleBasedStateMachine):
    """Owners, workers, sweeps and mishaps, one step at a time."""

    lives = Bundle("lives")
    held = Bundle("held")

    url: ClassVar[str]  # of the Redis that it goes on in

    def __init__(self) -> None:
        super().__init__()
        self.redis = connect(self.url)
        self.redis.flushall()
        self.queue = ChunkQueue("captcha", self.redis, 60)
        self.store = Store(self.redis, self.queue, max_stored=MAX_STORED, max_jobs=MAX_JOBS)
        self.all: list[Life] = []
        self.queued: Counter[str] = Counter()
        self.suspects: set[str] = set()
        self.made: dict[tuple[str, str], Life] = {}  # owner, Idempotency-Key -> the job made under it
        self.answered = 0

    def teardown(self) -> None:
        self.redis.close()

    @rule(target=lives, total=st.integers(1, 6), size=st.integers(1, 4), owner=st.sampled_from(OWNERS))
    def begin(self, total: int, size: int, owner: str) -> Life | None:
        life = Life(a_job(total, chunk_size=size, owner=owner))
        active = sum(each.stage == "running" and each.job.owner == owner for each in self.all)
        if active >= MAX_JOBS or self.stored + total > MAX_STORED:
            with pytest.raises(TooManyJobsError if active >= MAX_JOBS else StoreFullError):
                self.store.begin(life.job)
            life.stage = "gone"
        else:
            self.store.begin(life.job)
            self.store.put(life.job, uploads(total))
        self.all.append(life)
        return life

    @rule(life=lives, key=st.sampled_from((None, "a", "b")))
    def commit(self, life: Life, key: str | None) -> None:
        if life.stage != "draft":
            return
        made = self.store.commit(life.job, Idempotency(key, "same") if key else None)
        before = self.made.get((life.job.owner, key)) if key else None
        if before is not None and before.stage != "gone":
            assert made.id == before.job.id
            life.stage = "gone"
            return
        assert made == life.job
        life.stage = "running"
        self.queued.update(life.unanswered)
        if key:
            self.made[life.job.owner, key] = life

    @rule(life=lives)
    def discard(self, life: Life) -> None:
        if life.stage == "draft":
            self.store.discard(life.job)
            life.stage = "gone"

    @rule(life=lives)
    def upload_is_cut_off(self, life: Life) -> None:
        if life.stage == "draft":
            images = [keys.images(life.job.id, chunk) for chunk in range(life.job.chunks)]
            self.redis.delete(keys.draft(life.job.id), *images)  # as they run out
            self.sweep(aged=False)
            life.stage = "gone"

    @rule(target=held, life=lives, number=st.integers(0, 5))
    def take(self, life: Life, number: int) -> tuple[Life, Chunk | None]:
        number %= life.job.chunks
        chunk = take(self.redis, life.job.id, number)
        if life.stage == "running" and life.pending[number]:
            assert chunk is not None
            assert set(chunk.images) == life.pending[number]
            assert chunk.images == {index: uploads(6)[index] for index in chunk.images}
            life.started = True
        else:
            assert chunk is None
        return life, chunk

    @rule(held=held, part=st.sets(st.integers(0, 5)), failed=st.sets(st.integers(0, 5)), whole=st.booleans())
    def record(self, held: tuple[Life, Chunk | None], part: set[int], failed: set[int], whole: bool) -> None:
        life, chunk = held
        if chunk is None:
            return
        indexes = [index for index in chunk.images if whole or index in part]
        self.answered += 1
        by = str(self.answered)
        written = record(self.redis, chunk, [an_answer(i, by, failed=i in failed) for i in indexes])
        left = life.pending[chunk.number] if life.stage == "running" else set()
        fresh = [index for index in indexes if index in left]
        assert written == len(fresh)
        left.difference_update(fresh)
        life.answers |= {index: (by, index in failed) for index in fresh}
        if life.stage == "running" and not life.unanswered:
            life.stage = "finished"

    @rule(life=lives)
    def cancel(self, life: Life) -> None:
        assert self.store.cancel(life.job) is (life.stage == "running")
        if life.stage == "running":
            life.stage = "cancelled"

    @rule(life=lives)
    def forget(self, life: Life) -> None:
        if life.stage != "draft":
            self.store.forget(life.job)
            life.stage = "gone"

    @rule(life=lives)
    def expire(self, life: Life) -> None:
        if life.stage not in {"draft", "gone", "expired"}:
            self.redis.zadd(keys.EXPIRY, {life.job.id: time.time() - 1})
            life.stage = "expired"
            life.answers = {}
            self.sweep(aged=False)

    @rule(count=st.integers(1, 3))
    def queue_loses(self, count: int) -> None:
        """Popped by workers that died at once, or forgotten by Redis."""
        for _ in range(count):
            if (popped := self.redis.lpop(self.queue.rq.key)) is not None:
                self.queued -= Counter([popped.decode()])

    @rule(aged=st.booleans())
    def sweep(self, aged: bool) -> None:
        since = time.time() - (LOST_AFTER_S + 1 if aged else 0)
        if known := self.redis.zrange(keys.SUSPECTS, 0, -1):
            self.redis.zadd(keys.SUSPECTS, dict.fromkeys(known, since))
        self.redis.delete(keys.SWEEP_LOCK)
        missing = {name for life in self.all for name in life.unanswered} - set(self.queued)
        lost = missing & self.suspects if aged else set()
        assert sweep(self.redis, self.queue) == len(lost)
        self.queued.update(lost)
        self.suspects = missing - lost

    @property
    def stored(self) -> int:
        return sum(life.stored for life in self.all)

    @invariant()
    def each_job_is_as_the_model_says(self) -> None:
        for life in self.all:
            found = self.store.find(life.job.owner, life.job.id)
            if life.stage in {"draft", "gone"}:
                assert found is None
                assert life.stage == "draft" or keys_of(self.redis, life.job) == set()
                continue
            assert found is not None
            job, counts = found
            assert job.status(counts) is life.status
            assert (job.started_at is not None) == life.started
            assert (job.finished_at is not None) == (life.stage != "running")
            if life.stage != "expired":
                assert counts == life.counts
            answers = [{"index": index, "by": by} for index, (by, _) in sorted(life.answers.items())]
            assert items_of(self.store, job) == answers
            assert holds_images(self.redis, job) == (life.stage == "running")
            for chunk, left in enumerate(life.pending if life.stage == "running" else []):
                assert {int(each) for each in self.redis.smembers(keys.pending(job.id, chunk))} == left

    @invariant()
    def redis_holds_what_all_jobs_need(self) -> None:
        assert self.store.stored() == self.stored
        queued = Counter(each.decode() for each in self.redis.lrange(self.queue.rq.key, 0, -1))
        assert queued == self.queued
        assert {each.decode() for each in self.redis.zrange(keys.SUSPECTS, 0, -1)} == self.suspects
        running = {life.job.id for life in self.all if life.stage == "running"}
        assert {each.decode() for each in self.redis.zrange(keys.OPEN, 0, -1)} == running

    @invariant()
    def owners_see_their_jobs(self) -> None:
        for owner in OWNERS:
            own = [life for life in self.all if life.job.owner == owner]
            listed = [job.id for job, _ in self.store.page(owner, 100).items]
            shown = [life.job.id for life in own if life.stage not in {"draft", "gone"}]
            assert listed == sorted(shown, reverse=True)
            active = {life.job.id for life in own if life.stage == "running"}
            assert {each.decode() for each in self.redis.zrange(keys.active_of(owner), 0, -1)} == active


@pytest.mark.redis
def test_jobs_live_as_the_model_says(server: PrivateRedis) -> None:
    class Here(LifeCycle):
        url = server.url

    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=50,
            stateful_step_count=40,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
