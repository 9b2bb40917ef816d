"""The answer to a hostile request, and how much memory the processes used for it."""

import json
import re
import socket
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.api.hostile_images import images
from tests.api.hostile_requests import Sent, requests
from tests.api.hostile_zips import TAKEN, zips
from tests.api.services import MINE

WITHIN_S = 20.0
REFUSED = (413, 422)


@dataclass(frozen=True, slots=True)
class Case:
    """A request, and what its answer may be: a status, and for archives the code of the problem."""

    sent: Sent
    codes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; status 0 where the connection was closed without one."""

    status: int
    body: dict[str, Any]
    text: str


def corpus() -> Iterator[Case]:
    """All of it."""
    for name, image in images():
        yield Case(Sent(f"image: {name}", (200,) if image else (422,), image, b"image/png", b"/v1/solve"))
    for name, data, code in zips():
        statuses = (202,) if code == TAKEN else REFUSED
        yield Case(
            Sent(f"zip: {name}", statuses, data, b"application/zip"), () if code == TAKEN else tuple(code.split("|"))
        )
    for sent in requests():
        yield Case(sent)


def wrong(case: Case, reply: Reply) -> str | None:
    """What is wrong with an answer; None where nothing is."""
    if reply.status not in case.sent.statuses:
        return f"{case.sent.name}: expected {case.sent.statuses}, received {reply.status}: {reply.text[:200]}"
    if case.codes and reply.body.get("code") not in case.codes:
        return f"{case.sent.name}: expected {case.codes}, received {reply.body.get('code')}: {reply.text[:200]}"
    if (
        case.sent.target == b"/v1/solve"
        and reply.status == 200
        and reply.body.get("status") not in {"solved", "failed"}
    ):
        return f"{case.sent.name}: expected an answer, received {reply.text[:200]}"
    return None


def send(address: tuple[str, int], sent: Sent) -> Reply:
    """Send it as it is, over a connection of its own."""
    length = len(sent.body) if sent.length is None else sent.length
    media = b"Content-Type: " + sent.media + b"\r\n" if sent.media else b""
    head = (
        sent.method + b" " + sent.target + b" HTTP/1.1\r\nHost: here\r\nConnection: close\r\n"
        b"Authorization: Bearer " + MINE.encode() + b"\r\n" + media + sent.headers
    )  # fmt: skip
    head += b"Content-Length: %d\r\n" % length if sent.method == b"POST" else b""
    with closing(socket.create_connection(address, WITHIN_S)) as connection:
        try:
            connection.sendall(head + b"\r\n" + sent.body)
            if 0 in sent.statuses:
                connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it was told enough and has closed: its answer may still be there
        return _reply(_all(connection))


def _all(connection: socket.socket) -> bytes:
    parts = []
    try:
        while part := connection.recv(1 << 16):
            parts.append(part)
    except (ConnectionError, TimeoutError):
        pass  # what came until then is the answer
    return b"".join(parts)


def _reply(raw: bytes) -> Reply:
    match = re.match(rb"HTTP/1\.1 (\d{3}) ", raw)
    text = raw.partition(b"\r\n\r\n")[2].decode("utf-8", "replace")
    try:
        body = json.loads(text)
    except ValueError:
        body = {}
    return Reply(int(match[1]) if match else 0, body if isinstance(body, dict) else {}, text)


def forget_peak(pid: int) -> None:
    """Begin to measure the peak of a process's memory anew."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def peak_mib(pid: int) -> float:
    """The most memory that a process had at once since then."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1024
