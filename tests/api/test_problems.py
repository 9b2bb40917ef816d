"""What goes wrong is told in one shape, with the right status, code and headers."""

from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from fastapi import Request

from api.problems import Problem, render
from tests.api.conftest import Light
from workers.jobs.store import Store

pytestmark = pytest.mark.redis

MEMBERS = {"type", "title", "status", "detail", "instance", "code", "request_id"}
ABSENT = "job_" + "0" * 32


@dataclass(frozen=True, slots=True)
class Wrong:
    """A request and what it must get."""

    method: str
    path: str
    status: int
    code: str
    more: dict[str, Any] = field(default_factory=dict)
    errors: bool = False


JSON = {"Content-Type": "application/json"}
TABLE = [
    Wrong("GET", "/", 404, "not_found"),
    Wrong("GET", "/v1", 404, "not_found"),
    Wrong("GET", "/v1/jobs/", 404, "not_found"),
    Wrong("GET", "/v1/nothing?x=%zz", 404, "not_found"),
    Wrong("GET", f"/v1/jobs/{ABSENT}", 404, "job_not_found"),
    Wrong("GET", f"/v1/jobs/{ABSENT}/results", 404, "job_not_found"),
    Wrong("GET", f"/v1/jobs/{ABSENT}/events", 404, "job_not_found"),
    Wrong("DELETE", f"/v1/jobs/{ABSENT}", 404, "job_not_found"),
    Wrong("POST", f"/v1/jobs/{ABSENT}/cancel", 404, "job_not_found"),
    Wrong("GET", "/v1/solve", 405, "method_not_allowed"),
    Wrong("PUT", "/v1/jobs", 405, "method_not_allowed"),
    Wrong("POST", "/healthz", 405, "method_not_allowed"),
    Wrong("POST", "/v1/jobs", 415, "unsupported_media_type"),
    Wrong("POST", "/v1/jobs", 415, "unsupported_media_type", {"headers": {"Content-Type": "text/plain"}}),
    Wrong("POST", "/v1/solve", 415, "unsupported_media_type", {"headers": {"Content-Type": "imagepng"}}),
    Wrong("GET", "/v1/jobs/1", 422, "invalid_request", errors=True),
    Wrong("GET", f"/v1/jobs/{ABSENT}?wait=61", 422, "invalid_request", errors=True),
    Wrong("GET", f"/v1/jobs/{ABSENT}?wait=nan", 422, "invalid_request", errors=True),
    Wrong("GET", "/v1/jobs?limit=0", 422, "invalid_request", errors=True),
    Wrong("GET", "/v1/jobs?cursor=x", 422, "invalid_request", errors=True),
    Wrong("POST", "/v1/jobs", 422, "invalid_request", {"content": b"{", "headers": JSON}, errors=True),
    Wrong("POST", "/v1/jobs", 422, "invalid_request", {"json": {"images": []}}, errors=True),
    Wrong("POST", "/v1/jobs", 422, "invalid_request", {"json": {"images": [{"image": 1}]}}, errors=True),
    Wrong("POST", "/v1/jobs", 422, "invalid_request", {"json": {"images": [{"image": "QUJD"}], "x": 1}}, errors=True),
    Wrong("POST", "/v1/solve", 422, "invalid_request", {"headers": {"Content-Type": "image/png"}}),
    Wrong("POST", "/v1/solve?length=x", 422, "invalid_request", {"json": {"image": "QUJD"}}, errors=True),
    Wrong("POST", "/v1/solve?model=none", 422, "unknown_model", {"json": {"image": "QUJD"}}),
    Wrong(
        "POST", "/v1/solve", 400, "bad_request", {"content": b"-", "headers": {"Content-Type": "multipart/form-data"}}
    ),
]


def check(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """A problem, complete."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body.keys() - {"errors"} == MEMBERS
    assert (body["status"], body["code"], body["type"]) == (status, code, "about:blank")
    assert body["instance"] == answer.request.url.path
    assert body["request_id"] == answer.headers["X-Request-ID"]
    assert body["title"]
    assert body["detail"]
    return body


def test_each_wrong_request_gets_its_problem(light: Light) -> None:
    served = light()
    for wrong in TABLE:
        body = check(served.mine.request(wrong.method, wrong.path, **wrong.more), wrong.status, wrong.code)
        assert bool(body.get("errors")) is wrong.errors, body


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/v1/solve", "POST"),
        ("/v1/jobs", "GET, POST"),
        (f"/v1/jobs/{ABSENT}", "DELETE, GET"),
        (f"/v1/jobs/{ABSENT}/cancel", "POST"),
        ("/metrics", "GET"),
    ],
)
def test_405_names_all_methods_of_the_path(light: Light, path: str, allowed: str) -> None:
    answer = light().mine.request("PATCH", path)
    check(answer, 405, "method_not_allowed")
    assert answer.headers["Allow"] == allowed


def test_too_large_bodies_are_told_before_they_are_read(light: Light) -> None:
    served = light(max_body=100_000, max_file=10_000, max_files=2)
    big = b"\x89PNG" + b"x" * 10_000
    png = {"Content-Type": "image/png"}
    three = {"images": [{"image": "QUJD"}] * 3}
    check(served.mine.post("/v1/solve", content=big, headers=png), 413, "too_large")
    check(served.mine.post("/v1/solve", content=b"x" * 100_001, headers=png), 413, "too_large")
    check(served.mine.post("/v1/jobs", files=[("files[]", ("a.png", big))]), 413, "file_too_large")
    check(served.mine.post("/v1/jobs", files=[("files[]", ("a.png", b"x" * 100_000))]), 413, "too_large")
    check(served.mine.post("/v1/jobs", json=three), 413, "too_many_files")
    commas = b'{"images":[' + b"0," * 45_000 + b"0]}"
    check(served.mine.post("/v1/jobs", content=commas, headers=JSON), 422, "invalid_request")
    assert served.service.store.stored() == 0


def test_an_error_of_ours_is_a_problem_too_and_says_nothing(light: Light, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*args: object) -> None:
        raise ZeroDivisionError("a secret")

    served = light()
    monkeypatch.setattr(Store, "page", fails)
    answer = served.mine.get("/v1/jobs", headers={"X-Request-ID": "given-by-the-client"})
    body = check(answer, 500, "internal_error")
    assert "secret" not in answer.text
    assert body["request_id"] == "given-by-the-client"
    assert 'route="/v1/jobs",status="500"} 1.0' in served.mine.get("/metrics").text
    monkeypatch.undo()
    assert served.mine.get("/v1/jobs").status_code == 200


@pytest.mark.parametrize(
    ("given", "kept"),
    [("0123abcd", True), ("a-b_c.d-e", True), ("short", False), ("x" * 65, False), ("in va lid", False)],
)
def test_a_request_id_is_kept_where_it_is_harmless(light: Light, given: str, kept: bool) -> None:
    answer = light().mine.get("/healthz", headers={"X-Request-ID": given})
    assert (answer.headers["X-Request-ID"] == given) is kept
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_problem_says_where_a_request_is_wrong_and_repeats_little_of_it(light: Light) -> None:
    answer = light().mine.post("/v1/jobs", json={"images": [{"image": "QUJD", "x" * 5000: 1}], "charset": "!" * 9000})
    errors = check(answer, 422, "invalid_request")["errors"]
    assert ["charset"] in [each["location"] for each in errors]
    assert len(answer.text) < 2000


def test_headers_of_a_problem_are_sent() -> None:
    request = Request(
        {"type": "http", "method": "GET", "path": "/x", "headers": [], "server": ("h", 1), "scheme": "http"}
    )
    answer = render(request, Problem(503, "busy", "wait", headers={"Retry-After": "5"}))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
