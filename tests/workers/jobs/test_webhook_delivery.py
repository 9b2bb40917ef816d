"""A finished job sends one signed request to its owner: tried again, sent once, to the address checked."""

import base64
import hashlib
import hmac
import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest

from tests.workers.jobs.test_webhooks import KEY, Names, settings
from tests.workers.some_jobs import a_job, an_answer, submit
from workers import keys
from workers.connection import Client
from workers.jobs import webhooks
from workers.jobs.chunk import record, take
from workers.jobs.record import Job
from workers.jobs.store import Store
from workers.jobs.webhooks import WAITS_S, deliver_due
from workers.settings import Settings

pytestmark = pytest.mark.redis


@dataclass(frozen=True, slots=True)
class Received:
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Listener:
    """An owner's host: answers with the next of ``replies`` (status, Location), then 204, and keeps what came."""

    port: int = 0
    connections: int = 0
    received: list[Received] = field(default_factory=list)
    replies: list[tuple[int, str]] = field(default_factory=list)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"


@pytest.fixture
def listener() -> Iterator[Listener]:
    found = Listener()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            found.received.append(Received(self.path, headers, body))
            status, location = found.replies.pop(0) if found.replies else (204, "")
            self.send_response(status)
            if location:
                self.send_header("location", location)
            self.send_header("content-length", "0")
            self.end_headers()

        do_GET = do_POST  # noqa: N815 - http.server's name

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
            pass

    class Server(ThreadingHTTPServer):
        def verify_request(self, request: object, client_address: object) -> bool:
            found.connections += 1
            return True

    with Server(("127.0.0.1", 0), Handler) as server:
        found.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield found
        server.shutdown()


def finished(store: Store, url: str) -> Job:
    """A job of two images, one of them failed, that has just finished."""
    job = submit(store, a_job(2, webhook=url, metadata={"batch": "7"}))
    chunk = take(store.redis, job.id, 0)
    assert chunk is not None
    record(store.redis, chunk, [an_answer(0), an_answer(1, failed=True)])
    return job


def make_due(redis: Client) -> None:
    """As if the wait before the next try were over."""
    for job_id in redis.zrange(keys.WEBHOOKS, 0, -1):
        redis.zadd(keys.WEBHOOKS, {job_id: 0})


def test_a_finished_job_is_told_once(store: Store, redis: Client, listener: Listener) -> None:
    allowed = settings(listener.host, private=True)
    job = finished(store, f"http://{listener.host}/done?x=1")
    before = int(time.time())
    deliver_due(redis, allowed)
    deliver_due(redis, allowed)
    (got,) = listener.received
    told = json.loads(got.body)
    assert got.path == "/done?x=1"
    assert got.headers["host"] == listener.host
    assert got.headers["content-type"] == "application/json"
    assert got.headers["webhook-id"] == job.id
    at = got.headers["webhook-timestamp"]
    assert before <= int(at) == told.pop("timestamp") <= time.time()
    signed = hmac.new(KEY, f"{job.id}.{at}.".encode() + got.body, hashlib.sha256).digest()
    assert got.headers["webhook-signature"] == "v1," + base64.b64encode(signed).decode()
    assert told == {
        "type": "job.finished",
        "data": {
            "id": job.id,
            "status": "partial",
            "counts": {"total": 2, "done": 2, "failed": 1, "labelled": 0, "correct": 0},
            "metadata": {"batch": "7"},
        },
    }
    assert not redis.exists(keys.WEBHOOKS, keys.webhook_tries(job.id))


def test_an_unfinished_job_is_not_told_and_a_cancelled_one_is(store: Store, redis: Client, listener: Listener) -> None:
    allowed = settings(listener.host, private=True)
    job = submit(store, a_job(2, webhook=f"http://{listener.host}/"))
    deliver_due(redis, allowed)
    assert listener.received == []
    store.cancel(job)
    deliver_due(redis, allowed)
    assert [json.loads(got.body)["data"]["status"] for got in listener.received] == ["cancelled"]


def test_nothing_is_sent_while_they_are_off(store: Store, redis: Client, listener: Listener) -> None:
    finished(store, f"http://{listener.host}/")
    deliver_due(redis, Settings())
    assert listener.received == []


@pytest.mark.parametrize("reply", [(500, ""), (404, ""), (302, "/elsewhere"), (307, "/elsewhere")])
def test_what_is_not_taken_is_tried_later_and_no_redirect_followed(
    store: Store, redis: Client, listener: Listener, reply: tuple[int, str]
) -> None:
    allowed = settings(listener.host, private=True)
    listener.replies.append(reply)
    job = finished(store, f"http://{listener.host}/done")
    before = time.time()
    deliver_due(redis, allowed)
    due = redis.zscore(keys.WEBHOOKS, job.id)
    assert before + WAITS_S[0] <= due <= time.time() + WAITS_S[0]
    deliver_due(redis, allowed)
    assert [got.path for got in listener.received] == ["/done"], "it is not due yet"
    make_due(redis)
    deliver_due(redis, allowed)
    assert [got.path for got in listener.received] == ["/done", "/done"]
    assert len({got.headers["webhook-id"] for got in listener.received}) == 1, "the receiver can tell it is the same"
    assert not redis.exists(keys.WEBHOOKS)


def test_it_is_given_up_after_the_last_wait(store: Store, redis: Client, listener: Listener) -> None:
    allowed = settings(listener.host, private=True)
    listener.replies += [(500, "")] * 20
    job = finished(store, f"http://{listener.host}/")
    for wait in WAITS_S:
        before = time.time()
        deliver_due(redis, allowed)
        assert redis.zscore(keys.WEBHOOKS, job.id) >= before + wait
        make_due(redis)
    deliver_due(redis, allowed)
    assert not redis.exists(keys.WEBHOOKS, keys.webhook_tries(job.id))
    assert len(listener.received) == len(WAITS_S) + 1


def test_of_two_workers_one_sends(
    store: Store, redis: Client, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have seen that it is due before either has claimed it."""
    allowed = settings(listener.host, private=True)
    finished(store, f"http://{listener.host}/")
    real = webhooks._claim
    inside: list[str] = []

    def claim(client: Client, job_id: str) -> int:
        if not inside:
            inside.append(job_id)
            listener.replies.append((500, ""))  # so that it stays on the list
            deliver_due(client, allowed)
        return real(client, job_id)

    monkeypatch.setattr(webhooks, "_claim", claim)
    deliver_due(redis, allowed)
    assert len(listener.received) == 1


def test_of_two_claims_at_once_one_is_granted(store: Store, redis: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other claims it when this one has already read that it is due."""
    job = finished(store, "https://hooks.example/")
    others: list[int] = []

    def now() -> float:
        if not others:
            others.append(-1)
            others.append(webhooks._claim(redis, job.id))
        return time.time()

    monkeypatch.setattr(webhooks, "time", SimpleNamespace(time=now))
    assert webhooks._claim(redis, job.id) == 0
    assert others == [-1, 1]


def test_a_private_address_is_not_asked(store: Store, redis: Client, listener: Listener) -> None:
    job = finished(store, f"https://{listener.host}/")
    deliver_due(redis, settings(listener.host))
    assert listener.connections == 0
    assert redis.get(keys.webhook_tries(job.id)) == b"1"


def test_a_host_taken_off_the_list_is_not_asked(store: Store, redis: Client, listener: Listener) -> None:
    finished(store, f"http://{listener.host}/")
    deliver_due(redis, settings("hooks.example", private=True))
    assert listener.received == []


def test_the_address_that_was_checked_is_the_one_asked(
    store: Store, redis: Client, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = Names("hooks.example", "127.0.0.1")
    monkeypatch.setattr(socket, "getaddrinfo", names)
    finished(store, f"http://hooks.example:{listener.port}/")
    deliver_due(redis, settings("hooks.example", private=True))
    (got,) = listener.received
    assert got.headers["host"] == f"hooks.example:{listener.port}"
    assert names.asked == 1, "a second look-up could be answered otherwise"


def test_a_forgotten_jobs_webhook_is_not_sent(store: Store, redis: Client, listener: Listener) -> None:
    job = finished(store, f"http://{listener.host}/")
    store.forget(job)
    redis.zadd(keys.WEBHOOKS, {job.id: 0})
    deliver_due(redis, settings(listener.host, private=True))
    assert listener.received == []
    assert not redis.exists(keys.WEBHOOKS)
