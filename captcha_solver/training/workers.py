"""Draws batches ahead in worker processes. A seed gives the same stream, whatever the number of workers."""

import contextlib
import multiprocessing
import os
import queue
import signal
import traceback
from collections.abc import Callable, Generator, Iterator
from typing import Any, Protocol, TypeVar

import numpy as np

from captcha_solver.errors import OptionError, SetupError

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")


class MakeBatch(Protocol[T_co]):
    """A callable that can be sent to a process (a dataclass with ``__call__``); imports no backend."""

    def __call__(self, rng: np.random.Generator) -> T_co: ...


def stream(
    make_batch: Callable[[np.random.Generator], T],
    *,
    workers: int = 1,
    seed: int = 0,
    start: int = 0,
    ahead: int = 4,
) -> Generator[T, None, None]:
    """Yield ``make_batch(default_rng([seed, k]))`` for k = start, start + 1, ...

    Worker ``i`` makes every ``workers``-th batch and stays at most ``ahead`` of its batches ahead. Processes
    are spawned, because TensorFlow can deadlock when forked. Close the generator, or drop it, to end them.
    """
    if workers < 0:
        raise OptionError(f"expected 0 workers (draw in this process) or more, received {workers}")
    if workers == 0:
        return _stream_here(make_batch, seed, start)
    return _stream_spawned(make_batch, workers, (seed, start), ahead)


def _stream_here(make_batch: Callable[[np.random.Generator], T], seed: int, start: int) -> Generator[T, None, None]:
    k = start
    while True:
        yield make_batch(np.random.default_rng([seed, k]))
        k += 1


def _stream_spawned(
    make_batch: Callable[[np.random.Generator], T], workers: int, origin: tuple[int, int], ahead: int
) -> Generator[T, None, None]:
    context = multiprocessing.get_context("spawn")
    seed, start = origin
    queues: list[Any] = [context.Queue(maxsize=max(1, ahead)) for _ in range(workers)]
    processes = [
        context.Process(
            target=_work,
            args=(make_batch, seed, range(start + i, 2**62, workers), q),
            daemon=True,
            name=f"draw-{i}",
        )
        for i, q in enumerate(queues)
    ]
    try:
        with _single_threaded_children():
            for process in processes:
                process.start()
        turn = 0
        while True:
            yield _next(processes[turn], queues[turn])
            turn = (turn + 1) % workers
    finally:
        _end(processes, queues)


def _next(process: Any, batches: Any) -> Any:
    """The next batch of one worker; its exception, or its death, becomes ours."""
    while True:
        try:
            error, payload = batches.get(timeout=1.0)
        except queue.Empty:
            if process.is_alive():
                continue
            raise SetupError(
                f"a drawing process ended unexpectedly (exit code {process.exitcode}); is memory short?"
            ) from None
        if error is not None:
            raise SetupError(f"a drawing process failed: {error}\n{payload}".rstrip())
        return payload


def _end(processes: list[Any], queues: list[Any]) -> None:
    for process in processes:
        if process.pid is not None:
            process.terminate()
    for process in processes:
        if process.pid is not None:
            process.join(5.0)
            if process.is_alive():
                process.kill()
                process.join()
            process.close()
    for q in queues:
        q.close()
        q.cancel_join_thread()


def _work(make_batch: Callable[[np.random.Generator], Any], seed: int, turns: range, batches: Any) -> None:
    """A worker's life: draw, put, until the parent ends it or is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    parent = os.getppid()
    with contextlib.suppress(OSError, AttributeError):
        os.nice(5)
    _limit_opencv()
    try:
        for k in turns:
            if not _put(batches, (None, make_batch(np.random.default_rng([seed, k]))), parent):
                return
    except Exception as error:
        _put(batches, (f"{type(error).__name__}: {error}", traceback.format_exc(limit=-3)), parent)


def _put(batches: Any, message: tuple[str | None, Any], parent: int) -> bool:
    """Wait for room; ``False`` once the parent is gone, so that no orphan stays behind."""
    while os.getppid() == parent:
        try:
            batches.put(message, timeout=2.0)
        except queue.Full:
            continue
        return True
    batches.cancel_join_thread()
    return False


def _limit_opencv() -> None:
    try:
        import cv2
    except ImportError:
        return
    cv2.setNumThreads(0)


@contextlib.contextmanager
def _single_threaded_children() -> Iterator[None]:
    """Children read these when they import NumPy; the parent's own libraries have read them already."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
