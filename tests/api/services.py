"""Services that answer: a whole one with a worker, or the API alone on a Redis of its own."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI

from api.app import create_app
from api.serve import Running
from api.service import Service
from workers.jobs.chunk import record, take
from workers.jobs.record import Answer
from workers.redis_server import PrivateRedis
from workers.settings import Settings

MINE, OTHERS = "cs_" + "m" * 43, "cs_" + "o" * 43
NO_LIMIT = "1000000/minute"
WITHIN_S = 30.0


def until(condition: Callable[[], bool], *, within_s: float = WITHIN_S) -> None:
    """Wait until ``condition`` holds; fail where it does not in time."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"it did not come true within {within_s:.0f} s"
        time.sleep(0.02)


def answered(index: int, text: str, *, name: str | None = None, expected: str | None = None) -> Answer:
    """The answer that a worker would give, had it read ``text``."""
    item: dict[str, Any] = {
        "index": index,
        "id": name or f"{index}.png",
        "status": "solved",
        "text": text,
        "confidence": 0.5,
        "characters": [],
        "elapsed_ms": 1.5,
        "views": 1,
        "frames": 1,
        "error": None,
    }
    correct = None if expected is None else text == expected
    if expected is not None:
        item |= {"expected": expected, "correct": correct}
    return Answer(index, False, correct, json.dumps(item))


def client(url: str, key: str | None = MINE) -> httpx.Client:
    """A client of the service at ``url`` that shows ``key``."""
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    return httpx.Client(base_url=url, headers=headers, timeout=60.0, trust_env=False)


@dataclass(frozen=True, slots=True)
class Live:
    """Redis, one worker and the API, each a process of its own."""

    running: Running
    mine: httpx.Client
    others: httpx.Client

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self.running.settings.port

    def finished(self, job_id: str) -> dict[str, Any]:
        """The job once it is finished."""
        job: dict[str, Any] = {}

        def is_finished() -> bool:
            job.update(self.mine.get(f"/v1/jobs/{job_id}", params={"wait": 20}).json())
            return job["finished_at"] is not None

        until(is_finished)
        return job


@dataclass(frozen=True, slots=True)
class Served:
    """The API alone, in a thread of this process; its jobs wait until a test answers them."""

    mine: httpx.Client
    others: httpx.Client
    app: FastAPI
    redis: PrivateRedis
    address: tuple[str, int]

    @property
    def service(self) -> Service:
        found: Service = self.app.state.service
        return found

    def submit(self, count: int = 1, **options: Any) -> dict[str, Any]:
        """A job of ``count`` images that nobody looks at."""
        images = [{"id": f"{index}.png", "image": "QUJD"} for index in range(count)]
        answer = self.mine.post("/v1/jobs", json={"images": images, **options})
        assert answer.status_code == 202, answer.text
        made: dict[str, Any] = answer.json()
        return made

    def answer(self, job_id: str, answers: Sequence[Answer], *, chunk: int = 0) -> None:
        """Do what a worker does: begin a chunk, and write answers."""
        begun = take(self.service.redis, job_id, chunk)
        assert begun is not None
        record(self.service.redis, begun, answers)


@contextmanager
def served(settings: Settings) -> Iterator[Served]:
    with PrivateRedis() as redis:
        keys = settings.api_keys or (MINE, OTHERS)
        rate = NO_LIMIT if settings.rate == Settings().rate else settings.rate
        app = create_app(replace(settings, redis_url=redis.url, api_keys=keys, rate=rate))
        with (
            listening(app) as address,
            client(f"http://127.0.0.1:{address[1]}") as mine,
            client(f"http://127.0.0.1:{address[1]}", OTHERS) as others,
        ):
            yield Served(mine, others, app, redis, address)


@contextmanager
def listening(app: FastAPI) -> Iterator[tuple[str, int]]:
    """Serve ``app`` from a thread, on a free port of the loopback."""
    server = uvicorn.Server(
        uvicorn.Config(app, log_level="critical", access_log=False, lifespan="on", timeout_graceful_shutdown=1)
    )
    # asyncio sets TCP_NODELAY only where the protocol is named: without it each answer takes 40 ms
    with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)) as listener:
        listener.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        until(lambda: server.started)
        yield listener.getsockname()
        server.should_exit = True
        thread.join(WITHIN_S)
        assert not thread.is_alive()


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port: int = listener.getsockname()[1]
        return port
