"""``python -m api.serve``: a Redis, workers and the API on this machine, started together and stopped together.

Tested in ``tests/api/test_auth.py``.
"""

import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType

import click
import httpx

from api.__main__ import check_keys
from api.auth import new_key
from captcha_solver.cli.main import run
from captcha_solver.errors import SetupError
from workers.__main__ import ONE_THREAD
from workers.connection import check_server, connect
from workers.orphans import from_main_thread
from workers.pool import Pool
from workers.redis_server import PrivateRedis
from workers.settings import Settings, environment_of, read_settings

READY_WITHIN_S = 120.0
STOP_WITHIN_S = 15.0
ASK_EVERY_S = 0.1


@dataclass(frozen=True, slots=True)
class Running:
    """A service that answers: where, with which key, and its processes."""

    url: str
    key: str
    settings: Settings
    pool: Pool
    api: "subprocess.Popen[bytes]"
    redis: PrivateRedis | None


@contextmanager
def service(settings: Settings, *, data: Path | None = None, quiet: bool = False) -> Iterator[Running]:
    """Start what ``settings`` ask for and wait until it is ready; stop all of it at the end, the API first."""
    key = settings.api_keys[0] if settings.api_keys else new_key()
    check_keys(replace(settings, api_keys=settings.api_keys or (key,)))
    private = None if settings.redis_url else PrivateRedis(data)
    if private:
        private.start()
    try:
        url = settings.redis_url or private.url  # type: ignore[union-attr]
        check_server(connect(url))
        settings = replace(settings, redis_url=url, api_keys=settings.api_keys or (key,))
        environment = {**os.environ, **ONE_THREAD, **environment_of(settings)}
        with _started(settings, environment, quiet) as (pool, api):
            address = f"http://{_shown(settings.host)}:{settings.port}"
            _wait(address, api)
            yield Running(address, key, settings, pool, api, private)
    finally:
        if private:
            private.close()


@contextmanager
def _started(
    settings: Settings, environment: dict[str, str], quiet: bool
) -> Iterator[tuple[Pool, "subprocess.Popen[bytes]"]]:
    workers = [sys.executable, "-m", "workers"]
    pool = Pool(workers, settings.workers, environment, quiet=quiet)
    audits = Pool([*workers, "--audits"], settings.audit_workers, environment, quiet=quiet)
    keepers = [threading.Thread(target=each.keep, daemon=True) for each in (pool, audits)]
    for each, keeper in zip((pool, audits), keepers, strict=True):
        each.start()
        keeper.start()
    log = subprocess.DEVNULL if quiet else None
    api = subprocess.Popen(
        [sys.executable, "-m", "api"],
        env=environment,
        start_new_session=True,
        stderr=log,
        preexec_fn=from_main_thread(),
    )
    try:
        yield pool, api
    finally:
        api.terminate()
        try:
            api.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            api.kill()
            api.wait()
        pool.stop()
        audits.stop()
        for keeper in keepers:
            keeper.join()


def _wait(address: str, api: "subprocess.Popen[bytes]") -> None:
    """Until the API says that it and a worker are ready."""
    deadline = time.monotonic() + READY_WITHIN_S
    said = "nothing"
    while time.monotonic() < deadline:
        if api.poll() is not None:
            raise SetupError(
                f"expected the API to run at {address}, received exit code {api.returncode}: is the port free?"
            )
        try:
            answer = httpx.get(f"{address}/readyz", timeout=2.0, trust_env=False)
            if answer.status_code == 200:
                return
            said = answer.text
        except httpx.HTTPError as error:
            said = str(error)
        time.sleep(ASK_EVERY_S)
    raise SetupError(f"expected the service to be ready within {READY_WITHIN_S:.0f} s, received {said}")


def _shown(host: str) -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"[{host}]" if ":" in host else host


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--data", type=click.Path(file_okay=False, path_type=Path), help="Keep Redis's file here.")
def serve(data: Path | None) -> None:
    """Serve from this machine. HOST, PORT, WORKERS, CAPTCHA_API_KEYS and REDIS_URL are honoured."""
    settings = read_settings()
    over = threading.Event()

    def stop(signum: int, frame: FrameType | None) -> None:
        over.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    click.echo("starting Redis, workers and the API ...", err=True)
    with service(settings, data=data) as running:
        click.echo(_greeting(running))
        while not over.wait(0.5):
            if running.api.poll() is not None:
                raise SetupError(f"the API ended with exit code {running.api.returncode}")
        click.echo("stopping: workers end the chunk in their hands ...", err=True)
    click.echo("stopped", err=True)


def _greeting(running: Running) -> str:
    """Where it is, the key, and a line for a shell that draws an image and has it read."""
    drawn = (
        f"I=$(mktemp -d) && {shlex.quote(sys.executable)} -m captcha_solver.cli.main draw classic --count 1 --out $I"
    )
    asked = f"curl -s -H 'Authorization: Bearer {running.key}' -H 'Content-Type: image/png'"
    return (
        f"address  {running.url}   (documentation: {running.url}/docs)\n"
        f"key      {running.key}\n"
        f"try      {drawn} && {asked} --data-binary @$I/00000.png {running.url}/v1/solve\n"
    )


if __name__ == "__main__":
    sys.exit(run(serve, "python -m api.serve", sys.argv[1:]))
