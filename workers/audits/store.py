"""Audits in Redis: what one is about, its pieces, its report; how it lives is in ``workers/records.py``.

Tested in ``tests/workers/audits/test_record.py``.
"""

import json
import time
from collections.abc import Iterable, Mapping

from captcha_solver.errors import CaptchaSolverError
from captcha_solver.types import Sample
from workers import keys
from workers.audits.queue import AuditQueue
from workers.audits.record import PLAN, Audit, CellCounts, PieceText, unpacked
from workers.connection import Client, Pipe
from workers.jobs.record import Upload
from workers.records import DRAFT_TTL_S, Idempotency, Records, RecordStore

AT_ONCE = 256  # images sent to Redis together


class TooManyAuditsError(CaptchaSolverError):
    """The owner has as many unfinished audits as a key may have."""


class AuditStore(RecordStore[Audit, CellCounts]):
    """What the API needs of Redis for audits, of which an owner may have ``max_audits`` unfinished."""

    def __init__(self, redis: Client, queue: AuditQueue, *, max_audits: int) -> None:
        super().__init__(redis, AUDITS)
        self.queue = queue
        self.max_audits = max_audits

    def workers(self) -> int:
        """How many audit workers say that they are ready."""
        return int(self.redis.zcount(keys.AUDIT_WORKERS, time.time(), "+inf"))

    def check_room(self, owner: str) -> None:
        """``TooManyAuditsError`` where the owner may start no more."""
        if self.records.count_unfinished(self.redis, owner) >= self.max_audits:
            raise TooManyAuditsError(f"expected at most {self.max_audits} unfinished audits a key, received one more")

    def put_toml(self, audit: Audit, toml: str) -> None:
        """Store the design that an audit is about; it runs out where the audit is not committed."""
        self._put(audit, {"toml": toml})

    def put_images(self, audit: Audit, uploads: Iterable[Upload]) -> None:
        """Store the labelled images that an audit is about."""
        names: list[tuple[str, str]] = []
        part: dict[str, bytes] = {}
        for index, upload in enumerate(uploads):
            names.append((upload.name, upload.label or ""))
            part[str(index)] = upload.image
            if len(part) == AT_ONCE:
                self._put(audit, part)
                part = {}
        self._put(audit, {**part, "names": json.dumps(names)})

    def _put(self, audit: Audit, fields: Mapping[str, str | bytes]) -> None:
        with self.redis.pipeline(transaction=False) as pipe:
            pipe.hset(keys.audit_subject(audit.id), mapping=fields)
            pipe.expire(keys.audit_subject(audit.id), DRAFT_TTL_S)
            pipe.execute()

    def commit(self, audit: Audit, idempotency: Idempotency | None = None) -> Audit:
        """Make an audit whose subject is stored, and queue its planning, all in one MULTI.

        Where the same request has made one meanwhile, that one is returned and this one discarded.
        """
        made = self.records.create(self.redis, audit, idempotency, lambda pipe: self._write(pipe, audit))
        if made.id != audit.id:
            self.discard(audit)
        return made

    def _write(self, pipe: Pipe, audit: Audit) -> None:
        """What a new audit has besides its record: its subject, kept as long as it, and the planning, queued."""
        pipe.expireat(keys.audit_subject(audit.id), round(audit.expires_at))
        add_pieces(pipe, self.queue, audit, {0: PLAN})

    def discard(self, audit: Audit) -> None:
        """Forget what was stored of an audit that is not committed."""
        self.redis.unlink(keys.audit_subject(audit.id))

    def file(self, audit: Audit, name: str) -> bytes | None:
        """A file of a finished audit's report."""
        data = self.redis.hget(keys.audit_files(audit.id), name)
        return None if data is None else unpacked(data)

    def files(self, audit: Audit) -> dict[str, bytes]:
        """All files of a finished audit's report."""
        held = self.redis.hgetall(keys.audit_files(audit.id))
        return {name.decode(): unpacked(data) for name, data in sorted(held.items())}

    def cancel(self, audit: Audit) -> bool:
        """Stop an audit that is not finished. False: it was finished."""
        return end(self.redis, audit, {"cancelled": "1"})


def samples_of(redis: Client, audit: Audit) -> tuple[Sample, ...]:
    """The images that an audit is about, with their texts."""
    held = redis.hgetall(keys.audit_subject(audit.id))
    names = json.loads(held[b"names"]) if b"names" in held else []
    return tuple(
        Sample(name, held.get(str(index).encode(), b""), label, audit.name) for index, (name, label) in enumerate(names)
    )


def toml_of(redis: Client, audit: Audit) -> str:
    """The TOML text of the design that an audit is about."""
    text: bytes = redis.hget(keys.audit_subject(audit.id), "toml") or b""
    return text.decode()


def add_pieces(pipe: Pipe, queue: AuditQueue, audit: Audit, pieces: Mapping[int, PieceText]) -> None:
    """Note pieces of work by number, and queue them."""
    mapping = {str(number): piece.json for number, piece in pieces.items()}
    pipe.hset(keys.audit_pieces(audit.id), mapping=mapping)
    pipe.sadd(keys.audit_pending(audit.id), *pieces)
    pipe.hincrby(keys.audit_counts(audit.id), "total", sum(piece.cells for piece in pieces.values()))
    for key in (keys.audit_pieces, keys.audit_pending):
        pipe.expireat(key(audit.id), round(audit.expires_at))
    pipe.expireat(keys.audit_counts(audit.id), AUDITS.until(audit))
    queue.put(audit.id, pieces, pipe)


def end(redis: Client, audit: Audit, how: Mapping[str, str], files: Mapping[str, bytes] | None = None) -> bool:
    """Mark an audit as finished, once; ``how``: fields of its record. False where it was finished or gone before."""

    def keep_files(pipe: Pipe) -> None:
        if files:
            pipe.hset(keys.audit_files(audit.id), mapping=files)
            pipe.expireat(keys.audit_files(audit.id), round(audit.expires_at))

    return AUDITS.end(redis, audit, lambda _: how, keep_files) is not None


def _drop_work(pipe: Pipe, audit: Audit) -> None:
    """Drop what is kept of an audit only while it is unfinished."""
    work = (keys.audit_subject, keys.audit_pieces, keys.audit_pending, keys.audit_results, keys.audit_left_out)
    pipe.unlink(*(key(audit.id) for key in (*work, keys.audit_attempts)))


AUDITS = Records(
    keys.AUDIT_KEYS,
    Audit.from_redis,
    lambda _, numbers: CellCounts(**numbers),
    _drop_work,
    lambda audit_id: (keys.audit_files(audit_id),),
)
"""The life of audits."""
