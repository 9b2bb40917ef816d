"""The Dockerfile and docker-compose.yml: valid by their schema, pinned, closed, and in step with the code."""

import ast
import copy
import fnmatch
import json
import re
import shlex
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from redis.commands.core import CoreCommands

from api.__main__ import DRAIN_S
from tests.deploy.compose_file import PATH, VALUES, compose, replaced, seconds, variables
from tests.paths import ROOT
from workers.settings import Settings

SCHEMA = json.loads((ROOT / "tests/data/compose-spec.json").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = compose()["services"]
STAGE = re.compile(r"FROM (\S+) AS (\S+)")
PINNED = re.compile(r"[\w./-]+:v?\d+\.\d+\.\d+[\w.-]*(@sha256:[0-9a-f]{64})?")


def errors_of(file: dict[str, Any]) -> list[str]:
    return [error.message for error in jsonschema.Draft202012Validator(SCHEMA).iter_errors(file)]


def stages() -> dict[str, list[list[str]]]:
    """The Dockerfile's stages: name -> its instructions, FROM first, each split as a shell would."""
    text = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text("utf-8"), flags=re.MULTILINE))
    found: dict[str, list[list[str]]] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        if match := STAGE.match(line):
            found[match[2]] = []
        found[list(found)[-1]].append([line.split()[0], *shlex.split(line)[1:]])
    return found


STAGES = stages()


def whole(stage: str) -> list[list[str]]:
    """The instructions of a stage and of those that it is built on."""
    base = STAGES[stage][0][1]
    return [*(whole(base) if base in STAGES else []), *STAGES[stage]]


def test_the_compose_file_keeps_to_the_specification() -> None:
    assert errors_of(compose()) == []


@pytest.mark.parametrize(
    ("place", "value"), [("read_onyl", True), ("cap_drop", "ALL"), ("stop_grace_period", 75), ("depends_on", 3)]
)
def test_the_schema_sees_mistakes(place: str, value: object) -> None:
    wrong = copy.deepcopy(compose())
    wrong["services"]["api"][place] = value
    assert errors_of(wrong)


def test_secrets_have_no_default() -> None:
    asked = variables()
    assert {name for name, (kind, _) in asked.items() if kind == ":?"} == {"REDIS_PASSWORD", "CAPTCHA_API_KEYS"}
    assert all(kind for kind, _ in asked.values())
    secret = {name for name in asked if re.search("PASSWORD|SECRET|KEY", name)}
    assert {name: rest for name, (kind, rest) in asked.items() if name in secret and kind == ":-" and rest} == {}


@pytest.mark.parametrize("missing", ["REDIS_PASSWORD", "CAPTCHA_API_KEYS"])
def test_nothing_starts_without_a_secret(missing: str) -> None:
    with pytest.raises(KeyError, match=missing):
        compose({**VALUES, missing: ""})


@pytest.mark.parametrize(
    ("text", "expected"),
    [("${A:-b}c", "bc"), ("${A:-}", ""), ("$${A}", "${A}"), ("${REDIS_URL:?none}", "there"), (7, 7)],
)
def test_variables_are_replaced_as_compose_does(text: object, expected: object) -> None:
    assert replaced({"x": [text]}, {"REDIS_URL": "there", "A": ""}) == {"x": [expected]}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_closed_and_bounded(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert "privileged" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["init"] is True
    assert service["restart"] == "unless-stopped"
    assert service["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}
    assert seconds(service["stop_grace_period"]) >= 10
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}


@pytest.mark.parametrize("name", SERVICES)
def test_an_image_is_pinned_or_built_here(name: str) -> None:
    if "build" in SERVICES[name]:
        assert SERVICES[name]["build"]["target"] in STAGES
        assert SERVICES[name]["image"].endswith(":local")
    else:
        assert PINNED.fullmatch(SERVICES[name]["image"])


@pytest.mark.parametrize("name", SERVICES)
def test_what_is_mounted_from_here_exists_and_cannot_be_written(name: str) -> None:
    for volume in SERVICES[name].get("volumes", []):
        source, _, rest = volume.partition(":")
        if source.startswith("."):
            assert (ROOT / source).exists()
            assert rest.endswith(":ro")
        else:
            assert source in compose()["volumes"]


def test_ports_are_this_machines_own_and_redis_has_none() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert set(published) == {"api", "dashboard", "grafana"}
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)


def test_redis_and_the_workers_have_no_way_out() -> None:
    networks = compose()["networks"]
    assert {name for name, network in networks.items() if not network.get("internal")} == {"front"}
    assert {name for name, each in SERVICES.items() if each["networks"] == ["queue"]} == {"redis", "workers", "audits"}


def test_what_is_not_needed_waits_for_its_profile() -> None:
    profiles = {name: service.get("profiles", []) for name, service in SERVICES.items()}
    assert profiles == {
        "redis": [],
        "api": [],
        "workers": [],
        "audits": ["audits"],
        "dashboard": ["dashboard"],
        "prometheus": ["monitoring"],
        "grafana": ["monitoring"],
    }


def test_what_is_stopped_has_the_time_that_it_takes() -> None:
    chunk_s = int(SERVICES["workers"]["environment"]["CAPTCHA_CHUNK_TIMEOUT_S"])
    assert SERVICES["api"]["environment"]["CAPTCHA_CHUNK_TIMEOUT_S"] == str(chunk_s)  # the API writes it into the chunk
    assert seconds(SERVICES["workers"]["stop_grace_period"]) >= chunk_s + 10
    assert seconds(SERVICES["api"]["stop_grace_period"]) > DRAIN_S


@pytest.mark.parametrize("name", ["api", "workers", "audits"])
def test_the_service_is_given_settings_that_it_knows(name: str) -> None:
    known = {field.metadata["name"] for field in Settings.__dataclass_fields__.values()}
    assert set(SERVICES[name]["environment"]) <= known


def test_redis_keeps_what_it_was_given_and_refuses_what_does_not_fit() -> None:
    lines = (ROOT / "deploy/redis/redis.conf").read_text(encoding="utf-8").splitlines()
    options = dict(line.split(" ", 1) for line in lines if line and not line.startswith("#"))
    assert options["appendonly"] == "yes"
    assert options["maxmemory-policy"] == "noeviction"
    assert (options["maxmemory"], SERVICES["redis"]["deploy"]["resources"]["limits"]["memory"]) == ("2gb", "4g")


def commands_used() -> set[str]:
    """Redis commands that workers/ and api/ call on a client or a pipeline."""
    names = {
        node.func.attr
        for folder in ("workers", "api")
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        if re.search(r"(?:redis|pipe|waiting|connection)$", ast.unparse(node.func.value))
    }
    return {{"delete": "del"}.get(name, name) for name in names & set(dir(CoreCommands))}


def test_redis_lets_the_service_do_what_the_code_asks_for() -> None:
    users = re.sub(r"\\\n", "", (ROOT / "deploy/redis/users.acl").read_text(encoding="utf-8"))
    (captcha,) = [line for line in users.splitlines() if line.startswith("user captcha ")]
    allowed = {word[1:] for word in captcha.split() if word.startswith("+")}
    assert len(commands_used()) > 30
    assert commands_used() - allowed == set()


def test_prometheus_asks_the_api_and_grafana_asks_prometheus() -> None:
    scrape = yaml.safe_load((ROOT / "deploy/prometheus.yml").read_text(encoding="utf-8"))["scrape_configs"][0]
    place = scrape["dns_sd_configs"][0]
    assert (place["names"], str(place["port"])) == (["api"], SERVICES["api"]["environment"]["PORT"])
    grafana = ROOT / "deploy/grafana"
    sources = yaml.safe_load((grafana / "provisioning/datasources/prometheus.yml").read_text("utf-8"))["datasources"]
    board = json.loads((grafana / "boards/captcha-solver.json").read_text(encoding="utf-8"))
    assert {panel["datasource"]["uid"] for panel in board["panels"]} == {source["uid"] for source in sources}
    assert sources[0]["url"] == "http://prometheus:9090"


def test_the_images_build_on_pinned_ones() -> None:
    for name, instructions in STAGES.items():
        base = instructions[0][1]
        assert base in STAGES or PINNED.fullmatch(base), f"{name} builds on {base}"
    assert list(STAGES)[-1] == "service"  # what docker build makes when it is told no target


@pytest.mark.parametrize("target", ["service", "gpu", "audits", "dashboard"])
def test_an_image_runs_as_nobody_and_fetches_only_what_is_locked(target: str) -> None:
    instructions = whole(target)
    users = [instruction[1] for instruction in instructions if instruction[0] == "USER"]
    assert users
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[-1])
    assert [instruction for each in STAGES.values() for instruction in each if instruction[0] == "ADD"] == []
    for packages in [each for name, each in STAGES.items() if name.endswith("-packages")]:
        installs = [" ".join(each) for each in packages if each[0] == "RUN" and "install" in each]
        assert len(installs) == 1
        assert "--require-hashes --only-binary :all: -r " in installs[0]
    assert any(instruction[:3] == ["COPY", f"--from={target}-packages", "/opt/venv"] for instruction in instructions)


@pytest.mark.parametrize("target", ["service", "gpu", "audits"])
def test_an_image_can_be_asked_whether_it_works(target: str) -> None:
    checks = [" ".join(each) for each in STAGES[target] if each[0] == "HEALTHCHECK"]
    assert len(checks) == 1
    module = re.search(r"(\w+\.alive)", checks[0])
    assert module
    assert (ROOT / module[1].replace(".", "/")).with_suffix(".py").exists()


def test_what_is_copied_exists_and_reaches_the_builder() -> None:
    sources = [
        instruction[1]
        for instructions in STAGES.values()
        for instruction in instructions
        if instruction[0] == "COPY" and not instruction[1].startswith("--from")
    ]
    assert {"captcha_solver", "workers", "api", "datasets/designs", "datasets/fonts"} <= set(sources)
    let_in = [line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")]
    for source in sources:
        assert (ROOT / source).exists(), source
        assert any(fnmatch.fnmatch(source, pattern) for pattern in let_in), f".dockerignore keeps {source} out"
    assert all(list(ROOT.glob(pattern)) for pattern in let_in)


def test_the_images_packages_are_those_of_the_tests() -> None:
    def pins(lock: Path) -> set[str]:
        return set(re.findall(r"^[\w.-]+==[^\s;]+", lock.read_text(encoding="utf-8"), flags=re.MULTILINE))

    tested = pins(ROOT / "requirements.lock")
    assert pins(ROOT / "requirements-service.lock") <= tested
    assert not {pin for pin in pins(ROOT / "requirements-service.lock") if re.match("tensorflow|keras|torch", pin)}
    assert pins(ROOT / "deploy/audits.lock") <= tested
    assert {pin for pin in pins(ROOT / "deploy/gpu.lock") - tested if not pin.startswith("nvidia-")} == set()


def test_the_schema_says_where_it_is_from() -> None:
    note = (ROOT / "tests/data/README.md").read_text(encoding="utf-8")
    assert "compose-spec.json" in note
    assert "Apache License" in (ROOT / "tests/data/compose-spec.LICENSE").read_text(encoding="utf-8")
    assert PATH.exists()
