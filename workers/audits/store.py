"""Audits in Redis: begin one, store what it is about, read how far it is and what it found, cancel it, forget it.

Tested in ``tests/workers/audits/test_record.py``.
"""

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from captcha_solver.errors import CaptchaSolverError
from captcha_solver.types import Sample
from workers import keys
from workers.audits.queue import AuditQueue
from workers.audits.record import PLAN, Audit, CellCounts, PieceText, unpacked
from workers.connection import Client, Pipe
from workers.jobs.record import Upload
from workers.jobs.store import DRAFT_TTL_S, EVENTS_KEPT, REMEMBERED_S, Idempotency, KeyReusedError

AT_ONCE = 256  # images sent to Redis together


class TooManyAuditsError(CaptchaSolverError):
    """The owner has as many unfinished audits as a key may have."""


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Some audits, newest first, and where the next page begins."""

    audits: Sequence[tuple[Audit, CellCounts]]
    next_cursor: str | None


class AuditStore:
    """What the API needs of Redis for audits, of which an owner may have ``max_audits`` unfinished."""

    def __init__(self, redis: Client, queue: AuditQueue, *, max_audits: int) -> None:
        self.redis = redis
        self.queue = queue
        self.max_audits = max_audits

    def workers(self) -> int:
        """How many audit workers say that they are ready."""
        return int(self.redis.zcount(keys.AUDIT_WORKERS, time.time(), "+inf"))

    def check_room(self, owner: str) -> None:
        """``TooManyAuditsError`` where the owner may begin no more."""
        if self.redis.zcount(keys.active_audits_of(owner), time.time(), "+inf") >= self.max_audits:
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
        watched = [keys.audit(audit.id)]
        watched += [keys.audit_idempotency(audit.owner, idempotency.key_sha256)] if idempotency else []

        def write(pipe: Pipe) -> Audit:
            if pipe.exists(keys.audit(audit.id)):  # a first try went through, although nothing was heard of it
                pipe.multi()
                return audit
            if idempotency and (before := self._made_by(pipe, audit.owner, idempotency)):
                pipe.multi()
                return before
            pipe.multi()
            self._write(pipe, audit)
            if idempotency:
                note = json.dumps({"audit": audit.id, "fingerprint": idempotency.fingerprint})
                pipe.set(watched[1], note, exat=round(audit.expires_at))
            return audit

        made: Audit = self.redis.transaction(write, *watched, value_from_callable=True)
        if made.id != audit.id:
            self.discard(audit)
        return made

    def _write(self, pipe: Pipe, audit: Audit) -> None:
        pipe.hset(keys.audit(audit.id), mapping=audit.to_redis())
        pipe.expireat(keys.audit(audit.id), round(audit.expires_at) + REMEMBERED_S)
        pipe.expireat(keys.audit_subject(audit.id), round(audit.expires_at))
        pipe.zadd(keys.AUDITS_OPEN, {audit.id: audit.created_at})
        pipe.zadd(keys.audits_of(audit.owner), {audit.id: 0})
        pipe.zadd(keys.active_audits_of(audit.owner), {audit.id: audit.expires_at})
        add_pieces(pipe, self.queue, audit, {0: PLAN})
        tell(pipe, audit, "queued")

    def made_by(self, owner: str, idempotency: Idempotency) -> Audit | None:
        """The audit that the same request made before; ``KeyReusedError`` where another request used the key."""
        return self._made_by(self.redis, owner, idempotency)

    def _made_by(self, redis: Client | Pipe, owner: str, idempotency: Idempotency) -> Audit | None:
        note = redis.get(keys.audit_idempotency(owner, idempotency.key_sha256))
        if note is None:
            return None
        before = json.loads(note)
        if before["fingerprint"] != idempotency.fingerprint:
            raise KeyReusedError("this Idempotency-Key was used for another request: take a new key for a new request")
        record = redis.hgetall(keys.audit(before["audit"]))
        return Audit.from_redis(record) if record else None

    def discard(self, audit: Audit) -> None:
        """Forget what was stored of an audit that is not committed."""
        self.redis.unlink(keys.audit_subject(audit.id))

    def find(self, owner: str, audit_id: str) -> tuple[Audit, CellCounts] | None:
        """An audit of ``owner`` and how far it is; None where there is none, or it is another's."""
        found = fetch(self.redis, [audit_id])
        return found[0] if found and found[0][0].owner == owner else None

    def page(self, owner: str, limit: int, cursor: str | None = None) -> AuditPage:
        """The owner's audits, newest first, from behind ``cursor`` on."""
        start = f"({cursor}" if cursor else "+"
        found = self.redis.zrevrangebylex(keys.audits_of(owner), start, "-", start=0, num=limit + 1)
        ids = [each.decode() for each in found]
        audits = fetch(self.redis, ids[:limit])
        if gone := set(ids[:limit]) - {audit.id for audit, _ in audits}:
            self.redis.zrem(keys.audits_of(owner), *gone)
        return AuditPage(audits, ids[limit - 1] if len(ids) > limit else None)

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

    def forget(self, audit: Audit) -> None:
        """Remove an audit and all that belongs to it."""
        with self.redis.pipeline() as pipe:
            drop_work(pipe, audit)
            pipe.unlink(
                keys.audit(audit.id),
                keys.audit_counts(audit.id),
                keys.audit_files(audit.id),
                keys.audit_events(audit.id),
            )
            pipe.zrem(keys.audits_of(audit.owner), audit.id)
            pipe.execute()


def fetch(redis: Client, audit_ids: Sequence[str]) -> list[tuple[Audit, CellCounts]]:
    """Audits and how far they are, in order; those that are gone are left out."""
    with redis.pipeline(transaction=False) as pipe:
        for audit_id in audit_ids:
            pipe.hgetall(keys.audit(audit_id))
            pipe.hgetall(keys.audit_counts(audit_id))
        replies = pipe.execute()
    return [
        (Audit.from_redis(record), CellCounts(**{name.decode(): int(number) for name, number in numbers.items()}))
        for record, numbers in zip(replies[::2], replies[1::2], strict=True)
        if record
    ]


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
    pipe.expireat(keys.audit_counts(audit.id), round(audit.expires_at) + REMEMBERED_S)
    queue.put(audit.id, pieces, pipe)


def end(redis: Client, audit: Audit, how: Mapping[str, str], files: Mapping[str, bytes] | None = None) -> bool:
    """Mark an audit as finished, once; ``how``: fields of its record. False where it was finished or gone before."""

    def write(pipe: Pipe) -> bool:
        record = pipe.hgetall(keys.audit(audit.id))
        pipe.multi()
        if not record or b"finished_at" in record:
            return False
        pipe.hset(keys.audit(audit.id), mapping={"finished_at": repr(time.time()), **how})
        if files:
            pipe.hset(keys.audit_files(audit.id), mapping=files)
            pipe.expireat(keys.audit_files(audit.id), round(audit.expires_at))
        drop_work(pipe, audit)
        tell(pipe, audit, "finished")
        return True

    return bool(redis.transaction(write, keys.audit(audit.id), value_from_callable=True))


def drop_work(pipe: Pipe, audit: Audit) -> None:
    """Drop what is kept of an audit only while it is unfinished."""
    work = (keys.audit_subject, keys.audit_pieces, keys.audit_pending, keys.audit_results, keys.audit_left_out)
    pipe.unlink(*(key(audit.id) for key in (*work, keys.audit_attempts)))
    pipe.zrem(keys.AUDITS_OPEN, audit.id)
    pipe.zrem(keys.active_audits_of(audit.owner), audit.id)


def tell(pipe: Pipe, audit: Audit, kind: str) -> None:
    """Tell those who watch an audit that something has changed."""
    pipe.xadd(keys.audit_events(audit.id), {"event": kind}, maxlen=EVENTS_KEPT, approximate=True)
    pipe.expireat(keys.audit_events(audit.id), round(audit.expires_at) + REMEMBERED_S)
