"""Sends batches of images over REST as any client would; what goes wrong is counted, not hidden.

Tested in ``tests/benchmarks/service/test_measure.py``.
"""

import json
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

import httpx

from captcha_solver.client.service import PLAIN, Request
from captcha_solver.errors import SetupError

ANSWER_S = 60.0
AGAIN_S = 0.2
LONGEST_WAIT_S = 20.0
PROBLEM = "application/problem+json"


class Rest:
    """Asks one service with one key. Requests that find it away are sent again until ``patience_s`` is over.

    ``away`` counts those: no connection, or 503 as it must be (a problem, with Retry-After). ``strange`` lists all
    other answers that a request must not get.
    """

    def __init__(self, url: str, key: str, *, patience_s: float = 120.0) -> None:
        headers = {"Authorization": f"Bearer {key}"}
        self.http = httpx.Client(base_url=url, headers=headers, timeout=ANSWER_S, trust_env=False)
        self.patience_s = patience_s
        self.away: Counter[str] = Counter()
        self.strange: list[str] = []

    def __enter__(self) -> "Rest":
        return self

    def __exit__(self, *args: object) -> None:
        self.http.close()

    def ask(self, method: str, path: str, sent: Request = PLAIN) -> httpx.Response:
        """The answer, as soon as the service is there to give one."""
        deadline = time.monotonic() + self.patience_s
        while time.monotonic() < deadline:
            answer = self.once(method, path, sent)
            if answer is not None and answer.status_code != 503:
                return answer
            time.sleep(AGAIN_S)
        raise SetupError(f"expected an answer to {method} {path} within {self.patience_s:.0f} s, received none")

    def once(self, method: str, path: str, sent: Request = PLAIN) -> httpx.Response | None:
        """The answer to one request; None where no connection came about, or it broke."""
        try:
            answer = self.http.request(method, path, params=sent.params, headers=sent.headers, content=sent.content)
        except httpx.HTTPError as error:
            self.away[type(error).__name__] += 1
            return None
        if answer.status_code == 503:
            self.away["503"] += 1
            if "Retry-After" not in answer.headers or not is_problem(answer):
                self.strange.append(f"{method} {path}: 503 without Retry-After, or no problem: {answer.text[:80]}")
        elif answer.status_code >= 500:
            self.strange.append(f"{method} {path}: {answer.status_code} {answer.text[:120]}")
        return answer

    def submit(self, zipped: bytes, key: str | None = None) -> dict[str, Any]:
        """Make a job of a zip; under an Idempotency-Key, so that a repeated request makes no second one."""
        headers = {"Content-Type": "application/zip"} | ({"Idempotency-Key": key} if key else {})
        return expect(202, self.ask("POST", "/v1/jobs", Request(content=zipped, headers=headers)))

    def job(self, job_id: str, wait_s: float = 0.0) -> dict[str, Any]:
        return expect(200, self.ask("GET", f"/v1/jobs/{job_id}", Request({"wait": wait_s})))

    def finished(self, job_id: str, within_s: float) -> dict[str, Any]:
        """The job at its end; ``SetupError`` where it does not end in time."""
        deadline = time.monotonic() + within_s
        while True:
            left = deadline - time.monotonic()
            job = self.job(job_id, min(max(left, 0.0), LONGEST_WAIT_S))
            if job["finished_at"] is not None:
                return job
            if left <= 0:
                raise SetupError(f"expected {job_id} to end within {within_s:.0f} s, received {job['counts']}")

    def results(self, job_id: str) -> list[dict[str, Any]]:
        """Every answer of a job, as it stands in the lines of the NDJSON."""
        answer = self.ask("GET", f"/v1/jobs/{job_id}/results", Request(headers={"Accept": "application/x-ndjson"}))
        if answer.status_code != 200:
            expect(200, answer)
        return [json.loads(line) for line in answer.text.split("\n") if line]

    def delete(self, job_id: str) -> None:
        self.ask("DELETE", f"/v1/jobs/{job_id}")


def expect(status: int, answer: httpx.Response) -> dict[str, Any]:
    """The body of an answer of ``status``; ``SetupError`` where it is another."""
    if answer.status_code != status:
        raise SetupError(
            f"expected {status} from {answer.request.url.path}, received {answer.status_code}: {answer.text[:200]}"
        )
    body: dict[str, Any] = answer.json()
    return body


def is_problem(answer: httpx.Response) -> bool:
    """Whether an answer is a problem as RFC 9457 has it, with the members that ours carry besides."""
    if not answer.headers.get("content-type", "").startswith(PROBLEM):
        return False
    body: Mapping[str, Any] = answer.json()
    return body.get("status") == answer.status_code and {"title", "detail", "code", "request_id"} <= set(body)
