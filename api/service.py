"""What the routes share: settings, Redis both ways, the store, the keys; made once, when the app starts.

Tested in ``tests/api/routes/test_jobs.py``.
"""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import redis.asyncio
from fastapi import Request

from api.auth import KeyRing
from api.requests.audit_schemas import AuditOut, AuditSettingsOut, CellsOut
from api.requests.schemas import CountsOut, JobOut, LabelUseOut, ModelRef, ScoreOut
from captcha_solver.models.bundle import Bundle, load_bundle, shipped_bundles
from captcha_solver.statistics import wilson
from workers.audits.queue import audit_queue
from workers.audits.record import Audit, CellCounts
from workers.audits.store import AuditStore
from workers.connection import Client, connect
from workers.jobs.record import Counts, Job
from workers.jobs.store import Store
from workers.queue import ChunkQueue
from workers.settings import Settings

WAITING_CONNECTIONS = 512
ANSWER_S = 5.0  # a request waits no longer for Redis: it is told 503
BLOCK_S = 10.0  # what waits for news asks anew after so long


@dataclass(frozen=True, slots=True)
class Service:
    """The running service. ``redis`` answers in the thread pool, ``waiting`` (asyncio) blocks until there is news."""

    settings: Settings
    keys: KeyRing
    bundles: dict[str, Bundle]
    redis: Client
    waiting: Any
    store: Store
    audits: AuditStore

    @property
    def usual_model(self) -> str:
        return self.settings.models[0]


def make_service(settings: Settings, url: str, keys: KeyRing) -> Service:
    """Connect to Redis at ``url``; nothing is sent yet."""
    shipped = shipped_bundles()
    client = connect(url, retries=2, answer_s=ANSWER_S)
    queue = ChunkQueue(settings.queue, client, settings.chunk_timeout_s)
    return Service(
        settings=settings,
        keys=keys,
        bundles={name: load_bundle(shipped.get(name, name)) for name in settings.models},
        redis=client,
        waiting=redis.asyncio.Redis.from_url(
            url,
            socket_connect_timeout=ANSWER_S,
            socket_timeout=BLOCK_S + ANSWER_S,
            max_connections=WAITING_CONNECTIONS,
        ),
        store=Store(client, queue, max_stored=settings.max_stored, max_jobs=settings.max_jobs),
        audits=AuditStore(client, audit_queue(settings, client), max_audits=settings.max_audits),
    )


def service_of(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


def job_out(job: Job, counts: Counts) -> JobOut:
    """A job as the API shows it."""
    here = f"/v1/jobs/{job.id}"
    return JobOut(
        id=job.id,
        status=job.status(counts),
        created_at=_time(job.created_at),
        started_at=_time(job.started_at) if job.started_at else None,
        finished_at=_time(job.finished_at) if job.finished_at else None,
        expires_at=_time(job.expires_at),
        counts=CountsOut(total=counts.total, done=counts.done, failed=counts.failed),
        model=ModelRef(name=job.options.model, sha256=job.model_sha256),
        charset=job.options.charset,
        length=job.options.length,
        views=job.options.views,
        infer=job.options.infer,
        answer=job.options.answer,
        score=score_out(counts, 0 if job.label_use is None else job.label_use.rows - job.label_use.used),
        labels=None if job.label_use is None else LabelUseOut(**asdict(job.label_use)),
        links={"self": here, "results": f"{here}/results", "events": f"{here}/events", "cancel": f"{here}/cancel"},
        metadata=dict(job.metadata),
    )


def score_out(counts: Counts, unused: int) -> ScoreOut | None:
    """The score of the labelled images and the ``unused`` rows of their table."""
    n, correct = counts.labelled + unused, counts.correct
    return ScoreOut(n=n, correct=correct, accuracy=correct / n, ci95=wilson(correct, n)) if n else None


def audit_out(audit: Audit, counts: CellCounts) -> AuditOut:
    """An audit as the API shows it."""
    here = f"/v1/audits/{audit.id}"
    settings = asdict(audit.settings)
    return AuditOut(
        id=audit.id,
        name=audit.name,
        source=audit.source,
        status=audit.status(counts),
        stage=audit.stage if audit.finished_at is None else "",
        created_at=_time(audit.created_at),
        started_at=_time(audit.started_at) if audit.started_at else None,
        finished_at=_time(audit.finished_at) if audit.finished_at else None,
        expires_at=_time(audit.expires_at),
        cells=CellsOut(total=counts.total, done=counts.done, left_out=counts.left_out),
        images=audit.images,
        notes=list(audit.notes),
        settings=AuditSettingsOut(**settings, improve=audit.improve),
        error=audit.error,
        links={"self": here} | {name: f"{here}/{name}" for name in ("report", "trials", "files", "events", "cancel")},
    )


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
