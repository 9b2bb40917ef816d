"""The queue of audits, beside that of the chunks: solving is not held up by trainings.

Tested in ``tests/workers/audits/test_record.py``.
"""

from workers.connection import Client
from workers.queue import WorkQueue
from workers.settings import Settings


class AuditQueue(WorkQueue):
    """The queue of pieces of audits."""

    task = "workers.audits.runner.do_piece"
    part = "piece"


def audit_queue(settings: Settings, redis: Client) -> AuditQueue:
    """The queue of audits beside that of the chunks."""
    return AuditQueue(f"{settings.queue}-audits", redis, settings.piece_timeout_s)
