"""Training and solving on a GPU: images a second, on whichever backend Keras runs.

KERAS_BACKEND=jax|torch|tensorflow python -m benchmarks.gpu [--batch N] [--steps N] [--out FILE]

Mixed precision (float16 arithmetic, float32 weights) beside float32, compiled where the backend compiles. Says so and
stops where there is no GPU.

Tested in ``tests/benchmarks/speed/test_measure.py``.
"""

import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import machine
from captcha_solver.charset import NAMED, Charset
from captcha_solver.models.runtimes import import_keras
from captcha_solver.models.sliding import build_sliding
from captcha_solver.quiet import sieved_stderr
from captcha_solver.sliding.strip import SlideSettings

POLICIES = ("float32", "mixed_float16")
WIDTH_PX = 160
TEXT = 5


@dataclass(frozen=True, slots=True)
class GpuRates:
    """Images a second at one precision."""

    backend: str
    precision: str
    batch: int
    train_images_per_s: float
    solve_images_per_s: float


def accelerators(keras: Any) -> list[str]:
    """The devices that Keras's backend sees besides the CPU."""
    return [str(device) for device in keras.distribution.list_devices() if not str(device).lower().startswith("cpu")]


def measure(keras: Any, precision: str, batch: int, steps: int) -> GpuRates:
    """Time ``steps`` training steps and as many solving calls of the sliding network, after two of each."""
    charset, strip_px = Charset(NAMED["alnum"]), SlideSettings().strip_px
    keras.mixed_precision.set_global_policy(precision)
    try:
        model = build_sliding(strip_px, charset.classes)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    model.compile(optimizer=keras.optimizers.AdamW(1e-3), loss=keras.losses.CTC(), jit_compile="auto")
    rng = np.random.default_rng(0)
    images = rng.random((batch, strip_px, WIDTH_PX, 3), np.float32)
    labels = rng.integers(1, charset.classes, (batch, TEXT)).astype(np.int32)
    trained = _rate(lambda: model.train_on_batch(images, labels), batch, steps)
    solved = _rate(lambda: _read(model, images), batch, steps)
    return GpuRates(keras.backend.backend(), precision, batch, trained, solved)


def _read(model: Any, images: NDArray[np.float32]) -> NDArray[np.int64]:
    logits = np.asarray(model.predict_on_batch(images), np.float32)  # the copy back ends what ran ahead
    paths: NDArray[np.int64] = logits.argmax(axis=-1)
    return paths


def _rate(work: Any, batch: int, steps: int) -> float:
    for _ in range(2):
        work()
    times = []
    for _ in range(steps):
        began = time.perf_counter()
        np.asarray(work())
        times.append(time.perf_counter() - began)
    return batch / statistics.median(times)


def table(rows: Sequence[GpuRates]) -> str:
    """A Markdown table."""
    lines = ["| backend | precision | batch | training, images/s | solving, images/s |", "|---|---|---:|---:|---:|"]
    for row in rows:
        rates = f"{row.train_images_per_s:.0f} | {row.solve_images_per_s:.0f}"
        lines.append(f"| {row.backend} | {row.precision} | {row.batch} | {rates} |")
    return "\n".join(lines)


@click.command()
@click.option("--batch", "batches", multiple=True, type=int, default=(64, 512), show_default=True)
@click.option("--steps", default=20, show_default=True)
@click.option("--out", default=Path("runs/bench-gpu.json"), type=click.Path(path_type=Path), show_default=True)
def main(batches: tuple[int, ...], steps: int, out: Path) -> None:
    """Print a table and write JSON; without a GPU, say so."""
    keras = import_keras()
    found = accelerators(keras)
    if not found:
        click.echo(f"no GPU: the Keras backend {keras.backend.backend()} sees the CPU alone; nothing was measured")
        return
    rows = [measure(keras, precision, batch, steps) for precision in POLICIES for batch in batches]
    click.echo(f"{', '.join(found)}, strips of {SlideSettings().strip_px}x{WIDTH_PX}\n\n{table(rows)}")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps({"machine": machine(), "devices": found, "rates": [asdict(r) for r in rows]}, indent=1))


if __name__ == "__main__":
    with sieved_stderr():
        main()
