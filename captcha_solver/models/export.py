"""Write a Keras network as model.keras and as model.onnx, batch and width left free.

Tested in ``tests/training/finishing/test_int8.py``.
"""

import contextlib
import importlib.util
import io
import logging
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from captcha_solver.errors import SetupError
from captcha_solver.files import whole_file
from captcha_solver.models.compact import pack_keras, pack_onnx
from captcha_solver.models.runtimes import import_keras
from captcha_solver.quiet import silent

EXPORTERS = ("tensorflow", "tf2onnx", "onnx")


def write_keras(model: Any, path: Path) -> None:
    """``model.keras`` without the optimizer's state: the same network, never compiled, with the same weights."""
    plain = type(model).from_config(model.get_config())
    plain.set_weights(model.get_weights())
    with whole_file(path) as unfinished:
        plain.save(unfinished)
        pack_keras(unfinished)


def write_onnx(keras_path: Path, path: Path, weights: Sequence[NDArray[np.float32]]) -> None:
    """``model.onnx`` from ``model.keras``, whose arrays are ``weights``; batch and width left free.

    TensorFlow exports, whichever backend trained: the exporters of the others fix the width. A process holds
    one backend only, so that another backend's export runs in a process of its own.
    """
    require_exporters(*EXPORTERS)
    with whole_file(path) as unfinished:
        if import_keras().backend.backend() == "tensorflow":
            export(keras_path, unfinished)
        else:
            _export_elsewhere(keras_path, unfinished)
        pack_onnx(unfinished, weights)


def require_exporters(*names: str) -> None:
    """``SetupError`` that names those of the packages that are not installed."""
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        raise SetupError(f"an ONNX export needs {', '.join(missing)}: pip install 'captcha-solver[train]'")


def export(keras_path: Path, onnx_path: Path) -> None:
    """Export a saved network; the backend must be TensorFlow."""
    model = import_keras().saving.load_model(keras_path, compile=False, safe_mode=True)
    shape = [2 if i == 0 else (d or 64) for i, d in enumerate(model.input_shape)]
    with _silence():
        model(np.zeros(shape, np.float32), training=False)  # an export needs one call before it
        model.export(str(onnx_path), format="onnx", verbose=False)


def _export_elsewhere(keras_path: Path, onnx_path: Path) -> None:
    command = [sys.executable, "-m", "captcha_solver.models.export", str(keras_path), str(onnx_path)]
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise SetupError(f"the ONNX export of {keras_path} by TensorFlow failed: {last}")


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keep the exporters' chatter off the terminal; errors still raise."""
    loggers = [logging.getLogger(name) for name in ("tf2onnx", "tensorflow", "absl", "torch.onnx")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with silent(), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


if __name__ == "__main__":
    export(Path(sys.argv[1]), Path(sys.argv[2]))
