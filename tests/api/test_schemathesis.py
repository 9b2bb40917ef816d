"""The live service against its own OpenAPI document: every check of schemathesis, and not one failure."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.api.services import MINE, Live
from tests.workers.some_audits import FILES, ending
from workers.audits.queue import audit_queue
from workers.connection import connect

pytestmark = pytest.mark.redis

EXAMPLES = 60  # an operation, each in the phase of random requests; more find little that is new
LEAST_CASES = 1000
WITHIN_S = 300
# What a pattern cannot say of these two formats: a range goes up, and a word that is no charset's name is a slip.
FORMATS = """
import string

import schemathesis
from hypothesis import strategies as st

NAMES = st.sampled_from(["digits", "lower+digits", "ALNUM", "a-z0-9", "upper+2-9"])
SYMBOLS = st.sets(st.sampled_from(string.ascii_letters + string.digits), min_size=1, max_size=20)
schemathesis.openapi.format("charset", NAMES | SYMBOLS.map(lambda symbols: "=" + "".join(sorted(symbols))))
LENGTHS = st.tuples(st.integers(1, 500), st.integers(0, 499)).map(lambda pair: f"{pair[0]}-{pair[0] + pair[1]}")
schemathesis.openapi.format("length", st.integers(1, 999).map(str) | LENGTHS)
"""
# A schema cannot say what the bytes of a design or of labelled images must hold.
CONFIG = """
[[operations]]
include-name = "POST /v1/audits"
checks.positive_data_acceptance.expected-statuses = ["2xx", 401, 403, 404, 409, 422, "5xx"]

[[operations]]  # a job of another test may have run out by now
include-name = "GET /v1/jobs/{job_id}/results"
checks.positive_data_acceptance.expected-statuses = ["2xx", "3xx", 401, 403, 404, 409, 410, "5xx"]
"""


def test_the_service_does_what_its_document_says(live: Live, tmp_path: Path) -> None:
    (tmp_path / "schemathesis.toml").write_text(CONFIG, encoding="utf-8")
    (tmp_path / "formats.py").write_text(FORMATS, encoding="utf-8")
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        "run",
        f"{live.running.url}/openapi.json",
        f"--header=Authorization: Bearer {MINE}",
        "--checks=all",
        f"--max-examples={EXAMPLES}",
        "--generation-deterministic",
        "--continue-on-failure",
        "--no-shrink",
        "--no-color",
        "--request-timeout=60",
    ]
    settings = live.running.settings
    redis = connect(settings.redis_url or "")
    with ending(redis, audit_queue(settings, redis), FILES):
        done = subprocess.run(
            command,
            cwd=tmp_path,
            env={**os.environ, "SCHEMATHESIS_HOOKS": "formats", "PYTHONPATH": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=WITHIN_S,
            check=False,
        )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    tried = re.search(r"(\d+) generated, (\d+) passed", said)
    assert tried is not None, said
    assert int(tried[1]) == int(tried[2]) >= LEAST_CASES, said


def test_the_document_is_openapi_3_1_and_names_every_operation(live: Live) -> None:
    document = live.mine.get("/openapi.json").json()
    assert re.fullmatch(r"3\.1\.\d+", document["openapi"])
    found = {
        f"{method.upper()} {path}": set(operation["responses"])
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }
    assert found.keys() == {
        "POST /v1/solve",
        "POST /v1/jobs",
        "GET /v1/jobs",
        "GET /v1/jobs/{job_id}",
        "DELETE /v1/jobs/{job_id}",
        "POST /v1/jobs/{job_id}/cancel",
        "GET /v1/jobs/{job_id}/results",
        "GET /v1/jobs/{job_id}/events",
        "POST /v1/audits",
        "GET /v1/audits",
        "GET /v1/audits/{audit_id}",
        "DELETE /v1/audits/{audit_id}",
        "POST /v1/audits/{audit_id}/cancel",
        "GET /v1/audits/{audit_id}/report",
        "GET /v1/audits/{audit_id}/trials",
        "GET /v1/audits/{audit_id}/badge.svg",
        "GET /v1/audits/{audit_id}/files",
        "GET /v1/audits/{audit_id}/events",
        "GET /v1/models",
        "GET /healthz",
        "GET /readyz",
        "GET /metrics",
    }
    assert all({"401", "422", "429", "500", "503"} <= answers for name, answers in found.items() if " /v1/" in name)
