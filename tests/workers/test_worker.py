"""Whole worker processes with the shipped model answer jobs, whatever happens to workers and Redis."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from captcha_solver.cli.demo import drawn
from captcha_solver.solver import Solver, load_solver
from captcha_solver.types import Solution
from tests.paths import ROOT
from tests.workers.running import exit_code, ready, running, until_ready
from tests.workers.some_jobs import a_job, counts_of, events_of, holds_images, items_of, job_of, submit, until
from workers import keys
from workers.connection import Client, connect
from workers.jobs.record import Counts, Job, Status, StoredOptions, Upload
from workers.jobs.store import Store
from workers.queue import ChunkQueue
from workers.redis_server import PrivateRedis

pytestmark = pytest.mark.redis
RECOVERED_WITHIN_S = 30.0


@pytest.fixture(scope="module")
def solver() -> Solver:
    return load_solver("sliding", views=1)


@pytest.fixture(scope="module")
def images() -> list[bytes]:
    """Images of two designs, and two that are none."""
    samples = drawn("plain", range(10), 0) + drawn("note", range(6), 0)
    return [*(sample.image for sample in samples), b"no image", b""]


@pytest.fixture(scope="module")
def direct(solver: Solver, images: list[bytes]) -> list[Solution]:
    return solver.solve_batch(images)


def sliding_job(solver: Solver, total: int, *, chunk_size: int) -> Job:
    return a_job(
        total,
        chunk_size=chunk_size,
        options=StoredOptions("sliding"),
        model_sha256=solver.recognizer.model_sha256,
    )


def over_and_over(images: Sequence[bytes], total: int) -> list[Upload]:
    return [Upload(f"{index}.png", images[index % len(images)]) for index in range(total)]


def check_all(store: Store, job: Job, direct: Sequence[Solution]) -> None:
    """Each image has one answer, the direct call's, and the counts are those of the answers."""
    items = items_of(store, job)
    assert [item["index"] for item in items] == list(range(job.total))
    for item in items:
        check_one(item, direct[item["index"] % len(direct)])
    failed = sum(item["status"] == "failed" for item in items)
    assert counts_of(store.redis, job) == Counts(job.total, done=job.total, failed=failed)
    statistics = {name.decode(): int(value) for name, value in store.redis.hgetall(keys.STATISTICS).items()}
    assert statistics["images_solved"] + statistics["images_failed"] == job.total, "none was answered twice"
    assert events_of(store.redis, job).count("finished") == 1
    assert job_of(store.redis, job).finished_at is not None
    assert not holds_images(store.redis, job)


def check_one(item: dict[str, Any], expected: Solution) -> None:
    assert item["text"] == (expected.text or None)
    assert item["status"] == ("failed" if expected.failure else "solved")
    assert (item["error"] or {}).get("detail") == expected.failure
    if not expected.failure:
        assert item["confidence"] == pytest.approx(expected.confidence, abs=1e-4)
        assert [each["character"] for each in item["characters"]] == list(expected.text)


def done(redis: Client, job: Job) -> int:
    return counts_of(redis, job).done


def test_burst_answers_what_is_queued_as_the_library_does(
    server: PrivateRedis, store: Store, redis: Client, solver: Solver, images: list[bytes], direct: list[Solution]
) -> None:
    job = submit(store, sliding_job(solver, 40, chunk_size=16), over_and_over(images, 40))
    with running(server.url, "--burst") as worker:
        assert exit_code(worker) == 0
    check_all(store, job, direct)
    assert job_of(redis, job).status(counts_of(redis, job)) is Status.PARTIAL
    assert redis.llen(store.queue.rq.key) == 0
    assert ready(redis) == {}, "it has taken its word back"


def test_a_killed_workers_chunk_is_finished_by_another(
    server: PrivateRedis, store: Store, redis: Client, solver: Solver, images: list[bytes], direct: list[Solution]
) -> None:
    job = sliding_job(solver, 512, chunk_size=256)
    with running(server.url) as first:
        until_ready(redis)
        submit(store, job, over_and_over(images, 512))
        until(lambda: done(redis, job) > 0)
        first.kill()
        first.wait()
        answered = done(redis, job)
        assert 0 < answered < 256, "it died in the middle of a chunk"
        with running(server.url):
            until(lambda: done(redis, job) == 512, RECOVERED_WITHIN_S)
            until(lambda: job_of(redis, job).finished_at is not None)
    check_all(store, job, direct)


def test_sigterm_lets_the_chunk_end_and_begins_no_other(
    server: PrivateRedis, store: Store, redis: Client, solver: Solver, images: list[bytes]
) -> None:
    job = sliding_job(solver, 512, chunk_size=256)
    with running(server.url) as worker:
        until_ready(redis)
        submit(store, job, over_and_over(images, 512))
        until(lambda: done(redis, job) > 0)
        worker.terminate()
        assert done(redis, job) < 256
        assert exit_code(worker) == 0
    assert done(redis, job) == 256
    assert store.queue.known() == {f"{job.id}-1"}
    assert ready(redis) == {}


def test_max_jobs_bounds_a_process(
    server: PrivateRedis, store: Store, redis: Client, solver: Solver, images: list[bytes]
) -> None:
    job = submit(store, sliding_job(solver, 6, chunk_size=2), over_and_over(images, 6))
    with running(server.url, "--max-jobs", "2") as worker:
        assert exit_code(worker) == 0
    assert done(redis, job) == 4
    assert store.queue.known() == {f"{job.id}-2"}


def test_a_pool_replaces_a_dead_worker_and_drains(
    server: PrivateRedis, store: Store, redis: Client, solver: Solver, images: list[bytes], direct: list[Solution]
) -> None:
    with running(server.url, "--processes", "2") as pool:
        first = until_ready(redis, 2)
        os.kill(first[0], signal.SIGKILL)
        replaced = until_ready(redis, 2, but=first[:1])
        assert first[1] in replaced
        job = submit(store, sliding_job(solver, 64, chunk_size=16), over_and_over(images, 64))
        until(lambda: job_of(redis, job).finished_at is not None)
        pool.terminate()
        assert exit_code(pool) == 0
    check_all(store, job, direct)
    for pid in {*first, *replaced}:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_worker_outlives_a_crash_of_redis(
    tmp_path: Path, program: str, solver: Solver, images: list[bytes], direct: list[Solution]
) -> None:
    with PrivateRedis(tmp_path, program=program) as server:
        redis = connect(server.url)
        store = Store(redis, ChunkQueue("captcha", redis, 60), max_stored=1000, max_jobs=5)
        job = sliding_job(solver, 512, chunk_size=256)
        with running(server.url) as worker:
            pids = until_ready(redis)
            submit(store, job, over_and_over(images, 512))
            until(lambda: done(redis, job) > 0)
            server.kill()
            server.start()
            assert 0 < done(redis, job) < 512
            until(lambda: job_of(redis, job).finished_at is not None, RECOVERED_WITHIN_S)
            assert worker.poll() is None
            assert until_ready(redis) == pids
        check_all(store, job, direct)
        redis.close()


def test_a_worker_waits_out_a_long_absence_of_redis(
    tmp_path: Path, program: str, solver: Solver, images: list[bytes], direct: list[Solution]
) -> None:
    log = tmp_path / "worker.log"
    with PrivateRedis(tmp_path / "data", program=program) as server:
        redis = connect(server.url)
        store = Store(redis, ChunkQueue("captcha", redis, 60), max_stored=1000, max_jobs=5)
        job = sliding_job(solver, 256, chunk_size=256)
        with running(server.url, log=log) as worker:
            until_ready(redis)
            submit(store, job, over_and_over(images, 256))
            until(lambda: done(redis, job) > 0)
            server.kill()
            until(lambda: "Redis is away" in events(log))  # its tries are used up, the chunk is given up
            server.start()
            until(lambda: job_of(redis, job).finished_at is not None, RECOVERED_WITHIN_S)
            worker.terminate()
            assert exit_code(worker) == 0
        check_all(store, job, direct)
        assert events(log)[-1] == "stopped"
        redis.close()


def events(log: Path) -> list[str]:
    """The events that a worker has logged; RQ's own lines are no JSON."""
    lines = log.read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["event"] for line in lines if line.startswith("{") and line.endswith("}")]


@pytest.mark.parametrize(
    ("environment", "code", "said"),
    [
        ({}, 3, "expected REDIS_URL, received none"),
        ({"REDIS_URL": "unix:///nowhere/redis.sock", "CAPTCHA_TTL_S": "0"}, 2, "CAPTCHA_TTL_S of at least 1"),
    ],
)
def test_what_is_wrong_ends_with_one_line(environment: dict[str, str], code: int, said: str) -> None:
    inherited = {name: value for name, value in os.environ.items() if name != "REDIS_URL"}
    ended = subprocess.run(
        [sys.executable, "-m", "workers"],
        env={**inherited, **environment},
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
    )
    assert ended.returncode == code
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
