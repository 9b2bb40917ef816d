"""The manifests in deploy/kubernetes: they parse, fit each other, and are as closed as the compose file."""

from typing import Any

import pytest
import yaml
from rq import Queue

from api.__main__ import DRAIN_S
from tests.paths import ROOT
from workers.settings import Settings

FOLDER = ROOT / "deploy/kubernetes"
MANIFESTS: list[dict[str, Any]] = [
    document for path in sorted(FOLDER.glob("*.yaml")) for document in yaml.safe_load_all(path.read_text("utf-8"))
]


def of(kind: str) -> dict[str, dict[str, Any]]:
    """Name -> manifest of this kind."""
    return {each["metadata"]["name"]: each for each in MANIFESTS if each["kind"] == kind}


DEPLOYMENTS = of("Deployment")


def pod(name: str) -> dict[str, Any]:
    spec: dict[str, Any] = DEPLOYMENTS[name]["spec"]["template"]["spec"]
    return spec


def test_the_manifests_are_these() -> None:
    assert sorted((each["kind"], each["apiVersion"]) for each in MANIFESTS) == [
        ("ConfigMap", "v1"),
        ("Deployment", "apps/v1"),
        ("Deployment", "apps/v1"),
        ("Deployment", "apps/v1"),
        ("PodDisruptionBudget", "policy/v1"),
        ("ScaledObject", "keda.sh/v1alpha1"),
        ("Service", "v1"),
        ("TriggerAuthentication", "keda.sh/v1alpha1"),
    ]


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_a_pod_is_closed_and_bounded(name: str) -> None:
    spec, (container,) = pod(name), pod(name)["containers"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {"cpu", "memory"} <= set(container["resources"]["requests"])
    assert "memory" in container["resources"]["limits"]
    assert "readinessProbe" in container


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_selectors_find_their_pods(name: str) -> None:
    labels = DEPLOYMENTS[name]["spec"]["template"]["metadata"]["labels"]
    assert DEPLOYMENTS[name]["spec"]["selector"]["matchLabels"] == labels
    assert of("Service")["captcha-api"]["spec"]["selector"]["app.kubernetes.io/component"] == "api"


def test_what_is_stopped_has_the_time_that_it_takes() -> None:
    settings = of("ConfigMap")["captcha-solver"]["data"]
    chunk_s = int(settings["CAPTCHA_CHUNK_TIMEOUT_S"])
    assert pod("captcha-workers")["terminationGracePeriodSeconds"] >= chunk_s + 10
    assert pod("captcha-api")["terminationGracePeriodSeconds"] > DRAIN_S
    assert set(settings) <= {field.metadata["name"] for field in Settings.__dataclass_fields__.values()}


def test_keda_counts_the_list_that_the_service_fills() -> None:
    scaled = of("ScaledObject")["captcha-workers"]["spec"]
    key = Queue.redis_queue_namespace_prefix + Settings().queue
    assert [trigger["metadata"]["listName"] for trigger in scaled["triggers"]] == [key]
    assert scaled["scaleTargetRef"]["name"] in DEPLOYMENTS
    assert {trigger["authenticationRef"]["name"] for trigger in scaled["triggers"]} == set(of("TriggerAuthentication"))
    assert 1 <= scaled["minReplicaCount"] < scaled["maxReplicaCount"]
    assert "replicas" not in DEPLOYMENTS[scaled["scaleTargetRef"]["name"]]["spec"]  # or applying it again undoes KEDA
