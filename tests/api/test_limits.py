"""Too much of anything: requests, jobs, images, uploads at once, and uploads that never end."""

import socket
import threading
from contextlib import closing

import pytest

from api.access import Rates
from api.requests.uploads import Gate
from captcha_solver.errors import OptionError
from tests.api.conftest import Light
from tests.api.services import MINE, Served, answered, until
from tests.api.test_problems import check

IMAGE = {"image": "QUJD"}


def half_an_upload(served: Served, path: str, media: str, body: bytes) -> socket.socket:
    """A connection on which the first half of a body was sent."""
    connection = socket.create_connection(served.address)
    head = (
        f"POST {path} HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer {MINE}\r\n"
        f"Content-Type: {media}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    connection.sendall(head.encode() + body[: len(body) // 2])
    return connection


def free(served: Served, gate: str = "gate") -> int:
    places: Gate = getattr(served.app.state, gate)
    return places._free


@pytest.mark.redis
def test_too_many_requests_are_told_when_to_come_back(light: Light) -> None:
    served = light(rate="3/hour")
    answers = [served.mine.get("/v1/jobs") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert [answer.headers["RateLimit-Remaining"] for answer in answers] == ["2", "1", "0", "0"]
    assert {answer.headers["RateLimit-Limit"] for answer in answers} == {"3"}
    assert all(1 <= int(answer.headers["RateLimit-Reset"]) <= 3600 for answer in answers)
    check(answers[-1], 429, "rate_limited")
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 3600
    assert served.others.get("/v1/jobs").status_code == 200  # each key has its own
    assert served.mine.get("/healthz").status_code == 200


@pytest.mark.parametrize("rate", ["", "many", "5", "5/fortnight"])
def test_a_rate_that_is_none_is_refused(rate: str) -> None:
    with pytest.raises(OptionError, match="expected CAPTCHA_RATE as in 100/second"):
        Rates(rate, "redis://127.0.0.1:1")


@pytest.mark.redis
def test_a_full_store_takes_no_more_and_forgets_what_it_refused(light: Light) -> None:
    served = light(max_stored=10)
    job = served.submit(8)["id"]
    answer = served.mine.post("/v1/jobs", json={"images": [IMAGE] * 3})
    check(answer, 503, "store_full")
    assert int(answer.headers["Retry-After"]) >= 1
    check(served.mine.post("/v1/jobs", json={"images": [IMAGE] * 11}), 503, "store_full")
    assert served.service.store.stored() == 8
    assert served.submit(2)["status"] == "queued"
    check(served.mine.post("/v1/solve", json=IMAGE), 503, "store_full")
    served.answer(job, [answered(index, "a") for index in range(8)])
    assert served.submit(8)["status"] == "queued"


@pytest.mark.redis
def test_a_key_has_so_many_unfinished_jobs_at_most(light: Light) -> None:
    served = light(max_jobs=2)
    first = served.submit()["id"]
    served.submit()
    answer = served.mine.post("/v1/jobs", json={"images": [IMAGE]})
    check(answer, 429, "too_many_jobs")
    assert int(answer.headers["Retry-After"]) >= 1
    assert served.others.post("/v1/jobs", json={"images": [IMAGE]}).status_code == 202
    served.answer(first, [answered(0, "a")])
    assert served.submit()["status"] == "queued"


@pytest.mark.redis
@pytest.mark.parametrize(
    ("path", "media", "gate"),
    [
        ("/v1/jobs", "application/json", "gate"),
        ("/v1/jobs", "application/zip", "gate"),
        ("/v1/jobs", "multipart/form-data; boundary=b", "gate"),
        ("/v1/solve", "image/png", "small_gate"),
        ("/v1/solve", "multipart/form-data; boundary=b", "small_gate"),
    ],
)
def test_an_upload_that_is_cut_off_leaves_nothing(light: Light, path: str, media: str, gate: str) -> None:
    served = light(max_uploads=1)
    places = free(served, gate)
    body = b'--b\r\nContent-Disposition: form-data; name="files[]"; filename="a"\r\n\r\n' + b"x" * 200_000
    connection = half_an_upload(served, path, media, body)
    until(lambda: free(served, gate) == places - 1)
    connection.close()
    until(lambda: free(served, gate) == places)
    assert not served.service.redis.keys("cs:*")
    assert served.submit()["status"] == "queued"


@pytest.mark.redis
def test_more_uploads_at_once_than_may_are_put_off(light: Light) -> None:
    served = light(max_uploads=2)
    with closing(half_an_upload(served, "/v1/jobs", "application/zip", b"x" * 1000)):
        until(lambda: free(served) == 1)
        assert served.submit()["status"] == "queued"
        with closing(half_an_upload(served, "/v1/jobs", "application/zip", b"x" * 1000)):
            until(lambda: free(served) == 0)
            answer = served.mine.post("/v1/jobs", json={"images": [IMAGE]})
            check(answer, 503, "busy")
            assert int(answer.headers["Retry-After"]) >= 1
            assert served.mine.get("/v1/jobs").status_code == 200  # only uploads wait
    until(lambda: free(served) == 2)
    assert served.submit()["status"] == "queued"


@pytest.mark.redis
def test_an_upload_that_takes_for_ever_is_ended(light: Light, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.requests.uploads.BODY_WITHIN_S", 0.05)
    served = light()
    with closing(half_an_upload(served, "/v1/jobs", "application/zip", b"x" * 1000)) as connection:
        head = connection.recv(65536)
        assert head.startswith(b"HTTP/1.1 408 ")
        assert b"application/problem+json" in head
    assert free(served) == 4


@pytest.mark.redis
def test_many_at_once_never_go_over_the_store(light: Light) -> None:
    served = light(max_stored=25, max_uploads=8)
    statuses: list[int] = []

    def ask() -> None:
        statuses.append(served.mine.post("/v1/jobs", json={"images": [IMAGE] * 10}).status_code)

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken = statuses.count(202)
    assert set(statuses) <= {202, 503}
    assert taken <= 2
    assert served.service.store.stored() == 10 * taken
