"""Tells the owner's host that a job is finished: one signed request, tried again where it fails.

Signed as Standard Webhooks lays down: ``webhook-id``, ``webhook-timestamp``, and HMAC-SHA256 over id, time and body.
"""

import base64
import binascii
import hashlib
import hmac
import ipaddress
import json
import socket
import time
from dataclasses import asdict
from urllib.parse import urlsplit

import structlog

from captcha_solver.errors import OptionError
from workers import keys
from workers.connection import Client, Pipe
from workers.jobs.record import Counts, Job
from workers.jobs.store import JOBS
from workers.settings import Settings

SECRET_PREFIX = "whsec_"
SMALLEST_SECRET = 24  # bytes
TIMEOUT_S = 5.0
WAITS_S = (5, 30, 120, 600, 3600)  # before the second, third, ... try

log = structlog.get_logger("workers")


def check_url(url: str, settings: Settings) -> str:
    """``url`` where webhooks may go to it; ``OptionError`` where they are off, or it is not on the list."""
    if not settings.webhook_hosts:
        raise OptionError("expected no webhook: they are off on this service")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise OptionError(f"expected an https URL for the webhook, received {url!r}") from error
    plain = parts.scheme == "http" and settings.webhook_private
    if not (parts.scheme == "https" or plain) or parts.username or parts.password or parts.fragment:
        raise OptionError(f"expected an https URL without user and fragment for the webhook, received {url!r}")
    host = (parts.hostname or "").lower()
    named = f"{host}:{port}" if port else host
    if host not in settings.webhook_hosts and named not in settings.webhook_hosts:
        raise OptionError(f"expected a webhook to one of the allowed hosts, received {host!r}")
    return url


def signing_key(secret: str) -> bytes:
    """The key in ``whsec_...``; ``OptionError`` where it is none."""
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error as error:
        raise OptionError("expected CAPTCHA_WEBHOOK_SECRET to be whsec_ and base64") from error
    if not secret.startswith(SECRET_PREFIX) or len(key) < SMALLEST_SECRET:
        raise OptionError(f"expected CAPTCHA_WEBHOOK_SECRET to be whsec_ and base64 of {SMALLEST_SECRET} bytes or more")
    return key


def signature(key: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """The value of ``webhook-signature``."""
    mac = hmac.new(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(mac).decode()


def deliver_due(redis: Client, settings: Settings) -> None:
    """Send the webhooks that are due; one that fails is tried again later, at most as often as ``WAITS_S`` says."""
    if not settings.webhook_hosts:
        return
    for each in redis.zrangebyscore(keys.WEBHOOKS, "-inf", time.time(), start=0, num=4):
        job_id = each.decode()
        tries = _claim(redis, job_id)
        if tries == 0:
            continue
        found = JOBS.fetch(redis, [job_id])
        if not found or found[0][0].webhook is None or _sent(*found[0], settings) or tries > len(WAITS_S):
            redis.zrem(keys.WEBHOOKS, job_id)
            redis.delete(keys.webhook_tries(job_id))


def _claim(redis: Client, job_id: str) -> int:
    """Which try of a webhook this is; 0 where another worker has it.

    The next try is noted before this one is made: no other worker makes it too, and one that dies leaves it to others.
    """

    def write(pipe: Pipe) -> int:
        due = pipe.zscore(keys.WEBHOOKS, job_id)
        tries = int(pipe.get(keys.webhook_tries(job_id)) or 0) + 1
        now = time.time()
        pipe.multi()
        if due is None or due > now:
            return 0
        pipe.set(keys.webhook_tries(job_id), tries, ex=2 * max(WAITS_S))
        pipe.zadd(keys.WEBHOOKS, {job_id: now + WAITS_S[min(tries, len(WAITS_S)) - 1]})
        return tries

    return int(redis.transaction(write, keys.WEBHOOKS, value_from_callable=True))


def _sent(job: Job, counts: Counts, settings: Settings) -> bool:
    try:
        status = _post(job, counts, settings)
    except Exception as error:  # the network's, the host's or the settings': all are told the same way
        log.warning("webhook failed", job=job.id, error=f"{type(error).__name__}: {error}")
        return False
    if not 200 <= status < 300:
        log.warning("webhook refused", job=job.id, status=status)
    return 200 <= status < 300


def _post(job: Job, counts: Counts, settings: Settings) -> int:
    """Send it to an address resolved and checked here, so that the name cannot point elsewhere a moment later."""
    import httpx

    assert job.webhook is not None
    assert settings.webhook_secret is not None
    parts = urlsplit(check_url(job.webhook, settings))
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    address = _address(host, port, private=settings.webhook_private)
    now = int(time.time())
    body = json.dumps(
        {
            "type": "job.finished",
            "timestamp": now,
            "data": {
                "id": job.id,
                "status": job.status(counts),
                "counts": asdict(counts),
                "metadata": dict(job.metadata),
            },
        }
    ).encode()
    target = f"[{address}]" if ":" in address else address
    url = f"{parts.scheme}://{target}:{port}{parts.path or '/'}" + (f"?{parts.query}" if parts.query else "")
    key = signing_key(settings.webhook_secret)
    headers = {
        "host": parts.netloc,
        "content-type": "application/json",
        "webhook-id": job.id,
        "webhook-timestamp": str(now),
        "webhook-signature": signature(key, job.id, now, body),
    }
    with httpx.Client(timeout=TIMEOUT_S, follow_redirects=False, trust_env=False) as client:
        return client.post(url, content=body, headers=headers, extensions={"sni_hostname": host}).status_code


def _address(host: str, port: int, *, private: bool) -> str:
    found = [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    fit = [address for address in found if private or ipaddress.ip_address(address).is_global]
    if not fit or len(fit) < len(found):
        raise OptionError(f"expected public addresses for {host}, received {', '.join(found)}")
    return fit[0]
