"""The services of docker-compose.yml as plain processes here: the same commands, variables and Redis users."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError
from redis.retry import Retry

from captcha_solver.designs.drawing.draw import draw_run
from captcha_solver.designs.load import load_design
from captcha_solver.errors import SetupError
from captcha_solver.solver import load_solver
from tests.deploy.compose_file import VALUES, compose
from tests.fakes import encoded
from tests.paths import ROOT
from workers.redis_server import find_server

pytestmark = [pytest.mark.redis, pytest.mark.in_order]  # the last ones end what the first ones ask

SERVICES: dict[str, dict[str, Any]] = compose({**VALUES, "DASHBOARD_PASSWORD": "d" * 32})["services"]
WITHIN_S = 60.0
ADMIN = "\nuser admin on nopass ~* &* +@all\n"  # the tests' own, to see what was refused


@dataclass(frozen=True, slots=True)
class Topology:
    """What runs: the API's client, a Redis client that may do everything, and the processes by service."""

    client: httpx.Client
    admin: Redis
    home: Path
    environment: Mapping[str, str]
    processes: Mapping[str, list["subprocess.Popen[bytes]"]]


def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < deadline, f"expected {what} within {WITHIN_S:.0f} s"
        time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def here(value: str, home: Path, port: int) -> str:
    """A variable's value with the places of the containers replaced by those of this machine."""
    value = re.sub(r"^redis://(\w+:\w*)@redis:6379/0$", rf"unix://\1@{home}/redis.sock", value)
    return {"0.0.0.0": "127.0.0.1", SERVICES["api"]["environment"]["PORT"]: str(port)}.get(value, value)


@contextmanager
def running(command: list[str], environment: Mapping[str, str], log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A process with these variables and PATH alone, ended with the block."""
    with log.open("ab") as file:
        process = subprocess.Popen(
            [sys.executable if part == "python" else part for part in command],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], **environment},
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="captcha-topology-") as folder:  # short: a socket's path is limited
        yield Path(folder)


@pytest.fixture(scope="module")
def server(home: Path) -> Iterator[Redis]:
    """The redis service: its own start script, settings and list of users, on a Unix socket."""
    try:
        program = find_server()
    except SetupError as error:
        pytest.skip(str(error))
    told = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    version = re.search(r"v=(\d+)\.(\d+)", told)
    if version and (7, 0) <= (int(version[1]), int(version[2])) < (7, 2):
        pytest.skip("users.acl names CLIENT SETINFO, which Redis has from 7.2 on (6.2 takes any name)")
    shutil.copytree(ROOT / "deploy/redis", home / "redis")
    with (home / "redis/users.acl").open("a", encoding="utf-8") as users:
        users.write(ADMIN)
    service = SERVICES["redis"]
    command = [part.replace("/etc/captcha", str(home / "redis")) for part in service["entrypoint"]]
    places = {"SERVER": program, "RUN_DIR": str(home), "DATA_DIR": str(home)}
    options = ["--port", "0", "--unixsocket", str(home / "redis.sock"), "--unixsocketperm", "700"]
    admin = client_of(home, "admin", "none")
    with running([*command, *options], {**service["environment"], **places}, home / "redis.log"):
        until(lambda: answers(admin), "the server to answer")
        yield admin
        admin.close()


def client_of(home: Path, user: str | None, password: str | None) -> Redis:
    return Redis(
        unix_socket_path=str(home / "redis.sock"), username=user, password=password, retry=Retry(NoBackoff(), 0)
    )


def answers(redis: Redis) -> bool:
    try:
        return bool(redis.ping())
    except RedisError:
        return False


@pytest.fixture(scope="module")
def topology(home: Path, server: Redis) -> Iterator[Topology]:
    """The API and two workers, as the compose file starts them."""
    port = free_port()
    variables = {
        name: {key: here(value, home, port) for key, value in SERVICES[name]["environment"].items()}
        for name in ("api", "workers")
    }
    commands = {"api": ["python", "-m", "api"], "workers": SERVICES["workers"]["command"]}
    replicas = {"api": 1, "workers": int(SERVICES["workers"]["deploy"]["replicas"])}
    with ExitStack() as stack:
        processes = {
            name: [
                stack.enter_context(running(commands[name], variables[name], home / f"{name}.log"))
                for _ in range(replicas[name])
            ]
            for name in commands
        }
        key = variables["api"]["CAPTCHA_API_KEYS"]
        client = stack.enter_context(
            httpx.Client(
                base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {key}"}, trust_env=False
            )
        )
        until(lambda: ready_workers(client) == replicas["workers"], "the service to be ready")
        yield Topology(client, server, home, variables["api"], processes)


def ready_workers(client: httpx.Client) -> int:
    try:
        answer = client.get("/readyz")
    except httpx.HTTPError:
        return 0
    return int(answer.json()["workers"]) if answer.status_code == 200 else 0


def pictures(count: int) -> list[bytes]:
    drawings = islice(draw_run(load_design("classic"), 4), count)
    return [encoded(Image.fromarray(drawing.image)) for drawing in drawings]


def submitted(client: httpx.Client, images: list[bytes]) -> dict[str, Any]:
    parts = [("files[]", (f"{index}.png", image, "image/png")) for index, image in enumerate(images)]
    answer = client.post("/v1/jobs", files=parts)
    assert answer.status_code == 202, answer.text
    return dict(answer.json())


def finished(client: httpx.Client, job: dict[str, Any]) -> list[dict[str, Any]]:
    """All result items of ``job``, once it has ended."""
    ended = ("succeeded", "partial", "failed")
    until(lambda: client.get(job["links"]["self"]).json()["status"] in ended, "the job to end")
    lines = client.get(job["links"]["results"], headers={"Accept": "application/x-ndjson"}).text
    return [json.loads(line) for line in lines.splitlines()]


def test_every_image_gets_the_answer_of_a_direct_call(topology: Topology) -> None:
    images = [*pictures(40), b"no image"]
    items = finished(topology.client, submitted(topology.client, images))
    assert [item["index"] for item in items] == list(range(41))
    direct = load_solver("sliding").solve_batch(images)
    assert [item["text"] for item in items] == [solution.text if not solution.failure else None for solution in direct]
    assert sum(item["text"] is not None for item in items) >= 30


def test_a_chunk_whose_worker_dies_is_read_by_another(topology: Topology) -> None:
    images = pictures(20) * 40
    job = submitted(topology.client, images)
    until(lambda: topology.client.get(job["links"]["self"]).json()["counts"]["done"] > 0, "a first answer")
    victim = topology.processes["workers"][0]
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    items = finished(topology.client, job)
    assert [item["index"] for item in items] == list(range(len(images)))
    texts = [item["text"] for item in items]
    assert texts == texts[:20] * 40


def test_every_other_route_works_too(topology: Topology) -> None:
    client, image = topology.client, pictures(1)[0]
    solved = client.post("/v1/solve", content=image, headers={"Content-Type": "image/png", "Prefer": "wait=30"})
    assert solved.status_code == 200
    job = client.post(
        "/v1/jobs", files=[("files[]", ("a.png", image, "image/png"))], headers={"Idempotency-Key": "once"}
    ).json()
    assert finished(client, job)
    assert "event: finished" in client.get(job["links"]["events"]).text
    assert client.get("/v1/jobs", params={"limit": 2}).json()["next_cursor"]
    assert [model["workers"] > 0 for model in client.get("/v1/models").json()["items"]] == [True, True]
    assert client.post(job["links"]["cancel"]).status_code == 409
    assert client.delete(job["links"]["self"]).status_code == 204


def test_health_checks_tell_the_living_from_the_dead(topology: Topology) -> None:
    for service in ("api", "workers"):
        command = [
            sys.executable if part == "python" else part for part in SERVICES[service]["healthcheck"]["test"][1:]
        ]
        there = {"PATH": os.environ["PATH"], **topology.environment}
        gone = {**there, "PORT": str(free_port()), "REDIS_URL": f"unix://{topology.home}/none.sock"}
        assert subprocess.run(command, cwd=ROOT, env=there).returncode == 0
        assert subprocess.run(command, cwd=ROOT, env=gone).returncode == 1


def test_the_board_draws_what_the_api_tells(topology: Topology) -> None:
    told = topology.client.get("/metrics").text
    board = json.loads((ROOT / "deploy/grafana/boards/captcha-solver.json").read_text(encoding="utf-8"))
    asked = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    names = {name for expression in asked for name in re.findall(r"captcha_\w+", expression)}
    assert len(names) >= 8
    assert {name for name in names if not re.search(rf"^{name}[ {{]", told, flags=re.MULTILINE)} == set()
    routes = {route for expression in asked for route in re.findall(r'route="([^"]+)"', expression)}
    assert all(f'route="{route}"' in told for route in routes)


def test_redis_refused_the_service_nothing(topology: Topology) -> None:
    assert [(entry["username"], entry["object"]) for entry in topology.admin.acl_log()] == []


@pytest.mark.parametrize(
    ("user", "password"), [(None, None), ("captcha", "wrong"), ("dashboard", "wrong"), ("default", "")]
)
def test_redis_knows_nobody_without_a_password(
    server: Redis, home: Path, user: str | None, password: str | None
) -> None:
    with client_of(home, user, password) as stranger, pytest.raises(AuthenticationError):
        stranger.get("cs:open")


@pytest.mark.parametrize(
    ("user", "command"),
    [
        ("captcha", ["SET", "other:key", "1"]),
        ("captcha", ["KEYS", "*"]),
        ("captcha", ["FLUSHALL"]),
        ("captcha", ["CONFIG", "GET", "dir"]),
        ("captcha", ["ACL", "LIST"]),
        ("captcha", ["EVALSHA", "0" * 40, "1", "other:key"]),
        ("captcha", ["PUBLISH", "other", "1"]),
        ("dashboard", ["HGETALL", "cs:stored"]),
        ("dashboard", ["DEL", "rq:queues"]),
        ("health", ["GET", "cs:open"]),
    ],
)
def test_redis_lets_nobody_do_what_is_not_theirs(server: Redis, home: Path, user: str, command: list[str]) -> None:
    password = {"captcha": VALUES["REDIS_PASSWORD"], "dashboard": "d" * 32, "health": "none"}[user]
    with client_of(home, user, password) as client, pytest.raises(NoPermissionError):
        client.execute_command(*command)


def test_all_end_cleanly_when_told(topology: Topology) -> None:
    living = [process for each in topology.processes.values() for process in each if process.poll() is None]
    assert len(living) == 2
    for process in living:
        process.terminate()
    codes = [process.wait(WITHIN_S) for process in living]
    assert codes == [-signal.SIGTERM, 0]  # uvicorn raises the signal again once it has let requests end
    assert topology.admin.zcard("cs:workers") <= 1  # the killed one's word runs out by itself
