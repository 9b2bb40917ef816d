"""RQ jobs of chunks: ids alone travel, as JSON, and the queue knows which chunks it has."""

import json
import zlib

import pytest
from rq.registry import StartedJobRegistry

from tests.workers.some_jobs import TIMEOUT_S, a_job, submit
from workers.connection import Client
from workers.jobs.store import Store
from workers.queue import ChunkQueue, chunk_of, rq_id


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("job_0a-0", ("job_0a", 0)),
        ("job_0a-17", ("job_0a", 17)),
        ("a-b-3", ("a-b", 3)),
        ("job_0a", None),
        ("job_0a-", None),
        ("-3", None),
        ("job_0a-x", None),
        ("job_0a--1", ("job_0a-", 1)),
        ("", None),
    ],
)
def test_ids_lead_back_to_their_chunks(name: str, place: tuple[str, int] | None) -> None:
    assert chunk_of(name) == place
    if place:
        assert rq_id(*place) == name


@pytest.mark.redis
def test_ids_alone_travel_and_as_json(store: Store, redis: Client) -> None:
    job = submit(store, a_job(3))
    kept = redis.hgetall(f"rq:job:{rq_id(job.id, 1)}")
    assert json.loads(zlib.decompress(kept[b"data"])) == ["workers.jobs.runner.solve_chunk", None, [job.id, 1], {}]
    assert kept[b"timeout"] == str(TIMEOUT_S).encode()
    assert (kept[b"retries_left"], kept[b"result_ttl"]) == (b"3", b"0")
    assert sum(map(len, kept.values())) < 600, "no image is in it"


@pytest.mark.redis
def test_known_are_the_queued_and_those_whose_worker_lives(store: Store, redis: Client, queue: ChunkQueue) -> None:
    job = submit(store, a_job(8))
    for _ in range(3):
        redis.lpop(queue.rq.key)
    now = redis.time()[0]
    started = StartedJobRegistry(queue=queue.rq).key
    redis.zadd(started, {f"{rq_id(job.id, 0)}:execution": now + 60, f"{rq_id(job.id, 1)}:execution": now - 1})
    assert queue.known() == {rq_id(job.id, 0), rq_id(job.id, 3)}
    assert len(queue) == 1
