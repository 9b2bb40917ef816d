"""A task that trains in seconds: strips of coloured bars, read by CTC. As a script, train it."""

import json
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from captcha_solver.charset import Charset
from captcha_solver.training.finishing.calibration import right
from captcha_solver.training.loop import train
from captcha_solver.training.task import Pair, TrainSettings
from captcha_solver.training.workers import stream

STRIP_PX, BAR_PX, BARS = 8, 8, 3


@dataclass(frozen=True, slots=True)
class MakeBars:
    """Draws two pairs, of two widths: three bars, the red ones ``a``, the green ``b``, the blue ``c``."""

    batch: int = 8

    def __call__(self, rng: np.random.Generator) -> list[Pair]:
        return [self._pair(width, rng) for width in (48, 64)]

    def _pair(self, width: int, rng: np.random.Generator) -> Pair:
        labels = rng.integers(1, 4, (self.batch, BARS)).astype(np.int32)
        images = np.zeros((self.batch, STRIP_PX, width, 3), np.uint8)
        for i, row in enumerate(labels):
            for j, label in enumerate(row):
                left = 2 * BAR_PX * j
                images[i, :, left : left + BAR_PX, label - 1] = 255
        return images, labels


@dataclass(slots=True)
class BarsTask:
    """``stop_at``: the draw before which this process sends itself the signal that Ctrl-C sends."""

    stop_at: int | None = None
    kind: str = "sliding"
    charset: Charset = field(default_factory=lambda: Charset("abc"))
    settings: Mapping[str, Any] = field(default_factory=lambda: {"strip_px": STRIP_PX})
    data: Mapping[str, Any] = field(default_factory=lambda: {"drawn": "bars"})

    def build(self) -> Any:
        import keras

        keras.utils.set_random_seed(3)
        layers = keras.layers
        image = keras.Input((STRIP_PX, None, 3), name="strip")
        x = layers.Conv2D(8, (STRIP_PX, 4), strides=(1, 4), name="columns")(image)
        x = layers.BatchNormalization(name="norm")(x)
        x = layers.Reshape((-1, 8), name="steps")(layers.Activation("relu", name="relu")(x))
        return keras.Model(image, layers.Dense(4, name="logits")(x))

    def loss(self) -> Any:
        import keras

        return keras.losses.CTC()

    def batches(self, seed: int, start: int) -> Iterator[list[Pair]]:
        draws = stream(MakeBars(), workers=0, seed=seed, start=start)
        for k, draw in enumerate(draws, start=start):
            if k == self.stop_at:
                os.kill(os.getpid(), signal.SIGINT)
            yield draw

    def heldout(self) -> Sequence[Pair]:
        return MakeBars(32)(np.random.default_rng(1))

    def proof(self) -> Sequence[Pair]:
        return self.heldout()

    def accuracy(self, logits: NDArray[np.float32], labels: NDArray[np.int32]) -> float:
        return float(right(logits, labels).mean())


def main(out: str, stop_at: str) -> int:
    """Train; the exit code and the words of an interruption, as the command line gives them."""
    settings = TrainSettings(max_steps=60, validate_every=20, learning_rate=0.02, seed=4)
    try:
        bundle = train(BarsTask(int(stop_at) if stop_at else None), Path(out), settings)
    except KeyboardInterrupt as stopped:
        sys.stdout.write(str(stopped))
        return 130
    sys.stdout.write(json.dumps(bundle.card["training"]))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
