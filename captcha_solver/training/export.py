"""Write a Keras network as model.keras and model.onnx, and prove that both runtimes give the same answers."""

import contextlib
import importlib.util
import io
import logging
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from captcha_solver.errors import BundleError, SetupError
from captcha_solver.models.bundle import Bundle
from captcha_solver.models.runtimes import KerasRuntime, OnnxRuntime, import_keras, quiet
from captcha_solver.training.calibration import log_softmax
from captcha_solver.types import Batch

TOLERANCE = 1e-4
EXPORTERS = ("tensorflow", "tf2onnx", "onnx")


@dataclass(frozen=True, slots=True)
class Parity:
    """How far two runtimes are apart: images compared, largest difference in probability, other answers."""

    images: int
    max_difference: float
    answers_differ: int


def write_keras(model: Any, path: Path) -> None:
    """``model.keras`` without the optimizer's state: a copy of the network with the same weights."""
    keras = import_keras()
    plain = keras.models.clone_model(model)
    plain.set_weights(model.get_weights())
    temporary = path.with_name(f".part-{path.name}")
    plain.save(temporary)
    temporary.replace(path)


def write_onnx(keras_path: Path, path: Path) -> None:
    """``model.onnx`` from ``model.keras``, batch and width left free.

    TensorFlow exports, whichever backend trained: the exporters of the others fix the width. A process holds
    one backend only, so that another backend's export runs in a process of its own.
    """
    missing = [name for name in EXPORTERS if importlib.util.find_spec(name) is None]
    if missing:
        raise SetupError(f"an ONNX export needs {', '.join(missing)}: pip install 'captcha-solver[train]'")
    temporary = path.with_name(f".part-{path.name}")
    if import_keras().backend.backend() == "tensorflow":
        export(keras_path, temporary)
    else:
        _export_elsewhere(keras_path, temporary)
    temporary.replace(path)


def export(keras_path: Path, onnx_path: Path) -> None:
    """Export a saved network; the backend must be TensorFlow."""
    model = import_keras().saving.load_model(keras_path, compile=False, safe_mode=True)
    shape = [2 if i == 0 else (d or 64) for i, d in enumerate(model.input_shape)]
    with _silence():
        model(np.zeros(shape, np.float32), training=False)  # an export needs one call before it
        model.export(str(onnx_path), format="onnx", verbose=False)


def _export_elsewhere(keras_path: Path, onnx_path: Path) -> None:
    command = [sys.executable, "-m", "captcha_solver.training.export", str(keras_path), str(onnx_path)]
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise SetupError(f"the ONNX export of {keras_path} by TensorFlow failed: {last}")


def check_parity(bundle: Bundle, batches: Sequence[Batch]) -> Parity:
    """Score ``batches`` (each (N, H, W, C) float32 0-1) in both runtimes; ``BundleError`` unless equal."""
    onnx, keras = OnnxRuntime(bundle), KerasRuntime(bundle)
    images, worst, differ = 0, 0.0, 0
    for batch in batches:
        a, b = onnx.run(batch), keras.run(batch)
        if a.shape != b.shape:
            raise BundleError(
                f"ONNX and Keras disagree: expected logits {b.shape} for {batch.shape}, received {a.shape}"
            )
        images += len(batch)
        worst = max(worst, float(np.abs(np.exp(log_softmax(a)) - np.exp(log_softmax(b))).max(initial=0.0)))
        differ += int(_answers_differ(a, b).sum())
    if worst > TOLERANCE or differ or not np.isfinite(worst):
        raise BundleError(
            f"ONNX and Keras disagree in {bundle.path}: expected probabilities within {TOLERANCE} and equal "
            f"answers, received {worst:.2e} and {differ} of {images} answers that differ"
        )
    return Parity(images, worst, differ)


def _answers_differ(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.bool_]:
    """(N,) whether the greedy paths differ; logits (N, T, C) or (N, C)."""
    different = a.argmax(-1) != b.argmax(-1)
    answers: NDArray[np.bool_] = different.reshape(len(a), -1).any(axis=1)
    return answers


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keep the exporters' chatter off the terminal; errors still raise."""
    loggers = [logging.getLogger(name) for name in ("tf2onnx", "tensorflow", "absl", "torch.onnx")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with quiet(), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


if __name__ == "__main__":
    export(Path(sys.argv[1]), Path(sys.argv[2]))
