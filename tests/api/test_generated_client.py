"""A client that a generator makes of the served OpenAPI document: it keeps all bodies, and what it sends is read."""

import base64
import importlib
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from captcha_solver.types import Sample
from tests.api.conftest import Light
from tests.api.routes.test_audits import zipped as zipped_with_labels
from tests.api.routes.test_jobs import zipped
from tests.api.services import MINE, Live
from tests.workers.some_audits import DESIGN, images
from workers import keys

pytestmark = pytest.mark.redis

NAME = "generated_client"
WITHIN_S = 120


class Generated:
    """Modules of the generated client, by their names, and what the generator said."""

    def __init__(self, said: str) -> None:
        self.said = said

    def __call__(self, module: str) -> Any:
        return importlib.import_module(f"{NAME}.{module}")

    def client(self, url: str) -> Any:
        made = self("client").AuthenticatedClient
        return made(base_url=url, token=MINE, raise_on_unexpected_status=True, httpx_args={"trust_env": False})

    def file(self, data: bytes, name: str | None = None) -> Any:
        return self("types").File(payload=io.BytesIO(data), file_name=name)


@pytest.fixture(scope="module")
def made(live: Live, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Generated]:
    folder = tmp_path_factory.mktemp("generated")
    document = folder / "openapi.json"
    document.write_text(json.dumps(live.mine.get("/openapi.json").json()), encoding="utf-8")
    command = [sys.executable, "-m", "openapi_python_client", "generate", "--path", str(document)]
    command += ["--output-path", str(folder / NAME), "--meta", "none"]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=WITHIN_S, env={**os.environ, "PATH": path}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    sys.path.insert(0, str(folder))
    yield Generated(done.stdout + done.stderr)
    sys.path.remove(str(folder))
    for name in [each for each in sys.modules if each.split(".")[0] == NAME]:
        del sys.modules[name]


def results(made: Generated, client: Any, job: Any) -> dict[str, str | None]:
    """Name -> text of a job, once it is finished."""
    while made("api.jobs.job").sync(job.id, client=client, wait=20).finished_at is None:
        pass
    page = made("api.jobs.results").sync(job.id, client=client)
    return {item.id: item.text for item in page.items}


def test_no_body_is_left_out(made: Generated) -> None:
    assert "Generating" in made.said
    assert "parsing POST" not in made.said, made.said
    assert "parsing PUT" not in made.said


@pytest.mark.parametrize("way", ["file", "form", "json"])
def test_it_solves_an_image_in_each_way(made: Generated, live: Live, samples: Sequence[Sample], way: str) -> None:
    sample = samples[0]
    models = {
        "file": lambda: made.file(sample.image),
        "form": lambda: made("models.solve_files_body").SolveFilesBody(
            file=made.file(sample.image, "a.png"), fold_case=True, views="1"
        ),
        "json": lambda: made("models.solve_request").SolveRequest(image=base64.b64encode(sample.image).decode()),
    }
    with made.client(live.running.url) as client:
        answer = made("api.solve.solve").sync(client=client, body=models[way](), prefer="wait=30")
    assert (answer.text, answer.status.value, answer.model.name) == (sample.text, "solved", "sliding")


@pytest.mark.parametrize("way", ["zip", "form", "json"])
def test_it_submits_images_in_each_way_and_reads_results(
    made: Generated, live: Live, samples: Sequence[Sample], way: str
) -> None:
    files = {f"{sample.id}.png": sample.image for sample in samples}
    labels = made("models.labels").Labels.from_dict({f"{sample.id}.png": sample.text for sample in samples})
    image = made("models.json_image").JsonImage
    models = {
        "zip": lambda: made.file(zipped(files)),
        "form": lambda: made("models.submit_files_body").SubmitFilesBody(
            files=[made.file(data, name) for name, data in files.items()], labels=labels
        ),
        "json": lambda: made("models.job_request").JobRequest(
            images=[image(image=base64.b64encode(data).decode(), id=name) for name, data in files.items()],
            labels=labels,
        ),
    }
    with made.client(live.running.url) as client:
        job = made("api.jobs.submit").sync(client=client, body=models[way](), idempotency_key=f"generated-{way}")
        assert results(made, client, job) == {f"{sample.id}.png": sample.text for sample in samples}
        if way != "zip":
            score = made("api.jobs.job").sync(job.id, client=client).score
            assert (score.n, score.correct) == (len(samples), len(samples))


@pytest.mark.parametrize("way", ["json", "toml", "zip"])
def test_it_begins_an_audit_in_each_way(made: Generated, light: Light, way: str) -> None:
    served = light()
    served.service.redis.zadd(keys.AUDIT_WORKERS, {"pretended": time.time() + 1000})
    request = made("models.audit_request")
    models = {
        "json": lambda: request.AuditRequest(design=made("models.audit_request_design").AuditRequestDesign("plain")),
        "toml": lambda: made.file(DESIGN.encode()),
        "zip": lambda: made.file(zipped_with_labels(images())),
    }
    with made.client(str(served.mine.base_url)) as client:
        audit = made("api.audits.begin_audit").sync(client=client, body=models[way](), tested=30, budgets="0,20")
        found = made("api.audits.audit").sync(audit.id, client=client)
    assert (found.source, found.status.value) == ({"json": "design", "zip": "images"}.get(way, "toml"), "queued")
    assert found.settings.budgets == [0, 20]
