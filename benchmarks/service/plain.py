"""The yardstick: plain processes with the same solver, images in memory, nothing between; seconds that they take.

Run as a program, it is one of those processes: a zip and its share of the chunks in, a line when ready or done out.

Tested in ``tests/benchmarks/service/test_measure.py``.
"""

import subprocess
import sys
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.service.pictures import MODEL
from captcha_solver.errors import SetupError
from captcha_solver.solver import load_solver
from workers.jobs.record import chunk_size
from workers.jobs.runner import PART

READY, GO, DONE = "ready", "go", "done"


class Plain:
    """``count`` processes that have their model and their images in memory, and wait for the word."""

    def __init__(self, archive: Path, count: int, jobs: int) -> None:
        command = [sys.executable, "-m", "benchmarks.service.plain", str(archive)]
        self._processes = [
            subprocess.Popen(
                [*command, str(place), str(count), str(jobs)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            for place in range(count)
        ]
        for process in self._processes:
            _expect(process, READY)

    def once(self) -> float:
        """Seconds until all have read all of their images."""
        began = time.perf_counter()
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.write(f"{GO}\n")
            process.stdin.flush()
        for process in self._processes:
            _expect(process, DONE)
        return time.perf_counter() - began

    def close(self) -> None:
        for process in self._processes:
            process.communicate()  # its input ends, and so does it


def _expect(process: "subprocess.Popen[str]", word: str) -> None:
    assert process.stdout is not None
    said = process.stdout.readline().strip()
    if said != word:
        raise SetupError(f"expected {word} from a plain process, received {said!r}")


def share(images: Sequence[bytes], place: int, count: int, jobs: int) -> list[Sequence[bytes]]:
    """Of the chunks of ``jobs`` jobs of these images, every ``count``-th, in the parts that a worker reads at once."""
    size = chunk_size(len(images))
    chunks = [images[at : at + size] for _ in range(jobs) for at in range(0, len(images), size)]
    return [chunk[at : at + PART] for chunk in chunks[place::count] for at in range(0, len(chunk), PART)]


def _work(archive: str, place: str, count: str, jobs: str) -> None:
    with zipfile.ZipFile(archive) as packed:
        images = [packed.read(entry) for entry in packed.infolist()]
    parts = share(images, int(place), int(count), int(jobs))
    solver = load_solver(MODEL)
    solver.solve_batch(images[:PART])
    print(READY, flush=True)
    for _ in sys.stdin:
        for part in parts:
            solver.solve_batch(part)
        print(DONE, flush=True)


if __name__ == "__main__":
    _work(*sys.argv[1:])
