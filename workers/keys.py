"""Names of the keys in Redis, each with what it holds: the whole data model on one screen.

Tested in ``tests/workers/test_worker.py``.
"""

from collections.abc import Callable
from dataclasses import dataclass

PREFIX = "cs"

OPEN = f"{PREFIX}:open"  # zset: job -> created_at, of every job that is not finished
EXPIRY = f"{PREFIX}:expiry"  # zset: job -> expires_at, of every job whose answers are kept
STORED = f"{PREFIX}:stored"  # hash: job -> images of it that are held in Redis
WORKERS = f"{PREFIX}:workers"  # zset: worker -> when its word that it is ready runs out
STATISTICS = f"{PREFIX}:statistics"  # hash: counter -> number, since this Redis began
SWEEP_LOCK = f"{PREFIX}:sweep"  # string: held by the worker that looks for lost chunks
SUSPECTS = f"{PREFIX}:suspects"  # zset: job-chunk -> when it was first seen neither queued nor running
WEBHOOKS = f"{PREFIX}:webhooks"  # zset: job -> when its webhook is next tried

LANE = f"{PREFIX}:lane"  # list: single images that somebody waits for
LANE_CALLED = f"{PREFIX}:lane:called"  # string: a worker was called to serve the lane, and has not come yet
LANE_SERVED = f"{PREFIX}:lane:served"  # zset: worker -> until when its word holds that it serves the lane

AUDITS_OPEN = f"{PREFIX}:audits:open"  # zset: audit -> created_at, of every audit that is not finished
AUDITS_EXPIRY = f"{PREFIX}:audits:expiry"  # zset: audit -> expires_at, of every audit whose report is kept
AUDIT_WORKERS = f"{PREFIX}:audits:workers"  # zset: audit worker -> when its word that it is ready runs out
AUDIT_SWEEP_LOCK = f"{PREFIX}:audits:sweep"  # string: held by the worker that looks for lost pieces of audits
AUDIT_SUSPECTS = f"{PREFIX}:audits:suspects"  # zset: audit-piece -> when it was first seen neither queued nor running


def single(single_id: str) -> str:
    """Hash: image, about (JSON: name, options, model_sha256; refused)."""
    return f"{LANE}:{single_id}"


def single_answer(single_id: str) -> str:
    """List of one: the result item, JSON."""
    return f"{single(single_id)}:answer"


def job(job_id: str) -> str:
    """Hash: the job's record (``jobs.record.Job``)."""
    return f"{PREFIX}:job:{job_id}"


def counts(job_id: str) -> str:
    """Hash: done, failed, labelled, correct."""
    return f"{job(job_id)}:counts"


def chunks(job_id: str) -> str:
    """Set: the chunks that have images without an answer."""
    return f"{job(job_id)}:chunks"


def pending(job_id: str, chunk: int) -> str:
    """Set: the images of a chunk that have no answer yet."""
    return f"{job(job_id)}:pending:{chunk}"


def images(job_id: str, chunk: int) -> str:
    """Hash of a chunk's images: ``3`` -> bytes, ``3n`` -> name, ``3l`` -> label, ``3r`` -> why there are no bytes."""
    return f"{job(job_id)}:images:{chunk}"


def results(job_id: str) -> str:
    """Hash: image -> its result item, JSON."""
    return f"{job(job_id)}:results"


def events(job_id: str) -> str:
    """Stream: one entry for each step of progress."""
    return f"{job(job_id)}:events"


def attempts(job_id: str) -> str:
    """Hash: chunk -> how often it was started; ``i3`` -> how often image 3 was started alone."""
    return f"{job(job_id)}:attempts"


def prior(job_id: str) -> str:
    """What the answers to a job's first images tell of its texts, JSON: written once, by the first chunk."""
    return f"{job(job_id)}:prior"


def draft(job_id: str) -> str:
    """String: a job whose images are being stored; it runs out where the upload was cut off."""
    return f"{job(job_id)}:draft"


def jobs_of(owner: str) -> str:
    """Zset, all of score 0: the owner's jobs; their ids sort by time."""
    return f"{PREFIX}:owner:{owner}:jobs"


def active_of(owner: str) -> str:
    """Zset: job -> expires_at, of the owner's jobs that are not finished."""
    return f"{PREFIX}:owner:{owner}:jobs:active"


def idempotency(owner: str, key_sha256: str) -> str:
    """String: fingerprint and job of a request made under an Idempotency-Key."""
    return f"{PREFIX}:owner:{owner}:idempotency:{key_sha256}"


def worker(name: str) -> str:
    """Hash: pid, host, runtime, models (JSON, name -> SHA-256), ready_at."""
    return f"{PREFIX}:worker:{name}"


def webhook_tries(job_id: str) -> str:
    """String: how often the job's webhook was tried."""
    return f"{job(job_id)}:webhook"


def audit(audit_id: str) -> str:
    """Hash: the audit's record (``audits.record.Audit``)."""
    return f"{PREFIX}:audit:{audit_id}"


def audit_counts(audit_id: str) -> str:
    """Hash: total, done, left_out; of the cells that are planned so far."""
    return f"{audit(audit_id)}:counts"


def audit_subject(audit_id: str) -> str:
    """Hash: ``toml``; or ``names`` (JSON: name and label of each image), and ``0``, ``1``, ... -> its bytes."""
    return f"{audit(audit_id)}:subject"


def audit_pieces(audit_id: str) -> str:
    """Hash: piece -> its stage and cells, JSON."""
    return f"{audit(audit_id)}:pieces"


def audit_pending(audit_id: str) -> str:
    """Set: the pieces that are not done."""
    return f"{audit(audit_id)}:pending"


def audit_results(audit_id: str) -> str:
    """Hash: cell -> its result, packed JSON."""
    return f"{audit(audit_id)}:results"


def audit_left_out(audit_id: str) -> str:
    """Hash: cell -> itself and why it was left out, JSON."""
    return f"{audit(audit_id)}:left_out"


def audit_attempts(audit_id: str) -> str:
    """Hash: piece -> how often it was started; ``3e`` -> what went wrong with piece 3 last."""
    return f"{audit(audit_id)}:attempts"


def audit_files(audit_id: str) -> str:
    """Hash: name of a file of the report -> its bytes, packed."""
    return f"{audit(audit_id)}:files"


def audit_events(audit_id: str) -> str:
    """Stream: one entry for each step of progress."""
    return f"{audit(audit_id)}:events"


def audits_of(owner: str) -> str:
    """Zset, all of score 0: the owner's audits; their ids sort by time."""
    return f"{PREFIX}:owner:{owner}:audits"


def active_audits_of(owner: str) -> str:
    """Zset: audit -> expires_at, of the owner's audits that are not finished."""
    return f"{PREFIX}:owner:{owner}:audits:active"


def audit_idempotency(owner: str, key_sha256: str) -> str:
    """String: fingerprint and audit of a request made under an Idempotency-Key."""
    return f"{PREFIX}:owner:{owner}:audits:idempotency:{key_sha256}"


@dataclass(frozen=True, slots=True)
class RecordKeys:
    """The keys that jobs and audits have alike; ``pending`` is the set of the numbers of chunks or pieces not done."""

    kind: str
    record: Callable[[str], str]
    counts: Callable[[str], str]
    events: Callable[[str], str]
    pending: Callable[[str], str]
    owned: Callable[[str], str]
    unfinished: Callable[[str], str]
    idempotency: Callable[[str, str], str]
    open: str
    expiry: str
    suspects: str
    sweep_lock: str


JOB_KEYS = RecordKeys(
    kind="job",
    record=job,
    counts=counts,
    events=events,
    pending=chunks,
    owned=jobs_of,
    unfinished=active_of,
    idempotency=idempotency,
    open=OPEN,
    expiry=EXPIRY,
    suspects=SUSPECTS,
    sweep_lock=SWEEP_LOCK,
)
AUDIT_KEYS = RecordKeys(
    kind="audit",
    record=audit,
    counts=audit_counts,
    events=audit_events,
    pending=audit_pending,
    owned=audits_of,
    unfinished=active_audits_of,
    idempotency=audit_idempotency,
    open=AUDITS_OPEN,
    expiry=AUDITS_EXPIRY,
    suspects=AUDIT_SUSPECTS,
    sweep_lock=AUDIT_SWEEP_LOCK,
)
