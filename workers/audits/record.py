"""The record of a queued audit and how far it is, to and from what Redis holds."""

import json
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

from captcha_solver.audit_settings import AuditSettings
from workers.hashes import of_hash, to_hash
from workers.jobs.record import Status
from workers.records import new_id

NESTED = frozenset({"settings", "notes"})  # fields of an audit that are JSON in its hash
PLANNING = "planning"  # the stage of a piece without cells: to find out what is to be done next


@dataclass(frozen=True, slots=True)
class PieceText:
    """A piece of work (``work_record.Piece``) as Redis holds it, and how many cells it has."""

    json: str
    cells: int = 0


PLAN = PieceText(json.dumps({"stage": PLANNING, "cells": []}))


@dataclass(frozen=True, slots=True)
class CellCounts:
    """How far an audit is, in cells; those left out are among the done ones. Later stages add to the total."""

    total: int = 0
    done: int = 0
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Audit:
    """An audit as it is stored; times are seconds since the epoch. The status follows from these and the counts.

    ``source``: "design", "toml" or "images"; of these there are ``images``. ``notes``: what of an archive is not used.
    """

    id: str
    owner: str
    name: str
    source: str
    settings: AuditSettings
    created_at: float
    expires_at: float
    improve: bool = False
    images: int = 0
    notes: tuple[str, ...] = ()
    started_at: float | None = None
    finished_at: float | None = None
    stage: str = ""
    cancelled: bool = False
    error: str | None = None

    @property
    def expired(self) -> bool:
        return time.time() >= self.expires_at

    def status(self, counts: CellCounts) -> Status:
        if self.expired:
            return Status.EXPIRED
        if self.cancelled:
            return Status.CANCELLED
        if self.error is not None:
            return Status.FAILED
        if self.finished_at is not None:
            return Status.PARTIAL if counts.left_out else Status.SUCCEEDED
        return Status.QUEUED if self.started_at is None else Status.RUNNING

    def to_redis(self) -> dict[str, str]:
        """The fields of the audit's hash. Those that are set later are absent until then."""
        return to_hash(self)

    @classmethod
    def from_redis(cls, record: Mapping[bytes, bytes]) -> "Audit":
        return of_hash(cls, record, nested=NESTED)


def packed(data: bytes) -> bytes:
    return zlib.compress(data)


def unpacked(data: bytes) -> bytes:
    return zlib.decompress(data)


def new_audit(audit: Audit, ttl_s: int) -> Audit:
    """``audit`` under a new id that sorts by time, created now."""
    now = time.time()
    return replace(audit, id=new_id("aud"), created_at=now, expires_at=now + ttl_s)
