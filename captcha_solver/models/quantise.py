"""Writes an ONNX network in 8-bit integers (QDQ), with ranges from sample batches.

Static, per channel, activations unsigned, weights signed and held to 7 bits: on processors without VNNI the products of
8-bit weights overflow their 16-bit sums and the answers break. Ranges leave out the 0.001 % most extreme values.
Only convolutions over more than one pixel are quantised, which take nearly all of the time, and not the first, which
sees the image: gates, sums, attention and the logits stay in float, where 8 bits cost a point of accuracy.
Jacob et al. 2018, "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference".

Tested in ``tests/training/finishing/test_int8.py``.
"""

import contextlib
import io
import logging
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from captcha_solver.models.export import require_exporters
from captcha_solver.types import Batch

KEPT_PERCENTILE = 99.999
QUANTISED = "Conv"
IMAGES_A_BATCH = 16


def write_int8(onnx_path: Path, path: Path, batches: Sequence[Batch]) -> None:
    """Quantise the network of ``onnx_path`` into ``path``; ``batches`` (N, H, W, C) of one shape show its ranges."""
    require_exporters("onnx")
    from onnxruntime import quantization
    from onnxruntime.quantization import shape_inference

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc]  # untyped base
        def __init__(self) -> None:
            self._batches = _named(onnx_path, batches)

        def get_next(self) -> dict[str, Batch] | None:
            return next(self._batches, None)

    with tempfile.TemporaryDirectory() as scratch, _silence():
        folded, written = Path(scratch) / "folded.onnx", Path(scratch) / "int8.onnx"
        shape_inference.quant_pre_process(str(onnx_path), str(folded), skip_symbolic_shape=True)
        quantization.quantize_static(
            str(folded),
            str(written),
            Reader(),
            op_types_to_quantize=[QUANTISED],
            nodes_to_exclude=in_float(folded),
            quant_format=quantization.QuantFormat.QDQ,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            per_channel=True,
            reduce_range=True,
            calibrate_method=quantization.CalibrationMethod.Percentile,
            extra_options={"CalibPercentile": KEPT_PERCENTILE},
        )
        path.write_bytes(written.read_bytes())


def in_float(onnx_path: Path) -> list[str]:
    """Names of the convolutions that stay as they are: the first, and those whose kernels are one pixel."""
    import onnx

    graph = onnx.load(onnx_path).graph
    pixels = {weights.name: int(np.prod(weights.dims[2:])) for weights in graph.initializer}
    convolutions = [node for node in graph.node if node.op_type == QUANTISED]
    return [node.name for place, node in enumerate(convolutions) if place == 0 or pixels.get(node.input[1], 0) <= 1]


def _named(onnx_path: Path, batches: Sequence[Batch]) -> Iterator[dict[str, Batch]]:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(onnx_path), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    for batch in batches:
        for start in range(0, len(batch) - IMAGES_A_BATCH + 1, IMAGES_A_BATCH):
            yield {name: np.ascontiguousarray(batch[start : start + IMAGES_A_BATCH])}


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keep the quantiser's advice off the terminal; errors still raise."""
    root, level = logging.getLogger(), logging.getLogger().level
    root.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        root.setLevel(level)
