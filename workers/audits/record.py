"""The record of a queued audit and how far it is, to and from what Redis holds."""

import json
import time
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from captcha_solver.audit_settings import AuditSettings, Prices
from workers.jobs.record import Status
from workers.records import new_id

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
        record = asdict(self) | {"settings": json.dumps(asdict(self.settings)), "notes": json.dumps(self.notes)}
        return {key: str(value) for key, value in record.items() if value is not None and value is not False}

    @classmethod
    def from_redis(cls, record: Mapping[bytes, bytes]) -> "Audit":
        text = {key.decode(): value.decode() for key, value in record.items()}
        return cls(
            id=text["id"],
            owner=text["owner"],
            name=text["name"],
            source=text["source"],
            settings=settings_of(json.loads(text["settings"])),
            created_at=float(text["created_at"]),
            expires_at=float(text["expires_at"]),
            improve="improve" in text,
            images=int(text["images"]),
            notes=tuple(json.loads(text.get("notes", "[]"))),
            started_at=float(text["started_at"]) if "started_at" in text else None,
            finished_at=float(text["finished_at"]) if "finished_at" in text else None,
            stage=text["stage"],
            cancelled="cancelled" in text,
            error=text.get("error"),
        )


def settings_of(known: Mapping[str, Any]) -> AuditSettings:
    """Settings from JSON; ``OptionError`` where they make no sense."""
    return AuditSettings(**{**known, "budgets": tuple(known["budgets"]), "prices": Prices(**known["prices"])})


def packed(data: bytes) -> bytes:
    return zlib.compress(data)


def unpacked(data: bytes) -> bytes:
    return zlib.decompress(data)


def new_audit(audit: Audit, ttl_s: int) -> Audit:
    """``audit`` under a new id that sorts by time, created now."""
    now = time.time()
    return replace(audit, id=new_id("aud"), created_at=now, expires_at=now + ttl_s)
