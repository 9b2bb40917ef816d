"""Write a Keras network as model.keras and model.onnx, and prove that both runtimes give the same answers."""

import contextlib
import io
import logging
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
ONNX_PACKAGES = {"tensorflow": ("tf2onnx", "onnx"), "torch": ("onnx",), "jax": ("jax2onnx", "onnx")}


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


def write_onnx(model: Any, path: Path) -> None:
    """``model.onnx`` with batch and width left free."""
    keras = import_keras()
    backend = keras.backend.backend()
    _require(backend)
    temporary = path.with_name(f".part-{path.name}")
    shape = [2 if i == 0 else (d or 64) for i, d in enumerate(model.input_shape)]
    model(np.zeros(shape, np.float32), training=False)  # an export needs one call before it
    with _silence():
        model.export(str(temporary), format="onnx", verbose=False)
    temporary.replace(path)


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


def _require(backend: str) -> None:
    import importlib.util

    if backend not in ONNX_PACKAGES:
        raise SetupError(
            f"expected KERAS_BACKEND out of {', '.join(ONNX_PACKAGES)} for an export, received {backend}"
        )
    missing = [name for name in ONNX_PACKAGES[backend] if importlib.util.find_spec(name) is None]
    if missing:
        raise SetupError(
            f"an ONNX export from {backend} needs {', '.join(missing)}: pip install {' '.join(missing)}"
        )


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
