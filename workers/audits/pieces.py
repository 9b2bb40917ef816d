"""A piece of an audit in a worker's hands: take it, write what its cells gave once, take it off; then what comes next.

As with chunks, the set of pieces that are not done is the truth and the queue a hint: a piece that is run twice, by
whomever, changes nothing the second time.

Tested in ``tests/workers/audits/test_record.py``.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from captcha_solver.audit.cells import Cell, Result, in_order
from captcha_solver.audit.runner import LeftOut
from workers import keys
from workers.audits.queue import AuditQueue
from workers.audits.record import PLANNING, Audit
from workers.audits.store import AUDITS, add_pieces, end
from workers.audits.work_record import Piece, left_out_json, left_out_of, packed_result, result_of
from workers.connection import Client, Pipe


@dataclass(frozen=True, slots=True)
class Taken:
    """A piece that is started: how often, this time included, and what went wrong with it last."""

    audit: Audit
    number: int
    piece: Piece
    attempt: int
    error: str | None


def take(redis: Client, audit_id: str, number: int) -> Taken | None:
    """Begin a piece; None where there is nothing left of it to do."""
    audit = AUDITS.unfinished(redis, audit_id)
    if audit is None:
        return None
    with redis.pipeline() as pipe:
        pipe.sismember(keys.audit_pending(audit_id), number)
        pipe.hget(keys.audit_pieces(audit_id), str(number))
        pipe.hget(keys.audit_attempts(audit_id), f"{number}e")
        pending, piece, error = pipe.execute()
    if not pending or piece is None:
        return None
    return _begin(redis, audit, number, Piece.from_json(piece), None if error is None else error.decode())


def _begin(redis: Client, audit: Audit, number: int, piece: Piece, error: str | None) -> Taken | None:
    """Count a try, and say in the record what is being done; None where the audit was removed in this moment."""

    def write(pipe: Pipe) -> bool:
        record = pipe.hgetall(keys.audit(audit.id))
        pipe.multi()
        if not record or b"finished_at" in record:
            return False
        pipe.hincrby(keys.audit_attempts(audit.id), str(number), 1)
        pipe.expireat(keys.audit_attempts(audit.id), round(audit.expires_at))
        pipe.hsetnx(keys.audit(audit.id), "started_at", repr(time.time()))
        pipe.hset(keys.audit(audit.id), "stage", piece.stage)
        AUDITS.tell(pipe, audit, "progress")
        return True

    if not redis.transaction(write, keys.audit(audit.id), value_from_callable=True):
        return None
    started = [each for each, _ in AUDITS.fetch(redis, [audit.id])] or [audit]
    return Taken(started[0], number, piece, int(redis.hget(keys.audit_attempts(audit.id), str(number)) or 1), error)


def note_error(redis: Client, taken: Taken, error: Exception) -> None:
    """Keep what went wrong with a piece, for the report."""
    if redis.sismember(keys.audit_pending(taken.audit.id), taken.number):
        redis.hset(keys.audit_attempts(taken.audit.id), f"{taken.number}e", f"{type(error).__name__}: {error}"[:300])
        redis.expireat(keys.audit_attempts(taken.audit.id), round(taken.audit.expires_at))


def found_so_far(redis: Client, audit: Audit) -> tuple[Sequence[Result], list[LeftOut]]:
    """All results, in an order of their own, and all cells that were left out."""
    with redis.pipeline() as pipe:
        pipe.hvals(keys.audit_results(audit.id))
        pipe.hgetall(keys.audit_left_out(audit.id))
        results, left_out = pipe.execute()
    return in_order(map(result_of, results)), [left_out_of(text) for _, text in sorted(left_out.items())]


def undone(redis: Client, taken: Taken) -> list[Cell]:
    """The cells of a piece that have neither a result nor a reason for having none."""
    cells = taken.piece.cells
    if not cells:
        return []
    ids = [cell.id for cell in cells]
    with redis.pipeline() as pipe:
        pipe.hmget(keys.audit_results(taken.audit.id), ids)
        pipe.hmget(keys.audit_left_out(taken.audit.id), ids)
        results, left_out = pipe.execute()
    return [c for c, one, other in zip(cells, results, left_out, strict=True) if one is None and other is None]


def put(redis: Client, taken: Taken, found: Result | LeftOut) -> bool:
    """Write what a cell gave, once. False where the audit was stopped meanwhile, or the piece is done."""
    audit, cell_id = taken.audit, found.cell.id
    pending, results = keys.audit_pending(audit.id), keys.audit_results(audit.id)
    left_out = keys.audit_left_out(audit.id)

    def write(pipe: Pipe) -> bool:
        open_still = bool(pipe.sismember(pending, taken.number))
        known = pipe.hexists(results, cell_id) or pipe.hexists(left_out, cell_id)
        pipe.multi()
        if open_still and not known:
            if isinstance(found, LeftOut):
                pipe.hsetnx(left_out, cell_id, left_out_json(found))
                pipe.hincrby(keys.audit_counts(audit.id), "left_out", 1)
            else:
                pipe.hsetnx(results, cell_id, packed_result(found))
            pipe.hincrby(keys.audit_counts(audit.id), "done", 1)
            for key in (results, left_out):
                pipe.expireat(key, round(audit.expires_at))
            AUDITS.tell(pipe, audit, "progress")
        return open_still

    return bool(redis.transaction(write, pending, results, left_out, value_from_callable=True))


def close(redis: Client, queue: AuditQueue, taken: Taken) -> None:
    """Take a piece off; after the last one, what comes next is to be planned."""
    _take_off(redis, queue, taken, lambda left: [] if left else [Piece(PLANNING)])


def extend(redis: Client, queue: AuditQueue, taken: Taken, pieces: Sequence[Piece]) -> None:
    """Put what was planned in the place of the planning."""
    _take_off(redis, queue, taken, lambda left: pieces)


def finish(redis: Client, taken: Taken, files: Mapping[str, bytes]) -> None:
    """End an audit with the packed files of its report."""
    end(redis, taken.audit, {"stage": ""}, files)


def fail(redis: Client, taken: Taken, why: str) -> None:
    """End an audit that cannot be done."""
    end(redis, taken.audit, {"stage": "", "error": why})


def _take_off(redis: Client, queue: AuditQueue, taken: Taken, then: Callable[[int], Sequence[Piece]]) -> None:
    """Take a piece off, once, and add those that come ``then``, which is given how many others are left."""
    audit, pending = taken.audit, keys.audit_pending(taken.audit.id)

    def write(pipe: Pipe) -> None:
        waiting = {int(each) for each in pipe.smembers(pending)}
        count = int(pipe.hlen(keys.audit_pieces(audit.id)))
        pipe.multi()
        if taken.number not in waiting:
            return
        pipe.srem(pending, taken.number)
        if added := then(len(waiting) - 1):
            add_pieces(pipe, queue, audit, {number: piece.text() for number, piece in enumerate(added, count)})

    redis.transaction(write, pending)
