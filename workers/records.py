"""How jobs and audits live in Redis: created, found, listed, ended, expired, forgotten. What they hold differs.

Tested in ``tests/workers/jobs/test_store.py``.
"""

import json
import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Generic, Protocol, TypeVar

from captcha_solver.errors import CaptchaSolverError
from workers.connection import Client, Pipe
from workers.keys import RecordKeys

DRAFT_TTL_S = 900  # what was stored for an upload that was cut off is gone after this
EVENTS_KEPT = 1000
REMEMBERED_S = 7 * 24 * 3600  # an expired record can be asked for so much longer: it says that it has expired


class Record(Protocol):
    """What a job and an audit have in common; times are seconds since the epoch."""

    @property
    def id(self) -> str: ...

    @property
    def owner(self) -> str: ...

    @property
    def created_at(self) -> float: ...

    @property
    def expires_at(self) -> float: ...

    @property
    def finished_at(self) -> float | None: ...

    @property
    def cancelled(self) -> bool: ...

    @property
    def expired(self) -> bool: ...

    def to_redis(self) -> dict[str, str]: ...


RecordT = TypeVar("RecordT", bound=Record)
CountsT = TypeVar("CountsT")


def new_id(kind: str) -> str:
    """An id that sorts by time: its kind, milliseconds since the epoch, 80 random bits."""
    return f"{kind}_{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"


class KeyReusedError(CaptchaSolverError):
    """An Idempotency-Key was used before, for another request."""


@dataclass(frozen=True, slots=True)
class Idempotency:
    """A request that may come twice: the hash of its key, and the hash of all that it asks for."""

    key_sha256: str
    fingerprint: str

    @classmethod
    def of(cls, key: str, fingerprint: str) -> "Idempotency":
        return cls(sha256(key.encode()).hexdigest(), fingerprint)


@dataclass(frozen=True, slots=True)
class Page(Generic[RecordT, CountsT]):
    """Some records with how far they are, newest first, and where the next page starts."""

    items: Sequence[tuple[RecordT, CountsT]]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Records(Generic[RecordT, CountsT]):
    """Records of one kind.

    ``parse`` makes a record of its hash, ``count`` how far it is of its counters. ``drop_work`` removes what is kept
    only while it is unfinished; ``answers`` are the keys of what it found, which go when it expires.
    """

    keys: RecordKeys
    parse: Callable[[Mapping[bytes, bytes]], RecordT]
    count: Callable[[RecordT, Mapping[str, int]], CountsT]
    drop_work: Callable[[Pipe, RecordT], None]
    answers: Callable[[str], Sequence[str]]

    def create(
        self, redis: Client, record: RecordT, idempotency: Idempotency | None, write: Callable[[Pipe], None]
    ) -> RecordT:
        """Make a record, with what ``write`` adds, in one MULTI.

        Where the same request has made one meanwhile, that one is returned.
        """
        names = self.keys
        watched = [names.record(record.id)]
        watched += [names.idempotency(record.owner, idempotency.key_sha256)] if idempotency else []

        def make(pipe: Pipe) -> RecordT:
            if pipe.exists(watched[0]):  # a first try went through, although nothing was heard of it
                pipe.multi()
                return record
            if idempotency and (before := self.made_by(pipe, record.owner, idempotency)):
                pipe.multi()
                return before
            pipe.multi()
            pipe.hset(watched[0], mapping=record.to_redis())
            pipe.expireat(watched[0], self.until(record))
            pipe.zadd(names.open, {record.id: record.created_at})
            pipe.zadd(names.expiry, {record.id: record.expires_at})
            pipe.zadd(names.owned(record.owner), {record.id: 0})
            pipe.zadd(names.unfinished(record.owner), {record.id: record.expires_at})
            write(pipe)
            self.tell(pipe, record, "queued")
            if idempotency:
                note = json.dumps({names.kind: record.id, "fingerprint": idempotency.fingerprint})
                pipe.set(watched[1], note, exat=round(record.expires_at))
            return record

        made: RecordT = redis.transaction(make, *watched, value_from_callable=True)
        return made

    def made_by(self, redis: Client | Pipe, owner: str, idempotency: Idempotency) -> RecordT | None:
        """The record that the same request made before; ``KeyReusedError`` where another request used the key."""
        note = redis.get(self.keys.idempotency(owner, idempotency.key_sha256))
        if note is None:
            return None
        before = json.loads(note)
        if before["fingerprint"] != idempotency.fingerprint:
            raise KeyReusedError("this Idempotency-Key was used for another request: take a new key for a new request")
        found = redis.hgetall(self.keys.record(before[self.keys.kind]))
        return self.parse(found) if found else None

    def fetch(self, redis: Client, ids: Sequence[str]) -> list[tuple[RecordT, CountsT]]:
        """Records and how far they are, in order; those that are gone are left out."""
        with redis.pipeline(transaction=False) as pipe:
            for each in ids:
                pipe.hgetall(self.keys.record(each))
                pipe.hgetall(self.keys.counts(each))
            replies = pipe.execute()
        found = []
        for fields, numbers in zip(replies[::2], replies[1::2], strict=True):
            if fields:
                record = self.parse(fields)
                counters = {name.decode(): int(number) for name, number in numbers.items()}
                found.append((record, self.count(record, counters)))
        return found

    def unfinished(self, redis: Client, record_id: str) -> RecordT | None:
        """A record that is neither finished nor expired; None where there is none of this id."""
        for record, _ in self.fetch(redis, [record_id]):
            if record.finished_at is None and not record.expired:
                return record
        return None

    def count_unfinished(self, redis: Client, owner: str) -> int:
        """How many unfinished records an owner has."""
        return int(redis.zcount(self.keys.unfinished(owner), time.time(), "+inf"))

    def page(self, redis: Client, owner: str, limit: int, cursor: str | None = None) -> Page[RecordT, CountsT]:
        """An owner's records, newest first, from behind ``cursor`` on."""
        owned, start = self.keys.owned(owner), f"({cursor}" if cursor else "+"
        ids = [each.decode() for each in redis.zrevrangebylex(owned, start, "-", start=0, num=limit + 1)]
        found = self.fetch(redis, ids[:limit])
        if gone := set(ids[:limit]) - {record.id for record, _ in found}:
            redis.zrem(owned, *gone)
        return Page(found, ids[limit - 1] if len(ids) > limit else None)

    def end(
        self,
        redis: Client,
        record: RecordT,
        ending: Callable[[Pipe], Mapping[str, str] | None],
        write: Callable[[Pipe], None],
        *watched: str,
    ) -> Mapping[str, str] | None:
        """Mark a record as finished, once, in one MULTI with what ``write`` adds.

        ``ending`` says, before the MULTI, which fields are set, or None where it is not to end yet; ``watched`` are the
        keys that it reads. Returns what was set; None where the record was finished or gone before, or not to end.
        """
        key = self.keys.record(record.id)

        def finish(pipe: Pipe) -> Mapping[str, str] | None:
            known = pipe.hgetall(key)
            fields = ending(pipe) if known and b"finished_at" not in known else None
            pipe.multi()
            if fields is not None:
                pipe.hset(key, mapping={"finished_at": repr(time.time()), **fields})
                write(pipe)
                self.close(pipe, record)
                self.tell(pipe, record, "finished")
            return fields

        ended: Mapping[str, str] | None = redis.transaction(finish, key, *watched, value_from_callable=True)
        return ended

    def close(self, pipe: Pipe, record: RecordT) -> None:
        """Drop what is kept of a record only while it is unfinished."""
        self.drop_work(pipe, record)
        pipe.zrem(self.keys.open, record.id)
        pipe.zrem(self.keys.unfinished(record.owner), record.id)

    def expire_due(self, redis: Client) -> None:
        """Drop the work and the answers of records whose time has run out; they themselves stay for a while."""
        due = [each.decode() for each in redis.zrangebyscore(self.keys.expiry, "-inf", time.time())]
        for record, _ in self.fetch(redis, due):
            self.expire(redis, record)
        if due:
            redis.zrem(self.keys.expiry, *due)

    def expire(self, redis: Client, record: RecordT) -> None:
        """Mark a record as expired, and drop what it held."""
        key = self.keys.record(record.id)

        def write(pipe: Pipe) -> None:
            exists = pipe.exists(key)  # its owner may have removed it meanwhile
            pipe.multi()
            if exists:
                pipe.hset(key, "expired", 1)
                pipe.hsetnx(key, "finished_at", repr(time.time()))
                self.close(pipe, record)
                pipe.unlink(*self.answers(record.id))
                self.tell(pipe, record, "finished")

        redis.transaction(write, key)

    def forget(self, redis: Client, record: RecordT) -> None:
        """Remove a record and all that belongs to it."""
        names = self.keys
        with redis.pipeline() as pipe:
            self.close(pipe, record)
            pipe.unlink(*(key(record.id) for key in (names.record, names.counts, names.events)))
            pipe.unlink(*self.answers(record.id))
            pipe.zrem(names.expiry, record.id)
            pipe.zrem(names.owned(record.owner), record.id)
            pipe.execute()

    def tell(self, pipe: Pipe, record: RecordT, event: str) -> None:
        """Tell those who watch a record that something has changed; they read the record themselves."""
        stream = self.keys.events(record.id)
        pipe.xadd(stream, {"event": event}, maxlen=EVENTS_KEPT, approximate=True)
        pipe.expireat(stream, self.until(record))

    def until(self, record: RecordT) -> int:
        """When the record itself is gone, in seconds since the epoch."""
        return round(record.expires_at) + REMEMBERED_S


class RecordStore(ABC, Generic[RecordT, CountsT]):
    """What the API asks of jobs and of audits alike."""

    def __init__(self, redis: Client, records: Records[RecordT, CountsT]) -> None:
        self.redis = redis
        self.records = records

    def made_by(self, owner: str, idempotency: Idempotency) -> RecordT | None:
        """The record that the same request made before; ``KeyReusedError`` where another request used the key."""
        return self.records.made_by(self.redis, owner, idempotency)

    def find(self, owner: str, record_id: str) -> tuple[RecordT, CountsT] | None:
        """A record of ``owner`` and how far it is; None where there is none, or it is another's."""
        found = self.records.fetch(self.redis, [record_id])
        return found[0] if found and found[0][0].owner == owner else None

    def page(self, owner: str, limit: int, cursor: str | None = None) -> Page[RecordT, CountsT]:
        """The owner's records, newest first, from behind ``cursor`` on."""
        return self.records.page(self.redis, owner, limit, cursor)

    @abstractmethod
    def cancel(self, record: RecordT) -> bool:
        """Stop a record that is not finished. False: it was finished."""

    def forget(self, record: RecordT) -> None:
        """Remove a record and all that belongs to it."""
        self.records.forget(self.redis, record)
