"""An audit that a service does: started once, waited for, and its report's files fetched.

Tested in ``tests/api/routes/test_audits.py``.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from captcha_solver.client.records import FINAL, parsed
from captcha_solver.client.service import Request, ServiceClient
from captcha_solver.errors import ServiceError

ASK_EVERY_S = 5.0
DONE = frozenset({"succeeded", "partial"})
LARGEST_FILE = 256 * 1024 * 1024
TOML, ZIP = "application/toml", "application/zip"


@dataclass(frozen=True, slots=True)
class Order:
    """An audit to be done: the body as it is sent, what it is, and the options as a query has them."""

    media: str
    body: bytes
    options: Mapping[str, str]

    @property
    def key(self) -> str:
        """SHA-256 of all that is asked for: the same order sent again is the same audit."""
        asked = json.dumps([self.media, dict(sorted(self.options.items()))]).encode()
        return hashlib.sha256(asked + hashlib.sha256(self.body).digest()).hexdigest()


@dataclass(frozen=True, slots=True)
class AuditState:
    """How far an audit is, in cells; ``error`` says why it failed."""

    id: str
    status: str
    stage: str
    done: int
    total: int
    error: str | None

    @property
    def final(self) -> bool:
        return self.status in FINAL


def begin(service: ServiceClient, order: Order) -> AuditState:
    """The audit of an order; one made by the same order before, where there is one."""
    headers = {"Idempotency-Key": order.key, "Content-Type": order.media}
    answer = service.answer("POST", "/v1/audits", Request(dict(order.options), headers, order.body))
    return _state(parsed(answer, lambda answer: answer.json()))


def wait(service: ServiceClient, audit: AuditState, tell: Callable[[AuditState], None]) -> AuditState:
    """Tell how far an audit is until it has ended; ``ServiceError`` where it ended without a report."""
    while not audit.final:
        tell(audit)
        answer = service.answer("GET", f"/v1/audits/{audit.id}", Request(params={"wait": ASK_EVERY_S}))
        audit = _state(parsed(answer, lambda answer: answer.json()))
    if audit.status not in DONE:
        raise ServiceError(f"expected audit {audit.id} to be done, received: {audit.error or audit.status}")
    return audit


def files(service: ServiceClient, audit: AuditState, wanted: frozenset[str]) -> dict[str, bytes]:
    """Those of the files of an audit's report that are wanted; whatever else the service sends is left."""
    data = service.answer("GET", f"/v1/audits/{audit.id}/files").content
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = [entry for entry in archive.infolist() if entry.filename in wanted]
            if sum(entry.file_size for entry in entries) > LARGEST_FILE:
                raise ServiceError(f"expected files of at most {LARGEST_FILE:,} bytes, received more")
            return {entry.filename: archive.read(entry) for entry in entries}
    except zipfile.BadZipFile as error:
        raise ServiceError(f"expected the files of audit {audit.id} in a zip, received: {error}") from error


def _state(body: Any) -> AuditState:
    return parsed(
        body,
        lambda json: AuditState(
            str(json["id"]),
            str(json["status"]),
            str(json["stage"]),
            int(json["cells"]["done"]),
            int(json["cells"]["total"]),
            None if json["error"] is None else str(json["error"]),
        ),
    )
