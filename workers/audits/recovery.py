"""Looks after all audits: lost pieces are queued again, audits whose time is over expire.

Tested in ``tests/workers/audits/test_record.py``.
"""

from workers import keys
from workers.audits.queue import AuditQueue
from workers.audits.store import AUDITS
from workers.connection import Client
from workers.recovery import may_sweep, recover


def sweep_audits(redis: Client, queue: AuditQueue) -> int:
    """Look after all audits, once in a while. How many pieces were lost."""
    return recover(redis, queue, AUDITS) if may_sweep(redis, keys.AUDIT_SWEEP_LOCK) else 0
