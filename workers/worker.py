"""One worker process: loads its models, says that it is ready, and solves chunks until it is told to stop."""

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping
from types import FrameType, TracebackType
from typing import Any, Protocol
from uuid import uuid4

import structlog
from redis.exceptions import RedisError
from rq.executions import Execution
from rq.job import Job as RqJob
from rq.queue import Queue as RqQueue
from rq.worker import SimpleWorker

from workers import keys
from workers.connection import Client, connect
from workers.jobs import webhooks
from workers.jobs.reader import Reader
from workers.jobs.recovery import sweep
from workers.jobs.runner import INSTALLED, ChunkRunner
from workers.queue import SERIALIZER, ChunkQueue, WorkQueue
from workers.recovery import SWEEP_EVERY_S
from workers.settings import Settings

BEAT_S = 2.0  # between two renewals of a lease
LEASE_S = 8  # a chunk whose worker was not heard of for so long is run again
WORKER_TTL_S = 17  # RQ blocks for 15 s less than this for the next chunk
READY_TTL_S = 10.0

log = structlog.get_logger("workers")


class Runner(Protocol):
    """Where a process does its work: how much it has done, and whether it was told to stop."""

    chunks_done: int
    told_to_stop: Callable[[], bool]


class Beat:
    """Calls ``beat`` every ``every_s`` seconds from a thread of its own, until the block ends."""

    def __init__(self, beat: Callable[[], object], every_s: float) -> None:
        self._beat = beat
        self._every_s = every_s
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Beat":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(self._every_s):
            try:
                self._beat()
            except RedisError as error:  # Redis is away: the lease runs out, and whoever is there does the chunk again
                log.warning("heartbeat failed", error=str(error))


class QueueWorker(SimpleWorker):
    """RQ's worker that does not fork, with a lease that lasts seconds and is renewed while it works."""

    max_connection_wait_time = 2.0
    log_result_lifespan = False
    lease_s = LEASE_S

    def __init__(self, queue: WorkQueue, name: str) -> None:
        super().__init__(
            [queue.rq],
            name=name,
            connection=queue.rq.connection,
            serializer=SERIALIZER,
            worker_ttl=WORKER_TTL_S,
            maintenance_interval=SWEEP_EVERY_S,
            log_job_description=False,
        )
        self._traces = queue.traces
        self._held: tuple[RqJob, Execution] | None = None  # what is being worked on, and so is renewed
        self._heard_from = 0.0

    @property
    def told_to_stop(self) -> bool:
        return self._shutdown_requested_date is not None

    def execute_job(self, job: RqJob, queue: RqQueue) -> None:
        self.connection.unlink(*self._traces(job.id))
        execution: Execution = self.prepare_execution(job)
        self._held = (job, execution)
        try:
            self.perform_job(job, queue, execution)
        finally:
            self._held = None
        self.connection.unlink(*self._traces(job.id))  # another worker may have seen it before it was started

    def work(self, *arguments: Any, **options: Any) -> bool:
        with Beat(self._renew, BEAT_S):  # one thread for all chunks: to start one takes longer than to read an image
            return bool(super().work(*arguments, **options))

    def _renew(self) -> None:
        held = self._held
        if held is not None:
            self.maintain_heartbeats(*held)

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        """RQ's word that the worker lives, said three times a chunk: here once in a while, which is often enough."""
        if pipeline is None and timeout is None:
            if time.monotonic() < self._heard_from + BEAT_S / 2:
                return
            self._heard_from = time.monotonic()
        super().heartbeat(timeout, pipeline)

    def get_heartbeat_ttl(self, job: RqJob, working_time: float = 0.0) -> int:
        return self.lease_s

    def run_maintenance_tasks(self) -> None:
        super().run_maintenance_tasks()  # type: ignore[no-untyped-call]
        self.look_after_all()

    def look_after_all(self) -> None:
        """Do what some worker must do once in a while."""
        raise NotImplementedError


class ChunkWorker(QueueWorker):
    """Works on chunks; finds what was lost, and tells those who asked to be told."""

    def __init__(self, queue: ChunkQueue, settings: Settings, name: str) -> None:
        super().__init__(queue, name)
        self._chunks = queue
        self._settings = settings

    def look_after_all(self) -> None:
        lost = sweep(self.connection, self._chunks)
        if lost:
            log.warning("queued lost chunks again", chunks=lost)
        webhooks.deliver_due(self.connection, self._settings)


def run_worker(settings: Settings, url: str, *, burst: bool = False, max_jobs: int | None = None) -> None:
    """Solve chunks of the queue until told to stop by SIGTERM or SIGINT, which let the chunk in hand end.

    ``burst`` ends when the queue is empty, ``max_jobs`` after so many chunks. Redis may go away meanwhile.
    """
    name = new_name()
    redis = connect(url)
    queue = ChunkQueue(settings.queue, redis, settings.chunk_timeout_s)
    reader = Reader(settings.models, settings.runtime)
    reader.warm()
    runner = ChunkRunner(redis, queue, reader)
    INSTALLED.install(runner)
    models = {"runtime": settings.runtime, "models": json.dumps(dict(reader.models))}
    ready = Ready(connect(url, retries=1), name, keys.WORKERS, models)
    keep_working(
        lambda: ChunkWorker(queue, settings, f"{name}-{uuid4().hex[:4]}"), runner, ready, burst=burst, max_jobs=max_jobs
    )


def new_name() -> str:
    """A worker's: its host, its process and random digits."""
    return f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:8]}"


def keep_working(
    make: Callable[[], QueueWorker], runner: Runner, ready: "Ready", *, burst: bool, max_jobs: int | None
) -> None:
    """Work with one worker of RQ after the other, ``ready`` said all the while, until told to stop."""
    with Beat(ready.say, READY_TTL_S / 4):
        _say_ready(ready)
        while True:
            worker = make()
            runner.told_to_stop = _asked(worker)
            left = None if max_jobs is None else max_jobs - runner.chunks_done
            try:
                worker.work(burst=burst, max_jobs=left, logging_level="ERROR")
            except RedisError as error:
                log.warning("Redis is away", error=str(error))
            signal.signal(signal.SIGTERM, _leave)
            signal.signal(signal.SIGINT, _leave)
            if worker.told_to_stop or burst or (max_jobs is not None and runner.chunks_done >= max_jobs):
                break
            _wait_for(worker.connection)
    ready.unsay()
    log.info("stopped", worker=ready.name, chunks=runner.chunks_done)


class Ready:
    """A worker's word that it is ready; it must be given again and again, so that the dead say nothing.

    ``listed``: the key of all workers of its kind. ``more``: what is to be known of it besides.
    """

    def __init__(self, redis: Client, name: str, listed: str, more: Mapping[str, str]) -> None:
        self.name = name
        self._redis = redis
        self._listed = listed
        self._facts = {
            "pid": str(os.getpid()),
            "host": socket.gethostname(),
            "ready_at": repr(time.time()),
            **more,
        }

    def say(self) -> None:
        with self._redis.pipeline() as pipe:
            pipe.hset(keys.worker(self.name), mapping=self._facts)
            pipe.expire(keys.worker(self.name), round(READY_TTL_S))
            pipe.zadd(self._listed, {self.name: time.time() + READY_TTL_S})
            pipe.zremrangebyscore(self._listed, "-inf", time.time())
            pipe.execute()

    def unsay(self) -> None:
        try:
            self._redis.zrem(self._listed, self.name)
            self._redis.delete(keys.worker(self.name))
        except RedisError:
            return  # it runs out by itself


def _asked(worker: QueueWorker) -> Callable[[], bool]:
    return lambda: worker.told_to_stop


def _say_ready(ready: Ready) -> None:
    try:
        ready.say()
    except RedisError as error:
        log.warning("Redis is away", error=str(error))


def _wait_for(redis: Client) -> None:
    while True:
        try:
            redis.ping()
            return
        except RedisError:
            time.sleep(0.5)


def _leave(signum: int, frame: FrameType | None) -> None:
    raise SystemExit(0)
