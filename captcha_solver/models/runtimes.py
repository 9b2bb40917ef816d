"""Runs a bundle's network on a float32 batch; the logits are the same whichever runtime does it."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from captcha_solver.errors import BundleError, OptionError, SetupError
from captcha_solver.models.bundle import Bundle
from captcha_solver.quiet import sieve_now, silent
from captcha_solver.types import Batch


class Runtime(Protocol):
    """Anything that turns a batch into logits."""

    @property
    def name(self) -> str:
        """What ``load_runtime`` calls it."""
        ...

    @property
    def device(self) -> str:
        """What computes, for people to read, such as ``onnxruntime CPU``."""
        ...

    def run(self, batch: Batch) -> NDArray[np.float32]:
        """``batch`` (N, H, W, C) float32 0-1 -> logits float32, (N, T, C) sliding or (N, C) glyphs."""
        ...


class OnnxRuntime:
    """``model.onnx`` on ONNX Runtime's CPU provider, one thread unless told: a process a core is faster."""

    name = "onnx"

    def __init__(self, bundle: Bundle, *, threads: int = 1) -> None:
        import onnxruntime

        path = self._network(bundle)

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.log_severity_level = 3  # warnings would reach stderr
        try:
            self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's own exceptions share no root
            raise BundleError(f"expected an ONNX network in {path}, received: {_line(error)}") from error
        self._input = self._session.get_inputs()[0].name

    @staticmethod
    def _network(bundle: Bundle) -> Path:
        return bundle.onnx_path

    @property
    def device(self) -> str:
        return "onnxruntime CPU"

    def run(self, batch: Batch) -> NDArray[np.float32]:
        logits: NDArray[np.float32] = self._session.run(None, {self._input: np.ascontiguousarray(batch)})[0]
        return logits


class Int8Runtime(OnnxRuntime):
    """``model.int8.onnx``: nearly the same logits in about half the time, where the bundle has it."""

    name = "int8"

    @staticmethod
    def _network(bundle: Bundle) -> Path:
        if bundle.int8_path is None:
            raise BundleError(f"bundle {bundle.path} has no int8 network; use the runtime onnx")
        return bundle.int8_path

    @property
    def device(self) -> str:
        return "onnxruntime CPU, int8"


class KerasRuntime:
    """``model.keras`` on Keras and the backend that ``KERAS_BACKEND`` names; the runtime that uses a GPU."""

    name = "keras"

    def __init__(self, bundle: Bundle) -> None:
        self._keras = import_keras()
        self._model = load_keras(bundle)

    @property
    def device(self) -> str:
        return f"keras {self._keras.backend.backend()}"

    def run(self, batch: Batch) -> NDArray[np.float32]:
        return np.asarray(self._model.predict_on_batch(batch), np.float32)


RUNTIMES: dict[str, Callable[[Bundle], Runtime]] = {"onnx": OnnxRuntime, "int8": Int8Runtime, "keras": KerasRuntime}
AUTO = "auto"  # the quickest on a CPU that the bundle has


def load_runtime(bundle: Bundle, name: str = AUTO) -> Runtime:
    """The runtime called ``name``, with the network of ``bundle`` loaded."""
    chosen = runtime_name(bundle, name)
    if chosen not in RUNTIMES:
        raise OptionError(f"expected a runtime out of {', '.join((AUTO, *RUNTIMES))}, received {name!r}")
    return RUNTIMES[chosen](bundle)


def runtime_name(bundle: Bundle, name: str) -> str:
    """``name``, or what ``auto`` stands for with this bundle."""
    if name != AUTO:
        return name
    return "onnx" if bundle.int8_path is None else "int8"


def why_runtime(bundle: Bundle, name: str) -> str:
    """Why ``load_runtime(bundle, name)`` takes the runtime that it takes, for people to read."""
    if name != AUTO:
        return "asked for"
    return "the bundle has no int8 network" if bundle.int8_path is None else "the quickest on a CPU that the bundle has"


def import_keras() -> ModuleType:
    """Keras, its backend loaded without start-up chatter; ``SetupError`` where one is missing.

    In a program of ours (``sieved_stderr``), what it remarks later is left out too.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # AVX2 alone leaves it off, and trains 1.3x slower
    try:
        if "keras" in sys.modules:
            import keras
        else:
            sieve_now()
            with silent():
                import keras
            sieve_now()  # again: Abseil sets its logger up as it is loaded
    except ImportError as error:
        raise SetupError(
            f"Keras or its backend is not installed ({error}): pip install 'captcha-solver[train]', "
            "or set KERAS_BACKEND to an installed one"
        ) from error
    module: ModuleType = keras
    return module


def load_keras(bundle: Bundle) -> Any:
    """The bundle's Keras model, for inference or as a start; safe mode stays on: no code is unpickled."""
    keras = import_keras()
    try:
        return keras.saving.load_model(bundle.keras_path, compile=False, safe_mode=True)
    except Exception as error:  # a broken archive raises anything from KeyError to OSError
        raise BundleError(f"expected a Keras network in {bundle.keras_path}, received: {_line(error)}") from error


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
