"""One audit worker: says that it is ready, and does pieces of audits until it is told to stop.

Tested in ``tests/deploy/test_topology.py``.
"""

import os
from uuid import uuid4

import structlog

from workers import keys
from workers.audits.home import home
from workers.audits.queue import AuditQueue, audit_queue
from workers.audits.recovery import sweep_audits
from workers.audits.runner import INSTALLED, PieceRunner
from workers.connection import connect
from workers.settings import Settings
from workers.worker import QueueWorker, Ready, keep_working, new_name

NICER = 10  # solving comes first where both share a core
LEASE_S = 30  # a library of a training may hold Python's lock for seconds, and so the word that it lives

log = structlog.get_logger("workers")


class AuditWorker(QueueWorker):
    """Works on pieces of audits."""

    lease_s = LEASE_S

    def __init__(self, queue: AuditQueue, name: str) -> None:
        super().__init__(queue, name)
        self._queue = queue

    def look_after_all(self) -> None:
        lost = sweep_audits(self.connection, self._queue)
        if lost:
            log.warning("queued lost pieces of audits again", pieces=lost)


def run_audit_worker(settings: Settings, url: str, *, burst: bool = False, max_jobs: int | None = None) -> None:
    """Do pieces of audits until told to stop; ``burst`` and ``max_jobs`` as for chunks."""
    os.nice(NICER)
    name = new_name()
    redis = connect(url)
    queue = audit_queue(settings, redis)
    with home() as folder:
        runner = PieceRunner(redis, queue, folder)
        INSTALLED.install(runner)
        ready = Ready(connect(url, retries=1), name, keys.AUDIT_WORKERS, {})
        keep_working(
            lambda: AuditWorker(queue, f"{name}-{uuid4().hex[:4]}"),
            runner,
            ready,
            burst=burst,
            max_jobs=max_jobs,
        )
