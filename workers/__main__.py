"""``python -m workers``: one worker, or several kept alive. Exit codes as those of captcha-solver."""

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType

import click

from captcha_solver.cli.main import run
from captcha_solver.errors import SetupError
from workers.connection import check_server, connect
from workers.logs import set_up_logs
from workers.pool import Pool
from workers.settings import read_settings
from workers.worker import run_worker

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--processes", type=click.IntRange(min=1), default=1, show_default=True, help="Workers to keep running.")
@click.option("--burst", is_flag=True, help="End when the queue is empty.")
@click.option("--max-jobs", type=click.IntRange(min=1), metavar="N", help="Start afresh after N chunks: bounds memory.")
@click.option("--audits", is_flag=True, help="Do audits instead of solving images.")
def workers(processes: int, burst: bool, max_jobs: int | None, audits: bool) -> int:
    """Solve queued images: takes chunks from the queue at REDIS_URL until stopped (SIGTERM lets a chunk end)."""
    set_up_logs()
    settings = read_settings()
    if settings.redis_url is None:
        raise SetupError("expected REDIS_URL, received none; make serve starts a server and workers together")
    check_server(connect(settings.redis_url))
    if processes == 1:
        work = _audit_worker() if audits else run_worker
        work(settings, settings.redis_url, burst=burst, max_jobs=max_jobs)
        return 0
    command = [sys.executable, "-m", "workers", *(["--burst"] if burst else []), *(["--audits"] if audits else [])]
    command += [] if max_jobs is None else ["--max-jobs", str(max_jobs)]
    pool = Pool(command, processes, {**os.environ, **ONE_THREAD}, restart=not burst)

    def stop(signum: int, frame: FrameType | None) -> None:
        pool.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    pool.start()
    return 1 if pool.keep() else 0


def _audit_worker() -> Callable[..., None]:
    """What an audit needs is loaded by those alone that do audits."""
    from workers.audits.worker import run_audit_worker

    return run_audit_worker


if __name__ == "__main__":
    sys.exit(run(workers, "python -m workers", sys.argv[1:]))
