"""A Redis socket that can lose the reply to a transaction: it was made, and nobody heard of it."""

import selectors
import socket
import threading
from pathlib import Path
from types import TracebackType


class LossyWire:
    """Passes all on between clients at ``socket`` and the server, but for the replies it was told to lose."""

    def __init__(self, server: Path, socket_path: Path) -> None:
        self.socket = socket_path
        self.lost = 0
        self._to_lose = 0
        self._server = str(server)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(socket_path))
        self._listener.listen()

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    def lose(self, replies: int = 1) -> None:
        """Cut the connection of the next so many transactions after the server has made them."""
        self._to_lose = replies

    def __enter__(self) -> "LossyWire":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return  # closed
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as server, selectors.DefaultSelector() as ready:
            server.connect(self._server)
            ready.register(client, selectors.EVENT_READ, server)
            ready.register(server, selectors.EVENT_READ, client)
            while True:
                for key, _ in ready.select():
                    source, target = key.fileobj, key.data
                    assert isinstance(source, socket.socket)
                    data = source.recv(65536)
                    if not data:
                        return
                    target.sendall(data)
                    if source is client and self._to_lose and b"EXEC" in data:
                        server.recv(65536)  # the server has done it
                        self._to_lose -= 1
                        self.lost += 1
                        return
