"""Smaller files of the same network: what is stored, and what it computes."""

import zipfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
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


def test_an_onnx_network_of_half_the_size_gives_the_same_to_a_ten_thousandth(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    rng = np.random.default_rng(0)
    kernel = rng.normal(size=(64, 64)).astype(np.float32)
    kernel[3] = 0  # a row without a scale of its own
    bias = rng.normal(size=64).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["kernel", "x"], ["y"]), helper.make_node("Add", ["y", "bias"], ["z"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [64])],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, [64])],
        [numpy_helper.from_array(kernel, "kernel"), numpy_helper.from_array(bias, "bias")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    before = path.stat().st_size
    pack_onnx(path)
    assert path.stat().st_size < 0.6 * before
    x = rng.normal(size=64).astype(np.float32)
    (z,) = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, {"x": x})
    expected = kernel @ x + bias
    np.testing.assert_allclose(z, expected, atol=1e-4 * np.abs(expected).max())
    assert z[3] == bias[3]
