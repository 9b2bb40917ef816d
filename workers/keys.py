"""Names of the keys in Redis, each with what it holds: the whole data model on one screen."""

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


def single(single_id: str) -> str:
    """Hash: image, about (JSON: name, options, model_sha256)."""
    return f"{LANE}:{single_id}"


def single_answer(single_id: str) -> str:
    """List of one: the result item, JSON."""
    return f"{single(single_id)}:answer"


def job(job_id: str) -> str:
    """Hash: the job's record (``messages.Job``)."""
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
    """Hash of a chunk's images: ``3`` -> bytes, ``3n`` -> name, ``3l`` -> label."""
    return f"{job(job_id)}:images:{chunk}"


def results(job_id: str) -> str:
    """Hash: image -> its result item, JSON."""
    return f"{job(job_id)}:results"


def events(job_id: str) -> str:
    """Stream: one entry for each step of progress."""
    return f"{job(job_id)}:events"


def attempts(job_id: str) -> str:
    """Hash: chunk -> how often it was begun; ``i3`` -> how often image 3 was begun alone."""
    return f"{job(job_id)}:attempts"


def draft(job_id: str) -> str:
    """String: a job whose images are being stored; it runs out where the upload was cut off."""
    return f"{job(job_id)}:draft"


def jobs_of(owner: str) -> str:
    """Zset, all of score 0: the owner's jobs; their ids sort by time."""
    return f"{PREFIX}:owner:{owner}:jobs"


def active_of(owner: str) -> str:
    """Set: the owner's jobs that are not finished."""
    return f"{PREFIX}:owner:{owner}:active"


def idempotency(owner: str, key_sha256: str) -> str:
    """String: fingerprint and job of a request made under an Idempotency-Key."""
    return f"{PREFIX}:owner:{owner}:idempotency:{key_sha256}"


def worker(name: str) -> str:
    """Hash: pid, host, runtime, models (JSON, name -> SHA-256), ready_at."""
    return f"{PREFIX}:worker:{name}"


def webhook_tries(job_id: str) -> str:
    """String: how often the job's webhook was tried."""
    return f"{job(job_id)}:webhook"
