"""Train several sliding networks from nothing on the same drawn images: accuracy against the work an image costs.

python -m benchmarks.networks [SOURCE...] [--steps N] [--only NAME]... [--out FOLDER]

The first ``--steps`` batches of 32 are the same for each. A bundle that is there already is not trained again, so that
a long run can be cut off and resumed.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import click
import numpy as np

from benchmarks.machine import machine
from benchmarks.speed.network import mflop
from captcha_solver.dataset import writable_folder
from captcha_solver.models.bundle import MANIFEST, Bundle, load_bundle
from captcha_solver.models.runtimes import OnnxRuntime
from captcha_solver.models.sliding import NETWORKS, SlidingSize, build_sliding
from captcha_solver.quiet import sieved_stderr
from captcha_solver.training.loop import train
from captcha_solver.training.task import TrainSettings
from captcha_solver.training.tasks.sliding import COLUMNS_PER_STEP, SlidingTask

SHOWN = (40, 160)  # the strip that MFLOP and milliseconds are of
SOURCES = ("plain", "note", "typewriter", "tilted", "night", "classic")
ROUNDS = 20
HELDOUT = 1024  # images, drawn

Build = Callable[[int, int], Any]


def sized(size: SlidingSize) -> Build:
    """A network of the shipped kind, as wide as told."""
    return lambda strip_px, classes: build_sliding(strip_px, classes, size)


def with_head(head: Callable[[Any], Any]) -> Build:
    """The base network, with ``head`` (N, 1, T, C) -> (N, 1, T, C) instead of its two convolutions of context."""

    def build(strip_px: int, classes: int) -> Any:
        import keras
        from keras import layers

        base = build_sliding(strip_px, classes)
        x = head(base.get_layer("columns_relu").output)
        logits = layers.Conv2D(classes, 1, name="logits_of_head")(x)
        return keras.Model(base.input, layers.Reshape((-1, classes))(logits))

    return build


def recurrent(x: Any) -> Any:
    """A bidirectional GRU of 80 units (Cho et al. 2014)."""
    from keras import layers

    steps = layers.Reshape((-1, x.shape[-1]))(x)
    steps = layers.Bidirectional(layers.GRU(80, return_sequences=True))(steps)
    return layers.Reshape((1, -1, 160))(steps)


def attention(x: Any) -> Any:
    """One block of self-attention, four heads of 32 (Vaswani et al. 2017), after a convolution that gives positions."""
    from keras import layers

    x = layers.Add()([x, layers.DepthwiseConv2D((1, 5), padding="same")(x)])
    steps = layers.Reshape((-1, x.shape[-1]))(x)
    normed = layers.LayerNormalization()(steps)
    steps = layers.Add()([steps, layers.MultiHeadAttention(4, 32)(normed, normed)])
    inner = layers.Dense(320, activation="relu")(layers.LayerNormalization()(steps))
    steps = layers.Add()([steps, layers.Dense(steps.shape[-1])(inner)])
    return layers.Reshape((1, -1, x.shape[-1]))(steps)


def blocks(block: Callable[[Any, int, int | tuple[int, int]], Any], widths: Sequence[int]) -> Build:
    """A network of the base's strides in which ``block(x, filters, strides)`` stands for its 3x3 convolutions."""

    def build(strip_px: int, classes: int) -> Any:
        import keras
        from keras import layers

        pixels = keras.Input((strip_px, None, 3))
        x = layers.Rescaling(2.0, -1.0)(pixels)
        x = _normed(layers.Conv2D(24, 5, strides=2, padding="same", use_bias=False)(x))
        strides: tuple[int | tuple[int, int], ...] = (2, 1, (2, 1))
        for filters, stride in zip(widths, strides, strict=True):
            x = block(x, filters, stride)
            x = layers.Add()([x, block(x, filters, 1)])
        x = _normed(layers.Conv2D(160, (strip_px // 8, 1), use_bias=False)(x))
        for reach in (3, 5):
            y = layers.Conv2D(160, (1, reach), padding="same", use_bias=False)(x)
            x = layers.Add()([x, _normed(y)])
        return keras.Model(pixels, layers.Reshape((-1, classes))(layers.Conv2D(classes, 1)(x)))

    return build


def separable(x: Any, filters: int, strides: int | tuple[int, int]) -> Any:
    """Depthwise 3x3, then 1x1 (Howard et al. 2017); square strides as Keras wants them, rows by pooling."""
    from keras import layers

    rows_only = isinstance(strides, tuple)
    if rows_only:
        x = layers.AveragePooling2D((2, 1))(x)
    step = 1 if isinstance(strides, tuple) else strides
    x = _normed(layers.DepthwiseConv2D(3, strides=step, padding="same", use_bias=False)(x))
    return _normed(layers.Conv2D(filters, 1, use_bias=False)(x))


def squeezed(x: Any, filters: int, strides: int | tuple[int, int]) -> Any:
    """A 3x3 convolution whose channels are weighed by their means over the image (Hu et al. 2018)."""
    from keras import layers

    x = _normed(layers.Conv2D(filters, 3, strides=strides, padding="same", use_bias=False)(x))
    weights = layers.GlobalAveragePooling2D(keepdims=True)(x)
    weights = layers.Conv2D(filters // 8, 1, activation="relu")(weights)
    return layers.Multiply()([x, layers.Conv2D(filters, 1, activation="sigmoid")(weights)])


def _normed(x: Any) -> Any:
    from keras import layers

    return layers.Activation("relu")(layers.BatchNormalization()(x))


CANDIDATES: dict[str, Build] = {
    "base": sized(NETWORKS["base"]),
    "small": sized(NETWORKS["small"]),
    "wide": sized(SlidingSize(32, 64, 112, 160, 224)),
    "deep": sized(NETWORKS["deep"]),
    "early rows": sized(SlidingSize(early=True)),
    "depthwise": blocks(separable, (96, 160, 224)),
    "squeeze-excite": blocks(squeezed, (48, 80, 112)),
    "recurrent head": with_head(recurrent),
    "attention head": with_head(attention),
}


@dataclass(slots=True)
class CandidateTask(SlidingTask):
    """The sliding task with a network of ours."""

    candidate: str = "base"

    def build(self) -> Any:
        return CANDIDATES[self.candidate](self.slide.strip_px, self.charset.classes)


@dataclass(frozen=True, slots=True)
class Row:
    """One network after its training; times and MFLOP of a 40x160 strip, ONNX Runtime, one thread, batches of 32."""

    name: str
    parameters: int
    mflop: float
    ms: float
    accuracy: float
    heldout: int
    train_s: float


def trained(name: str, sources: Sequence[str], steps: int, out: Path) -> Bundle:
    """The candidate's bundle, trained now unless it is there."""
    if (out / MANIFEST).exists():
        return load_bundle(out)
    plain = SlidingTask.from_sources(sources, labels=None, batch=32, workers=1)
    given = {field.name: getattr(plain, field.name) for field in fields(plain)}
    task = CandidateTask(**given | {"heldout_images": HELDOUT}, candidate=name)
    return train(task, out, TrainSettings(batch=32, max_steps=steps, learning_rate=2e-3, validate_every=steps, seed=1))


def measured(name: str, bundle: Bundle) -> Row:
    """What the network costs and reads."""
    from captcha_solver.models.runtimes import load_keras

    runtime = OnnxRuntime(bundle)
    strips = np.random.default_rng(0).random((32, *SHOWN, 3), np.float32)
    runtime.run(strips)
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        runtime.run(strips)
        times.append(time.perf_counter() - start)
    card, model = bundle.card, load_keras(bundle)
    return Row(
        name,
        int(model.count_params()),
        mflop(bundle.onnx_path, (1, *SHOWN, 3)) + looped_mflop(model, SHOWN[1] // COLUMNS_PER_STEP),
        1e3 * float(np.median(times)) / len(strips),
        card["training"]["heldout_accuracy"],
        card["calibration"]["n"],
        60 * card["training"]["minutes"],
    )


def looped_mflop(model: Any, steps: int) -> float:
    """What ``mflop`` cannot see: the products of recurrent layers, which ONNX does in a loop over ``steps``."""
    kernels = [w for w in model.weights if "gru" in w.path and w.path.endswith("kernel")]
    return 2e-6 * steps * sum(float(np.prod(w.shape)) for w in kernels)


def table(rows: Sequence[Row]) -> str:
    """Markdown, a row a network, the least work first."""
    lines = [
        "| network | parameters | MFLOP | ms | read correctly, % | % for each 100 MFLOP | trained in, s |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {row.name} | {row.parameters:,} | {row.mflop:.0f} | {row.ms:.2f} | {100 * row.accuracy:.1f} | "
        f"{100 * row.accuracy / (row.mflop / 100):.0f} | {row.train_s:.0f} |"
        for row in sorted(rows, key=lambda each: each.mflop)
    ]
    return "\n".join(lines)


@click.command()
@click.argument("sources", nargs=-1)
@click.option("--steps", default=1200, show_default=True, type=click.IntRange(min=1), help="Batches of 32 images.")
@click.option("--only", multiple=True, type=click.Choice(list(CANDIDATES)), help="These; else all.")
@click.option("--out", default=Path("runs/networks"), type=click.Path(path_type=Path), show_default=True)
def main(sources: tuple[str, ...], steps: int, only: tuple[str, ...], out: Path) -> None:
    """Print a table and write results.json; it is written anew after each training."""
    writable_folder(out)
    rows: list[Row] = []
    for name in only or CANDIDATES:
        bundle = trained(name, sources or SOURCES, steps, out / name.replace(" ", "-"))
        rows.append(measured(name, bundle))
        written = {
            "machine": machine(),
            "steps": steps,
            "sources": sources or SOURCES,
            "rows": [asdict(row) for row in rows],
        }
        (out / "results.json").write_text(json.dumps(written, indent=1), encoding="utf-8")
        click.echo(f"{name}: {100 * rows[-1].accuracy:.1f} %", err=True)
    click.echo(table(rows))


if __name__ == "__main__":
    with sieved_stderr():
        main()
