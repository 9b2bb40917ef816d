"""Runtimes: they give the logits of a batch; what cannot be run says so in one line."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from captcha_solver.charset import Charset
from captcha_solver.errors import BundleError, OptionError
from captcha_solver.models.bundle import Bundle
from captcha_solver.models.runtimes import RUNTIMES, OnnxRuntime, load_runtime


def bundle_at(path: Path) -> Bundle:
    return Bundle(path, "sliding", Charset("ab"), {}, 1.0, {}, "0" * 64)


@pytest.fixture
def doubling(tmp_path: Path) -> Bundle:
    """A network whose logits (N, W, 3) are twice the mean over the rows of (N, 4, W, 3)."""
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 4, "w", 3])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", "w", 3])
    two = helper.make_tensor("two", TensorProto.FLOAT, [], [2.0])
    nodes = [
        helper.make_node("ReduceMean", ["image", "axes"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "two"], ["logits"]),
    ]
    axes = helper.make_tensor("axes", TensorProto.INT64, [1], [1])
    graph = helper.make_graph(nodes, "doubling", [image], [logits], [two, axes])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, str(tmp_path / "model.onnx"))
    return bundle_at(tmp_path)


@pytest.mark.parametrize("shape", [(1, 4, 8, 3), (5, 4, 8, 3), (2, 4, 24, 3), (0, 4, 8, 3)])
def test_onnx_takes_any_batch_and_width(doubling: Bundle, shape: tuple[int, ...]) -> None:
    batch = np.random.default_rng(0).random(shape, np.float32)
    logits = load_runtime(doubling, "onnx").run(batch)
    assert logits.dtype == np.float32
    np.testing.assert_allclose(logits, 2 * batch.mean(axis=1), atol=1e-6)


def test_onnx_takes_a_view_that_is_not_contiguous(doubling: Bundle) -> None:
    batch = np.random.default_rng(0).random((2, 4, 16, 3), np.float32)[:, :, ::2]
    np.testing.assert_allclose(OnnxRuntime(doubling).run(batch), 2 * batch.mean(axis=1), atol=1e-6)


def test_an_unknown_runtime_lists_those_there_are(doubling: Bundle) -> None:
    with pytest.raises(OptionError, match="auto, onnx, int8, keras, received 'torch'"):
        load_runtime(doubling, "torch")


@pytest.mark.parametrize("data", [b"", b"not a network", b"\x08\x01\x12"])
@pytest.mark.parametrize("name", sorted(RUNTIMES))
def test_a_file_that_is_no_network_is_refused_in_one_line(tmp_path: Path, name: str, data: bytes) -> None:
    for file in ("model.onnx", "model.int8.onnx", "model.keras"):
        (tmp_path / file).write_bytes(data)
    bundle = replace(bundle_at(tmp_path), files=frozenset({"model.int8.onnx"}))
    with pytest.raises(BundleError, match=r"expected an? \w+ network in .*received:") as caught:
        load_runtime(bundle, name)
    assert "\n" not in str(caught.value)
