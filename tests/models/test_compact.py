"""Smaller files of the same network: what is stored, and what it computes."""

import zipfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from captcha_solver.models.compact import pack_keras, pack_onnx, round_kernels


class Weights:
    """A model that is nothing but its weights."""

    def __init__(self, *arrays: np.ndarray) -> None:
        self.arrays = list(arrays)

    def get_weights(self) -> list[np.ndarray]:
        return self.arrays

    def set_weights(self, arrays: list[np.ndarray]) -> None:
        self.arrays = arrays


def test_kernels_are_rounded_and_biases_are_not() -> None:
    third = np.float32(1 / 3)
    model = Weights(np.full((2, 2), third), np.full(2, third))
    round_kernels(model)
    kernel, bias = model.arrays
    assert kernel.dtype == np.float32
    assert kernel[0, 0] == np.float32(np.float16(third)) != third
    assert bias[0] == third


def test_a_zip_is_packed_and_holds_what_it_held(tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(zipfile.ZipInfo("weights", (1980, 1, 1, 0, 0, 0)), bytes(100_000))
    pack_keras(path)
    packed = path.read_bytes()
    assert len(packed) < 1000
    with zipfile.ZipFile(path) as archive:
        assert archive.read("weights") == bytes(100_000)
    pack_keras(path)
    assert path.read_bytes() == packed


def convolution(kernel: np.ndarray, path: Path) -> None:
    """An ONNX network of one convolution without padding; ``kernel`` (out, in, h, w)."""
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "kernel"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, kernel.shape[1], 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, len(kernel), 6, 6])],
        [numpy_helper.from_array(kernel, "kernel")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def answer(path: Path, x: np.ndarray) -> np.ndarray:
    (y,) = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, {"x": x})
    return np.asarray(y)


def test_folded_kernels_are_stored_in_half_the_room_and_nothing_is_lost(tmp_path: Path) -> None:
    path, rng = tmp_path / "model.onnx", np.random.default_rng(0)
    kernel = rng.normal(size=(3, 3, 16, 32)).astype(np.float16).astype(np.float32)  # as Keras orders it
    kernel[..., 5] = 0
    factor = 10 ** rng.uniform(-3, 3, 32).astype(np.float32)  # channels of very different sizes
    convolution(np.ascontiguousarray((kernel * factor).transpose(3, 2, 0, 1)), path)
    x, size = rng.normal(size=(1, 16, 8, 8)).astype(np.float32), path.stat().st_size
    before = answer(path, x)
    pack_onnx(path, [np.zeros(4, np.float32), kernel])
    assert path.stat().st_size < 0.6 * size
    largest = np.abs(before).max(axis=(0, 2, 3), keepdims=True)
    assert (np.abs(answer(path, x) - before) <= 1e-5 * largest).all()


@pytest.mark.parametrize("off", [1e-4, 1e-3])
def test_kernels_that_float16_does_not_hold_stay_as_they_are(tmp_path: Path, off: float) -> None:
    path, rng = tmp_path / "model.onnx", np.random.default_rng(0)
    kernel = rng.normal(size=(3, 3, 16, 32)).astype(np.float16).astype(np.float32)
    other = kernel + np.float32(off)
    convolution(np.ascontiguousarray(other.transpose(3, 2, 0, 1)), path)
    before = numpy_helper.to_array(onnx.load(path).graph.initializer[0])
    for weights in ([kernel], [other], []):  # another network's, or one that was never rounded
        pack_onnx(path, weights)
        (kept,) = onnx.load(path).graph.initializer
        assert np.array_equal(numpy_helper.to_array(kept), before)
