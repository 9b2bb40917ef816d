"""A web server that answers as it is told, faults included, and keeps what it was asked."""

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

PROBLEM = "application/problem+json"
CUT_AT = 1000  # bytes of a request's body that are read before its connection is cut


@dataclass(frozen=True, slots=True)
class Reply:
    """What one request gets. ``cut``: "upload" closes the connection while the body comes, "answer" within the answer;
    "hold" keeps the answer open until the server is closed."""

    status: int = 200
    body: bytes = b""
    media: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it came."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


class ScriptedServer:
    """Replies by ``METHOD /path`` without the query, one after the other; the last is given again and again."""

    def __init__(self, script: Mapping[str, Sequence[Reply]]) -> None:
        self.asked: list[Asked] = []
        self.over = threading.Event()
        self._script = {place: list(replies) for place, replies in script.items()}
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "ScriptedServer":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def of(self, place: str) -> list[Asked]:
        """The requests that were made of ``METHOD /path``."""
        return [each for each in self.asked if f"{each.method} {each.path.split('?')[0]}" == place]

    def next(self, asked: Asked) -> Reply:
        with self._lock:
            self.asked.append(asked)
            place = f"{asked.method} {asked.path.split('?')[0]}"
            replies = self._script.get(place, [problem(404, "not_in_the_script", place)])
            return replies.pop(0) if len(replies) > 1 else replies[0]


def answer(body: Any) -> Reply:
    return Reply(body=json.dumps(body).encode())


def problem(status: int, code: str, detail: str, **headers: str) -> Reply:
    body = {"status": status, "code": code, "detail": detail, "request_id": "r1"}
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, json.dumps(body).encode(), PROBLEM, fields)


def stream(*events: tuple[str, Any], cut: str = "") -> Reply:
    """Server-sent events of (id, data)."""
    text = ": hello\n\n" + "".join(f"id: {number}\nevent: progress\ndata: {json.dumps(d)}\n\n" for number, d in events)
    return Reply(body=text.encode(), media="text/event-stream", cut=cut)


def _handler(server: ScriptedServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            size = int(self.headers.get("Content-Length", 0))
            head = self.rfile.read(min(size, CUT_AT))
            reply = server.next(Asked(self.command, self.path, dict(self.headers), head))
            if reply.cut == "upload":
                self.close_connection = True
                return
            body = head + self.rfile.read(size - len(head))
            server.asked[-1] = Asked(self.command, self.path, dict(self.headers), body)
            self.send_response(reply.status)
            self.send_header("Content-Type", reply.media)
            self.send_header("Transfer-Encoding", "chunked")
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.end_headers()
            if reply.body:
                self.wfile.write(f"{len(reply.body):x}\r\n".encode() + reply.body + b"\r\n")
                self.wfile.flush()
            if reply.cut == "hold":
                server.over.wait()
            if reply.cut:
                self.close_connection = True
                return
            self.wfile.write(b"0\r\n\r\n")

        do_POST = do_GET  # noqa: N815 - its name there

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
            return

    return Handler
