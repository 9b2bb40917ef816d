"""Pieces of an audit in, RQ jobs out, on a queue of their own: solving is not held up by trainings.

Tested in ``tests/workers/audits/test_record.py``.
"""

from collections.abc import Iterable

from rq import Queue, Retry

from workers.connection import Client, Pipe
from workers.queue import FAILURE_TTL_S, RETRIES, ChunkQueue, rq_id
from workers.settings import Settings

TASK = "workers.audits.runner.do_piece"


class AuditQueue(ChunkQueue):
    """The RQ queue of audits; it is looked after as that of the chunks is."""

    def put(self, audit_id: str, numbers: Iterable[int], pipe: Pipe) -> None:
        """Queue pieces of an audit within the transaction of ``pipe``."""
        self.rq.enqueue_many(
            [
                Queue.prepare_data(
                    TASK,
                    args=[audit_id, number],
                    job_id=rq_id(audit_id, number),
                    description=f"piece {number} of {audit_id}",
                    timeout=self.timeout_s,
                    result_ttl=0,
                    failure_ttl=FAILURE_TTL_S,
                    retry=Retry(max=RETRIES),
                )
                for number in numbers
            ],
            pipeline=pipe,
        )


def audit_queue(settings: Settings, redis: Client) -> AuditQueue:
    """The queue of audits beside that of the chunks."""
    return AuditQueue(f"{settings.queue}-audits", redis, settings.piece_timeout_s)
