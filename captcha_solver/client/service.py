"""Asks the REST service for models, jobs and answers; what may pass is tried again."""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType, TracebackType
from typing import IO, Any

from captcha_solver.client.address import checked_key, checked_url, is_local
from captcha_solver.client.patience import Patience, seconds_of
from captcha_solver.client.problems import refusal
from captcha_solver.client.records import (
    SUBMISSION,
    FetchedAnswer,
    JobState,
    ServedModel,
    SubmitOptions,
    answer_of,
    job_of,
    model_of,
    parsed,
)
from captcha_solver.errors import ServiceError, SetupError

AGAIN = frozenset({429, 502, 503, 504})  # statuses that pass: busy, full, or a proxy whose server restarts
CONNECT_S, ANSWER_S = 10.0, 150.0  # the service takes its time to check and store a large archive
SILENCE_S = 35.0  # an event stream says something every ten seconds
PAGE = 1000
JOBS_PAGE, MOST_JOB_PAGES = 200, 10


class StreamCutError(ServiceError):
    """An event stream ended, or never started. The job still runs, and can be watched again."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent with a request; ``files``: name of the field -> name of the file, its stream and its type."""

    params: Mapping[str, Any] | None = None
    headers: Mapping[str, str] | None = None
    content: bytes | None = None
    form: Mapping[str, str] | None = None
    files: Mapping[str, tuple[str, IO[bytes], str]] | None = None


PLAIN = Request()


class ServiceClient:
    """The service at ``url``. Use it in a ``with`` block."""

    def __init__(self, url: str, key: str | None, patience: Patience) -> None:
        self.url = checked_url(url)
        self.patience = patience
        self._httpx = import_httpx()
        self._http = self._httpx.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {checked_key(key)}"} if key else {},
            timeout=self._httpx.Timeout(ANSWER_S, connect=CONNECT_S),
            trust_env=not is_local(self.url),  # a proxy is no way to this machine
        )

    def __enter__(self) -> "ServiceClient":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._http.close()

    def models(self) -> list[ServedModel]:
        body = self._ask("GET", "/v1/models")
        return parsed(body, lambda page: [model_of(each) for each in page["items"]])

    def submitted(self, submissions: Collection[str]) -> dict[str, JobState]:
        """Those of ``submissions`` that are jobs already, as far as the latest jobs go; not those that have run out."""
        found: dict[str, JobState] = {}
        query: dict[str, Any] = {"limit": JOBS_PAGE}
        for _ in range(MOST_JOB_PAGES):
            page = self._ask("GET", "/v1/jobs", Request(params=query))
            for job in parsed(page, lambda page: [job_of(each) for each in page["items"]]):
                if job.submission in submissions and job.status != "expired":
                    found.setdefault(job.submission, job)
            query["cursor"] = page.get("next_cursor")
            if query["cursor"] is None or len(found) == len(submissions):
                break
        return found

    def submit(self, archive: IO[bytes], options: SubmitOptions, submission: str) -> JobState:
        """The job of a zip of images. The same submission sent twice is one job."""
        request = Request(
            headers={"Idempotency-Key": submission},
            form={**options.fields(), "metadata": json.dumps({SUBMISSION: submission})},
            files={"files[]": ("images.zip", archive, "application/zip")},
        )
        return job_of(self._ask("POST", "/v1/jobs", request))

    def job(self, job_id: str, *, wait_s: float = 0.0) -> JobState:
        """How far a job is: at once, or when it is finished, or after ``wait_s``."""
        return job_of(self._ask("GET", f"/v1/jobs/{job_id}", Request(params={"wait": wait_s} if wait_s else {})))

    def events(self, job_id: str, last_id: str) -> Iterator[tuple[str, str]]:
        """Id and data of each server-sent event later than ``last_id``; ``StreamCutError`` when no more come."""
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last_id} if last_id else {})
        timeout = self._httpx.Timeout(SILENCE_S, connect=CONNECT_S)
        try:
            with self._http.stream("GET", f"/v1/jobs/{job_id}/events", headers=headers, timeout=timeout) as response:
                media = response.headers.get("content-type", "").split(";")[0]
                if response.status_code in AGAIN or (response.is_success and media != "text/event-stream"):
                    raise StreamCutError(f"expected events, received {response.status_code} {media}")
                if not response.is_success:
                    response.read()
                    raise refusal(response)
                yield from parse_events(response.iter_lines())
        except self._httpx.TransportError as error:
            raise StreamCutError(self._lost(error)) from error
        raise StreamCutError("the stream of events ended")

    def answers(self, job_id: str, model: ServedModel) -> Iterator[FetchedAnswer]:
        """The answers that a job has, by index."""
        query: dict[str, Any] = {"limit": PAGE}
        while True:
            page = self._ask("GET", f"/v1/jobs/{job_id}/results", Request(params=query))
            yield from parsed(page, lambda page: [answer_of(each, model) for each in page["items"]])
            query["cursor"] = page.get("next_cursor")
            if query["cursor"] is None:
                return

    def _ask(self, method: str, path: str, request: Request = PLAIN) -> Any:
        """The JSON of an answer."""
        return parsed(self.answer(method, path, request), lambda response: response.json())

    def answer(self, method: str, path: str, request: Request = PLAIN) -> Any:
        """An answer; asked again where there was none or it says to, ``ServiceError`` where it refuses."""
        tries = self.patience.request()
        while True:
            try:
                response = self._http.request(
                    method,
                    path,
                    params=request.params,
                    headers=request.headers,
                    content=request.content,
                    data=request.form,
                    files=request.files,
                )
            except self._httpx.TransportError as error:
                tries.wait(self._lost(error))
                continue
            self.patience.answered()
            if response.status_code in AGAIN:
                tries.wait(str(refusal(response)), seconds_of(response.headers.get("retry-after")))
                continue
            if not response.is_success:
                raise refusal(response)
            return response

    def _lost(self, error: Exception) -> str:
        return f"expected an answer from {self.url}, received none ({error or type(error).__name__})"


def parse_events(lines: Iterator[str]) -> Iterator[tuple[str, str]]:
    """Id and data of each event in the lines of an event stream (WHATWG HTML, 9.2); an unfinished one is dropped."""
    last_id, data = "", list[str]()
    for line in lines:
        if not line:
            if data:
                yield last_id, "\n".join(data)
            data = []
            continue
        name, _, value = line.partition(":")  # a comment has no name
        value = value.removeprefix(" ")
        if name == "id":
            last_id = value
        elif name == "data":
            data.append(value)


def import_httpx() -> ModuleType:
    """httpx, loaded only by those who ask a service; ``SetupError`` says how to install it."""
    try:
        import httpx
    except ImportError as error:
        raise SetupError("expected the package httpx, received none: pip install captcha-solver[client]") from error
    return httpx
