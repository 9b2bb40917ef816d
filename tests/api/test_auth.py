"""Who may ask: keys, hashed keys, other people's jobs, and what must not start."""

import httpx
import pytest
from click.testing import CliRunner

from api.__main__ import api, check_keys, is_loopback
from api.auth import KeyRing, hashed, new_key
from api.serve import service
from captcha_solver.errors import OptionError
from tests.api.conftest import Light
from tests.api.services import MINE, OTHERS, client
from workers.settings import Settings

GUARDED = [
    ("POST", "/v1/solve"),
    ("POST", "/v1/jobs"),
    ("GET", "/v1/jobs"),
    ("GET", "/v1/jobs/{id}"),
    ("DELETE", "/v1/jobs/{id}"),
    ("POST", "/v1/jobs/{id}/cancel"),
    ("GET", "/v1/jobs/{id}/results"),
    ("GET", "/v1/jobs/{id}/events"),
    ("GET", "/v1/models"),
]
OF_A_JOB = [each for each in GUARDED if "{id}" in each[1]]
REFUSED = ["", "Bearer", f"Bearer {MINE[:-1]}", f"Bearer {MINE}x", f"Basic {MINE}", MINE, "Bearer \xe9"]


@pytest.mark.redis
def test_without_a_known_key_nothing_is_told(light: Light) -> None:
    served = light()
    job = served.submit()["id"]
    with client(str(served.mine.base_url), None) as nobody:
        for method, path in GUARDED:
            for given in REFUSED:
                headers = [(b"Authorization", given.encode("latin-1"))] if given else []
                answer = nobody.request(method, path.format(id=job), headers=headers)
                assert answer.status_code == 401, (method, path, given)
                assert answer.headers["WWW-Authenticate"] == "Bearer"
                assert answer.json()["code"] == "unauthorized"
        assert {nobody.get(path).status_code for path in ("/healthz", "/metrics", "/openapi.json")} == {200}


@pytest.mark.redis
def test_a_key_may_be_given_as_its_hash(light: Light) -> None:
    served = light(api_keys=(hashed(MINE), hashed(OTHERS).upper().replace("SHA256:", "sha256:")))
    assert served.mine.get("/v1/jobs").status_code == 200
    assert served.others.get("/v1/jobs").status_code == 200
    with client(str(served.mine.base_url), hashed(MINE)) as hash_itself:
        assert hash_itself.get("/v1/jobs").status_code == 401


@pytest.mark.redis
@pytest.mark.parametrize(("method", "path"), OF_A_JOB)
def test_the_job_of_another_is_not_there(light: Light, method: str, path: str) -> None:
    served = light()
    job = served.submit()["id"]
    absent = "job_" + "0" * 32
    theirs, none = (served.others.request(method, path.format(id=each)) for each in (job, absent))
    assert (theirs.status_code, theirs.json()["code"]) == (404, "job_not_found")
    assert theirs.json()["detail"].replace(job, absent) == none.json()["detail"]  # nothing tells the two apart
    assert served.others.get("/v1/jobs").json() == {"items": [], "next_cursor": None}
    assert served.mine.get(f"/v1/jobs/{job}").json()["status"] == "queued"


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
