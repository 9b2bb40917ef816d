"""Run the readers: what each answers, and in turn, round by round, how fast and how large each is."""

import json
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.peers.contenders import Contender, with_one_thread
from benchmarks.peers.sureness import PeerAnswer
from captcha_solver.errors import SetupError

SERVE = Path(__file__).parent / "serve.py"
CORE = 0


@dataclass(frozen=True, slots=True)
class Labelled:
    """A set of images with its texts. ``flat``: the same images without transparency, where that was done."""

    name: str
    paths: tuple[Path, ...]
    texts: tuple[str, ...]
    sha256: str
    flat: tuple[Path, ...] = ()

    def given_to(self, contender: Contender) -> tuple[Path, ...]:
        """The images as this reader gets them."""
        return (self.flat or self.paths) if contender.flat else self.paths


@dataclass(frozen=True, slots=True)
class Round:
    """What one reader needed in one round. ``each_ms``: one call an image; ``images_per_s``: as it reads batches."""

    each_ms: tuple[float, ...]
    images_per_s: float
    start_s: float
    peak_mib: float


def serve(
    contender: Contender, paths: Sequence[Path], *, batch: int, core: int | None = None, sure: bool = False
) -> Mapping[str, Any]:
    """Run ``serve.py`` for one reader: its ``texts``, ``confidences`` (if ``sure``), ``call_ms`` and ``peak_mib``."""
    command = [str(contender.python), str(SERVE), contender.adapter, json.dumps(contender.options)]
    job = {"images": [str(path) for path in paths], "batch": batch, "core": core, "sure": sure}
    done = subprocess.run(command, input=json.dumps(job), capture_output=True, text=True, env=with_one_thread())
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines()
        raise SetupError(f"{contender.name} failed: {lines[-1] if lines else f'exit code {done.returncode}'}")
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def answers(contender: Contender, sets: Sequence[Labelled]) -> list[list[PeerAnswer]]:
    """What a reader reads in each set, image by image, and how sure it is."""
    paths = [path for each in sets for path in each.given_to(contender)]
    read = serve(contender, paths, batch=contender.batch, sure=True)
    given = [PeerAnswer(text, sure) for text, sure in zip(read["texts"], read["confidences"], strict=True)]
    split, start = [], 0
    for each in sets:
        split.append(given[start : start + len(each.paths)])
        start += len(each.paths)
    return split


def one_round(contender: Contender, paths: Sequence[Path]) -> Round:
    """Time one reader on one core: each image alone, then in batches, then the whole process for one image."""
    alone = serve(contender, paths, batch=1, core=CORE)
    calls = alone if contender.batch == 1 else serve(contender, paths, batch=contender.batch, core=CORE)
    return Round(
        each_ms=tuple(alone["call_ms"]),
        images_per_s=len(paths) / (sum(calls["call_ms"]) / 1e3),
        start_s=_start_s(contender, paths[0]),
        peak_mib=float(alone["peak_mib"]),
    )


def _start_s(contender: Contender, image: Path) -> float:
    """Seconds of the whole process that reads one image, from its start to its end, on one core."""
    command = [*contender.start, str(image)]
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, env=with_one_thread(), preexec_fn=_stay)
    took = time.perf_counter() - began
    if done.returncode not in (0, 1):  # 1: nothing was read
        raise SetupError(f"{contender.name} failed to start: {' '.join(done.stderr.split())[-300:]}")
    return took


def _stay() -> None:
    """Keep this process on the one core that is timed, where the system has a word for that."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {CORE})
