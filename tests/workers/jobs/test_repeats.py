"""Requests that come twice: under an Idempotency-Key, at the same time, or because a reply was lost."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.workers.lossy import LossyWire
from tests.workers.some_jobs import LIMITS, a_job, events_of, keys_of, submit, uploads
from workers.connection import Client, Pipe, connect
from workers.jobs.record import Counts, Job
from workers.jobs.store import Store
from workers.queue import ChunkQueue
from workers.records import Idempotency, KeyReusedError, Records
from workers.redis_server import PrivateRedis

pytestmark = pytest.mark.redis
REQUEST = Idempotency("k" * 64, "f" * 64)


@pytest.fixture
def wire(server: PrivateRedis) -> Iterator[LossyWire]:
    with (
        TemporaryDirectory(prefix="wire-") as folder,
        LossyWire(server.socket, Path(folder) / "lossy.sock") as between,
    ):
        yield between


def test_the_same_request_again_is_the_same_job(store: Store, redis: Client) -> None:
    assert store.made_by("ann", REQUEST) is None
    first = submit(store, a_job(2), same_as=REQUEST)
    second = a_job(2)
    assert submit(store, second, same_as=REQUEST) == first
    assert store.made_by("ann", REQUEST) == first
    assert keys_of(redis, second) == set()
    assert store.stored() == 2
    assert len(store.queue) == 1


def test_another_request_under_the_same_key_is_refused(store: Store, redis: Client) -> None:
    submit(store, a_job(2), same_as=REQUEST)
    other = Idempotency(REQUEST.key_sha256, "0" * 64)
    with pytest.raises(KeyReusedError, match="used for another request"):
        store.made_by("ann", other)
    with pytest.raises(KeyReusedError, match="used for another request"):
        submit(store, a_job(2), same_as=other)
    assert len(store.page("ann", 10).items) == 1


def test_keys_are_an_owners_own(store: Store) -> None:
    first = submit(store, a_job(1), same_as=REQUEST)
    assert submit(store, a_job(1, owner="bob"), same_as=REQUEST).id != first.id


def test_a_forgotten_job_frees_its_key(store: Store) -> None:
    first = submit(store, a_job(1), same_as=REQUEST)
    store.forget(first)
    assert store.made_by("ann", REQUEST) is None
    assert submit(store, a_job(1), same_as=REQUEST).id != first.id


def test_of_two_commits_at_once_one_is_made(
    store: Store, redis: Client, queue: ChunkQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another commits the same request between the look for a job made before and the MULTI."""
    looked, rival = Records.made_by, a_job(2)
    rivals = [rival]

    def racing(self: Records[Job, Counts], redis: Client | Pipe, owner: str, idempotency: Idempotency) -> Job | None:
        found = looked(self, redis, owner, idempotency)
        if rivals:
            submit(store, rivals.pop(), same_as=idempotency)
        return found

    late = a_job(2)
    monkeypatch.setattr(Records, "made_by", racing)
    made = submit(store, late, same_as=REQUEST)
    assert made == rival
    assert [job for job, _ in store.page("ann", 10).items] == [made]
    assert keys_of(redis, late) == set()
    assert (store.stored(), len(queue)) == (2, 1)


@pytest.mark.parametrize("same_as", [None, REQUEST])
def test_a_commit_nobody_heard_of_is_not_made_again(
    wire: LossyWire, redis: Client, same_as: Idempotency | None
) -> None:
    with closing(connect(wire.url)) as cut:
        store = Store(cut, ChunkQueue("captcha", cut, 60), **LIMITS)
        job = store.begin(a_job(2))
        store.put(job, uploads(2))
        wire.lose()
        assert store.commit(job, same_as) == job
    assert wire.lost == 1
    assert len(store.queue) == 1
    assert events_of(redis, job) == ["queued"]
    assert store.stored() == 2
