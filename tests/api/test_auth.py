"""Who may ask: keys, hashed keys, other people's jobs, and what must not start."""

import time
from collections.abc import Iterable, Iterator

import httpx
import pytest
from click.testing import CliRunner
from fastapi import FastAPI
from starlette.routing import BaseRoute, Route

from api.__main__ import api, check_keys, is_loopback
from api.auth import KeyRing, hashed, new_key
from api.serve import service
from captcha_solver.errors import OptionError
from tests.api.conftest import Light
from tests.api.services import MINE, OTHERS, Served, client
from workers import keys
from workers.settings import Settings

OPEN = {  # all that is told without a key; every other route of the app must ask for one
    "/healthz",
    "/readyz",
    "/metrics",
    "/openapi.json",
    "/docs",
    "/docs/start.js",
    "/docs/swagger-ui-bundle.js",
    "/docs/swagger-ui.css",
}
REFUSED = ["", "Bearer", f"Bearer {MINE[:-1]}", f"Bearer {MINE}x", f"Basic {MINE}", MINE, "Bearer \xe9"]


def routes(given: Iterable[BaseRoute]) -> Iterator[tuple[str, str]]:
    """Method and path of each route, those of included routers among them."""
    for route in given:
        included = getattr(route, "original_router", None)
        if included is not None:
            yield from routes(included.routes)
        else:
            assert isinstance(route, Route), f"what is this: {route!r}"
            yield from ((method, route.path) for method in sorted((route.methods or set()) - {"HEAD"}))


def guarded(app: FastAPI) -> list[tuple[str, str]]:
    return [each for each in routes(app.routes) if each[1] not in OPEN]


def with_a_job_and_an_audit(light: Light) -> tuple[Served, dict[str, str]]:
    served = light()
    served.service.redis.zadd(keys.AUDIT_WORKERS, {"pretended": time.time() + 1000})
    audit = served.mine.post("/v1/audits", json={"design": "plain"}).json()["id"]
    return served, {"job_id": served.submit()["id"], "audit_id": audit}


@pytest.mark.redis
def test_every_route_of_the_document_is_among_those_tried(light: Light) -> None:
    app = light().app
    document = {(method.upper(), path) for path, methods in app.openapi()["paths"].items() for method in methods}
    tried = set(routes(app.routes))
    assert document <= tried
    assert {path for _, path in tried - document} == {path for path in OPEN if path.startswith(("/docs", "/openapi"))}
    assert len(guarded(app)) > 15
    assert {path for _, path in tried} >= OPEN


@pytest.mark.redis
def test_without_a_known_key_nothing_is_told(light: Light) -> None:
    served, ids = with_a_job_and_an_audit(light)
    with client(str(served.mine.base_url), None) as nobody:
        for method, path in guarded(served.app):
            for given in REFUSED:
                headers = [(b"Authorization", given.encode("latin-1"))] if given else []
                answer = nobody.request(method, path.format(**ids), headers=headers)
                assert answer.status_code == 401, (method, path, given)
                assert answer.headers["WWW-Authenticate"] == "Bearer"
                assert answer.json()["code"] == "unauthorized"
        assert {path: nobody.get(path).status_code for path in OPEN - {"/readyz"}} == dict.fromkeys(
            OPEN - {"/readyz"}, 200
        )
        assert nobody.get("/readyz").json()["code"] == "no_worker"


@pytest.mark.redis
def test_a_key_may_be_given_as_its_hash(light: Light) -> None:
    served = light(api_keys=(hashed(MINE), hashed(OTHERS).upper().replace("SHA256:", "sha256:")))
    assert served.mine.get("/v1/jobs").status_code == 200
    assert served.others.get("/v1/jobs").status_code == 200
    with client(str(served.mine.base_url), hashed(MINE)) as hash_itself:
        assert hash_itself.get("/v1/jobs").status_code == 401


@pytest.mark.redis
def test_the_job_and_the_audit_of_another_are_not_there(light: Light) -> None:
    served, ids = with_a_job_and_an_audit(light)
    absent = {"job_id": "job_" + "0" * 32, "audit_id": "aud_" + "0" * 32}
    of_one = [(method, path) for method, path in guarded(served.app) if "{" in path]
    assert {path.split("/")[2] for _, path in of_one} == {"jobs", "audits"}
    for method, path in of_one:
        code = "job_not_found" if "job_id" in path else "audit_not_found"
        theirs, none = (served.others.request(method, path.format(**each)) for each in (ids, absent))
        assert (theirs.status_code, theirs.json()["code"]) == (404, code), (method, path)
        told = theirs.json()["detail"]
        for name, given in ids.items():
            told = told.replace(given, absent[name])
        assert told == none.json()["detail"]  # nothing tells the two apart
    for listed, given in (("jobs", ids["job_id"]), ("audits", ids["audit_id"])):
        assert served.others.get(f"/v1/{listed}").json() == {"items": [], "next_cursor": None}
        assert served.mine.get(f"/v1/{listed}/{given}").json()["status"] == "queued"


def test_a_ring_knows_its_keys_and_their_owners() -> None:
    first, second = new_key(), new_key()
    ring = KeyRing([first, hashed(second)])
    assert ring.owner(first) == hashed(first).removeprefix("sha256:")[:16]
    assert ring.owner(second) == hashed(second).removeprefix("sha256:")[:16]
    assert ring.owner(first) != ring.owner(second)
    assert [ring.owner(each) for each in ("", first[1:], hashed(second), "\udcff")] == [None] * 4
    assert (len(ring), ring.weak, KeyRing(["short"]).weak) == (2, False, True)
    assert len(first) == len("cs_") + 43  # 256 bits in base64


@pytest.mark.parametrize("digest", ["", "sha256:", "sha256:12", "sha256:" + "g" * 64, "sha256:" + "0" * 63])
def test_a_hash_that_is_none_is_refused(digest: str) -> None:
    if digest.startswith("sha256:"):
        with pytest.raises(OptionError, match="64 hex digits"):
            KeyRing([digest])
    assert not KeyRing([])


@pytest.mark.parametrize(
    ("host", "keys", "message"),
    [
        ("127.0.0.1", (), "expected CAPTCHA_API_KEYS, received none"),
        ("0.0.0.0", (), "expected CAPTCHA_API_KEYS, received none"),
        ("0.0.0.0", ("secret",), "256 random bits on 0.0.0.0"),
        ("::", (MINE, "secret"), "256 random bits on ::"),
        ("service.example", ("secret",), "256 random bits on service.example"),
        ("127.0.0.1", ("secret",), None),
        ("localhost", ("secret",), None),
        ("::1", ("secret",), None),
        ("0.0.0.0", (MINE,), None),
        ("0.0.0.0", (hashed("secret"),), None),
    ],
)
def test_what_may_listen_where(host: str, keys: tuple[str, ...], message: str | None) -> None:
    settings = Settings(host=host, api_keys=keys)
    if message is None:
        check_keys(settings)
        return
    with pytest.raises(OptionError, match=message.replace(".", r"\.")):
        check_keys(settings)


@pytest.mark.parametrize("keys", [("secret",), (MINE, "secret")])
def test_make_serve_refuses_weak_keys_on_a_public_address(keys: tuple[str, ...]) -> None:
    with pytest.raises(OptionError, match="256 random bits"), service(Settings(host="0.0.0.0", api_keys=keys)):
        pytest.fail("it started")


@pytest.mark.parametrize(
    ("host", "expected"), [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("10.0.0.1", False), ("x", False)]
)
def test_which_addresses_are_the_machine_itself(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_the_command_makes_a_key_and_its_hash() -> None:
    shown = CliRunner().invoke(api, ["--new-key"]).output.split()
    assert shown[3] == hashed(shown[1])
    assert httpx.Headers({"Authorization": f"Bearer {shown[1]}"})  # it fits a header
