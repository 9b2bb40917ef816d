"""The network alone: its arithmetic, the share of the core's peak that it reaches, and how its time grows.

Tested in ``tests/benchmarks/speed/test_measure.py``.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.speed.clock import median_s
from captcha_solver.charset import Charset
from captcha_solver.decoding.decode import FREE, decode_all
from captcha_solver.models.bundle import Bundle, load_bundle, shipped_bundles
from captcha_solver.models.runtimes import Int8Runtime, OnnxRuntime
from captcha_solver.types import Scores

WIDTHS = (64, 112, 160, 240, 320, 480)
BATCHES = (1, 4, 16, 64)
CLASSES = (10, 62, 500, 3000)
WIDTH = 112  # four characters at 160x60
GEMM = 768


@dataclass(frozen=True, slots=True)
class Load:
    """One shape (batch, height, width) of one network: arithmetic an image, time an image, share of the peak."""

    what: str
    batch: int
    width: int
    classes: int
    mflop: float
    ms: float
    of_peak: float
    text_ms: float | None = None


def peak_gflops(passes: int) -> float:
    """What one core reaches: the best of a single-precision matrix product of NumPy's BLAS, in GFLOP/s."""
    rng = np.random.default_rng(0)
    a, b = rng.random((GEMM, GEMM), np.float32), rng.random((GEMM, GEMM), np.float32)
    return 2 * GEMM**3 / median_s(lambda: a @ b, passes) / 1e9


def mflop(onnx_path: Path, shape: tuple[int, ...]) -> float:
    """Millions of floating-point operations (a multiply-add is two) of the convolutions and products for one input."""
    import onnx
    import onnxruntime

    model = onnx.load(str(onnx_path))
    known = {tensor.name: list(tensor.dims) for tensor in model.graph.initializer}
    nodes = [node for node in model.graph.node if node.op_type in ("Conv", "MatMul", "Gemm")]
    wanted = {name for node in nodes for name in (*node.input[:2], node.output[0])} - set(known)
    wanted -= {value.name for value in (*model.graph.input, *model.graph.output)}
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in sorted(wanted))
    options = onnxruntime.SessionOptions()  # as it is written: no product is folded into another
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    found = session.run(None, {session.get_inputs()[0].name: np.zeros(shape, np.float32)})
    known |= {output.name: list(array.shape) for output, array in zip(session.get_outputs(), found, strict=True)}
    known[session.get_inputs()[0].name] = list(shape)
    total = 0.0
    for node in nodes:
        second = known[node.input[1]]
        if node.op_type == "Conv":
            inner = float(np.prod(second[1:]))
        else:
            turned = any(each.name == "transB" and each.i for each in node.attribute)
            inner = second[-1 if turned else -2]
        total += 2 * float(np.prod(known[node.output[0]])) * inner
    return total / shape[0] / 1e6


def growth(passes: int) -> list[Load]:
    """The shipped sliding network by width and by batch, on each runtime that it has; untrained ones by classes."""
    bundle = load_bundle(shipped_bundles()["sliding"])
    peak = peak_gflops(passes)
    runtimes = [OnnxRuntime(bundle), *([Int8Runtime(bundle)] if bundle.int8_path else [])]
    strip_px = int(bundle.settings["strip_px"])
    rows = []
    for runtime in runtimes:
        shapes = [("width", 16, width) for width in WIDTHS] + [("batch", batch, WIDTH) for batch in BATCHES]
        for what, batch, width in shapes:
            shape = (batch, strip_px, width, 3)
            rows.append(_load(f"{runtime.name}, by {what}", runtime, (bundle, shape), (peak, passes)))
    return [*rows, *_by_classes(strip_px, peak, passes)]


def _load(what: str, runtime: OnnxRuntime, network: tuple[Bundle, tuple[int, ...]], how: tuple[float, int]) -> Load:
    (bundle, shape), (peak, passes) = network, how
    pixels = np.random.default_rng(0).random(shape, np.float32)
    ms = 1e3 * median_s(lambda: runtime.run(pixels), passes) / shape[0]
    amount = mflop(bundle.onnx_path, (1, *shape[1:]))
    return Load(what, shape[0], shape[2], bundle.charset.classes - 1, amount, ms, amount / ms / peak)


def _by_classes(strip_px: int, peak: float, passes: int) -> list[Load]:
    """Untrained networks of the shipped shape for alphabets of other sizes, with what their decoding costs."""
    from captcha_solver.models.runtimes import import_keras
    from captcha_solver.models.save import save_bundle
    from captcha_solver.models.sliding import build_sliding

    import_keras()  # quietly, before anything else does
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for count in CLASSES:
            charset = Charset("".join(chr(0x4E00 + i) for i in range(count)))
            bundle = save_bundle(
                build_sliding(strip_px, charset.classes),
                Path(scratch) / str(count),
                kind="sliding",
                charset=charset,
                settings={"strip_px": strip_px},
                temperature=1.0,
                card={},
            )
            runtime, shape = OnnxRuntime(bundle), (16, strip_px, WIDTH, 3)
            row = _load("onnx, by classes", runtime, (bundle, shape), (peak, passes))
            logits = runtime.run(np.random.default_rng(0).random(shape, np.float32))
            spans = np.zeros((logits.shape[1], 2), np.float32)
            scores = [Scores(rows_, spans, collapse=True) for rows_ in logits]
            text_s = median_s(partial(decode_all, scores, charset, FREE), passes)
            rows.append(Load(row.what, 16, WIDTH, count, row.mflop, row.ms, row.of_peak, 1e3 * text_s / 16))
    return rows


def table(rows: Sequence[Load], peak: float) -> str:
    """A Markdown table."""
    lines = [
        f"One core's peak, by a product of two {GEMM}x{GEMM} matrices: {peak:.1f} GFLOP/s",
        "",
        "| network | batch | width, px | classes | MFLOP an image | ms an image | of the peak | text, ms an image |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        text = "" if row.text_ms is None else f"{row.text_ms:.3f}"
        lines.append(
            f"| {row.what} | {row.batch} | {row.width} | {row.classes} | {row.mflop:.1f} | {row.ms:.3f} | "
            f"{row.of_peak:.0%} | {text} |".replace("%", " %")
        )
    return "\n".join(lines)
