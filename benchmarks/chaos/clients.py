"""Clients that behave badly: raw sockets, so that a connection ends where it is told to and not where it should.

Tested in ``tests/benchmarks/chaos/test_scenarios.py``.
"""

import socket
import struct
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.service.client import Rest
from captcha_solver.errors import SetupError

CONNECT_S = 20.0
AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER: close sends a reset


def half_upload(rest: Rest, body: bytes, *, abruptly: bool) -> None:
    """Say that all of ``body`` comes, send half of it, and go."""
    with _connected(rest) as wire:
        wire.sendall(_head(rest, "POST", "/v1/jobs", body) + body[: len(body) // 2])
        _leave(wire, abruptly)


def sent_and_left(rest: Rest, body: bytes, key: str) -> None:
    """Send a whole job, and go without an answer."""
    with _connected(rest) as wire:
        wire.sendall(_head(rest, "POST", "/v1/jobs", body, f"Idempotency-Key: {key}") + body)
        _leave(wire, True)


def watched_and_left(rest: Rest, job_id: str, *, abruptly: bool) -> None:
    """Follow a job's events until the first has come, and go."""
    with _connected(rest) as wire:
        wire.sendall(_head(rest, "GET", f"/v1/jobs/{job_id}/events", b""))
        heard = b""
        while b"event:" not in heard:
            more = wire.recv(4096)
            if not more:
                raise SetupError(f"expected events of {job_id}, received {heard[:200]!r}")
            heard += more
        _leave(wire, abruptly)


def open_files(pid: int) -> int:
    """Files and connections that a process holds open.

    Those to Redis, over a Unix socket, do not count: their pool keeps as many as were needed at once.
    """
    rows = Path("/proc/net/unix").read_text(encoding="ascii", errors="replace").splitlines()[1:]
    redis = {f"socket:[{row.split()[6]}]" for row in rows}
    return sum(_target(each) not in redis for each in Path(f"/proc/{pid}/fd").iterdir())


def _target(descriptor: Path) -> str:
    try:
        return str(descriptor.readlink())
    except OSError:  # closed meanwhile
        return ""


def _connected(rest: Rest) -> socket.socket:
    place = urlsplit(str(rest.http.base_url))
    return socket.create_connection((place.hostname, place.port), timeout=CONNECT_S)


def _head(rest: Rest, method: str, path: str, body: bytes, *more: str) -> bytes:
    lines = [
        f"{method} {path} HTTP/1.1",
        f"Host: {urlsplit(str(rest.http.base_url)).netloc}",
        f"Authorization: {rest.http.headers['Authorization']}",
        *([f"Content-Type: application/zip\r\nContent-Length: {len(body)}"] if body else []),
        *more,
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def _leave(wire: socket.socket, abruptly: bool) -> None:
    if abruptly:
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
    wire.close()
