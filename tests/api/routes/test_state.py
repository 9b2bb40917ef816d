"""``/v1/models``, ``/healthz``, ``/readyz``, ``/metrics``: what is there, and what it says when something is not."""

import json
import time

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.api.conftest import Light
from tests.api.services import Live, Served, answered, until
from tests.api.test_problems import check
from workers import keys
from workers.jobs.reader import model_hashes

pytestmark = pytest.mark.redis

MODELS = ("sliding", "segmented")


def pretend_worker(served: Served, models: dict[str, str], *, name: str = "w", left_s: float = 60.0) -> None:
    redis = served.service.redis
    redis.hset(keys.worker(name), mapping={"models": json.dumps(models)})
    redis.zadd(keys.WORKERS, {name: time.time() + left_s})


def metrics(served: Served) -> dict[str, float]:
    text = served.mine.get("/metrics").text
    return {
        sample.name: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if not sample.labels
    }


def test_the_models_and_who_has_them(live: Live) -> None:
    page = live.mine.get("/v1/models").json()
    hashes = model_hashes(MODELS)
    assert [(item["name"], item["sha256"]) for item in page["items"]] == list(hashes.items())
    assert [(item["usual"], item["workers"], item["kind"]) for item in page["items"]] == [
        (True, 1, "sliding"),
        (False, 1, "segmented"),
    ]
    assert set("aZ9") <= set(page["items"][0]["charset"])


def test_a_whole_service_is_ready(live: Live) -> None:
    assert live.mine.get("/healthz").json() == {"status": "ok"}
    until(lambda: live.mine.get("/readyz").json().get("workers") == 1)  # another test may just have killed one
    assert live.mine.get("/readyz").json()["status"] == "ready"


def test_ready_only_with_a_worker_that_has_the_expected_model(light: Light) -> None:
    served = light()
    hashes = model_hashes(MODELS)
    answer = served.mine.get("/readyz")
    assert "none is ready" in check(answer, 503, "no_worker")["detail"]
    assert int(answer.headers["Retry-After"]) >= 1
    pretend_worker(served, {**hashes, "sliding": "0" * 64})
    assert "1 have another" in check(served.mine.get("/readyz"), 503, "no_worker")["detail"]
    pretend_worker(served, hashes, name="dead", left_s=-1.0)
    check(served.mine.get("/readyz"), 503, "no_worker")
    pretend_worker(served, hashes, name="good")
    assert served.mine.get("/readyz").json() == {
        "status": "ready", "workers": 1, "queued_chunks": 0, "stored_images": 0,
    }  # fmt: skip
    counts = {item["name"]: item["workers"] for item in served.mine.get("/v1/models").json()["items"]}
    assert counts == {"sliding": 1, "segmented": 2}


def test_not_ready_while_it_is_full(light: Light) -> None:
    served = light(max_stored=3)
    pretend_worker(served, model_hashes(MODELS))
    job = served.submit(3)["id"]
    check(served.mine.get("/readyz"), 503, "store_full")
    served.answer(job, [answered(0, "a")])
    assert served.mine.get("/readyz").json()["stored_images"] == 2


def test_redis_gone_is_503_until_it_is_back(light: Light) -> None:
    served = light()
    pretend_worker(served, model_hashes(MODELS))
    job = served.submit()["links"]["self"]
    served.redis.kill()
    for method, path in (("GET", "/readyz"), ("GET", job), ("GET", "/v1/jobs"), ("GET", "/v1/models")):
        answer = served.mine.request(method, path)
        check(answer, 503, "queue_unavailable")
        assert int(answer.headers["Retry-After"]) >= 1
    check(served.mine.post("/v1/jobs", json={"images": [{"image": "QUJD"}]}), 503, "queue_unavailable")
    check(served.mine.post("/v1/solve", json={"image": "QUJD"}), 503, "queue_unavailable")
    assert served.mine.get("/healthz").status_code == 200
    assert metrics(served)["captcha_redis_up"] == 0
    served.redis.start()
    until(lambda: served.mine.get("/v1/jobs").status_code == 200)
    assert metrics(served)["captcha_redis_up"] == 1
    assert served.submit()["status"] == "queued"


def test_metrics_count_what_happens(light: Light) -> None:
    served = light()
    job = served.submit(20)["id"]
    found = metrics(served)
    assert (found["captcha_queued_chunks"], found["captcha_stored_images"]) == (2, 20)
    assert (found["captcha_unfinished_jobs"], found["captcha_ready_workers"]) == (1, 0)
    assert found["captcha_images_solved_total"] == 0
    served.answer(job, [answered(index, "a") for index in range(16)])
    found = metrics(served)
    assert (found["captcha_images_solved_total"], found["captcha_stored_images"]) == (16, 4)
    served.mine.get(f"/v1/jobs/{job}")
    served.mine.get("/nothing/at/all")
    served.mine.get("/v1/jobs/nonsense")
    text = served.mine.get("/metrics").text
    assert 'captcha_http_requests_total{method="POST",route="/v1/jobs",status="202"} 1.0' in text
    assert 'route="/v1/jobs/{job_id}",status="200"} 1.0' in text
    assert 'route="none",status="404"} 1.0' in text
    assert job not in text  # a label for each job would have no end
