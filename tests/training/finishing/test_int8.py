"""The network in 8-bit integers: nearly the same answers, and kept only where they are as good."""

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from captcha_solver import load_solver
from captcha_solver.designs.drawing.draw import draw_batch
from captcha_solver.designs.load import load_design
from captcha_solver.errors import BundleError
from captcha_solver.image import encode_png
from captcha_solver.models.bundle import MANIFEST, Bundle, load_bundle, shipped_bundles
from captcha_solver.models.runtimes import Int8Runtime, OnnxRuntime, load_runtime
from captcha_solver.sliding.strip import SlideSettings
from captcha_solver.training.finishing import int8
from captcha_solver.training.sources import Mixture, parse_source
from captcha_solver.training.task import as_float
from captcha_solver.training.tasks.sliding import MakeStrips, SlidingTask


def fp32_alone(folder: Path) -> Bundle:
    """A copy of the shipped sliding bundle without its int8 network."""
    copied = folder / "sliding"
    shutil.copytree(shipped_bundles()["sliding"], copied)
    (copied / "model.int8.onnx").unlink(missing_ok=True)
    manifest = json.loads((copied / MANIFEST).read_text(encoding="utf-8"))
    manifest["files"].pop("model.int8.onnx", None)
    (copied / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    return load_bundle(copied)


def task() -> SlidingTask:
    bundle = load_bundle(shipped_bundles()["sliding"])
    mixture = Mixture((parse_source("plain"), parse_source("note")), bundle.charset, None)
    return SlidingTask(mixture, SlideSettings(), 32, 0, heldout_images=192)


def labelled(made: SlidingTask) -> list[tuple[NDArray[np.float32], NDArray[np.int32]]]:
    return [(as_float(x), y) for x, y in made.heldout()]


@pytest.mark.slow
def test_a_quantised_network_answers_nearly_as_the_other_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(int8, "MAY_DROP", 0.05)  # of few images: the shipped limit needs more to be told from chance
    made = task()
    bundle = int8.add_int8(made, fp32_alone(tmp_path), labelled(made))
    figures = bundle.card["int8"]
    assert figures["kept"]
    assert figures["images"] == 4 * 192
    assert figures["accuracy_int8"] > figures["accuracy_fp32"] - 0.05 > 0.5
    assert bundle.int8_path is not None
    weights = sum(int(np.prod(tensor.dims)) for tensor in onnx.load(bundle.onnx_path).graph.initializer)
    assert bundle.int8_path.stat().st_size < 0.5 * 4 * weights, "less than half of what float32 takes"
    nodes = onnx.load(bundle.int8_path).graph.node
    kernels = [node.input[1] for node in nodes if node.op_type == "Gemm"]
    assert kernels, "the shipped network has attention"
    assert not any("DequantizeLinear" in name for name in kernels), "whose kernels stay in float"
    convolutions = ["DequantizeLinear" in node.input[1] for node in nodes if node.op_type == "Conv"]
    assert convolutions.count(False) == 6, "the first, two gates of two and the logits stay in float"
    assert not convolutions[0]
    assert convolutions.count(True) == 15
    assert load_runtime(bundle).name == "int8"
    assert load_runtime(bundle, "onnx").name == "onnx"
    batch = labelled(made)[0][0]
    same = OnnxRuntime(bundle).run(batch).argmax(-1) == Int8Runtime(bundle).run(batch).argmax(-1)
    assert same.mean() > 0.95
    assert (OnnxRuntime(bundle).run(batch) != Int8Runtime(bundle).run(batch)).any()


def test_a_network_that_reads_worse_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = fp32_alone(tmp_path)
    before = set(bundle.path.iterdir())
    monkeypatch.setattr(int8, "write_int8", lambda onnx, path, batches: shutil.copy(onnx, path))
    answers = iter([np.arange(1000) < 900, np.arange(1000) < 897])
    monkeypatch.setattr(int8, "_right", lambda *_: next(answers))
    bundle = int8.add_int8(task(), bundle, [(np.zeros((2, 40, 64, 3), np.float32), np.zeros((2, 4), np.int32))])
    assert bundle.card["int8"]["kept"] is False
    assert bundle.int8_path is None
    assert set(bundle.path.iterdir()) == before
    assert load_runtime(load_bundle(bundle.path)).name == "onnx"
    with pytest.raises(BundleError, match="has no int8 network; use the runtime onnx"):
        load_runtime(bundle, "int8")


def test_a_small_drop_is_told_with_what_chance_may_hide_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = np.arange(1000) < 900
    after = before.copy()
    assert int8.interval_of_drop(before, after) == (0, 0)
    after[[0, 950]] = True, True
    after[[1, 2, 3]] = False
    assert int8.interval_of_drop(before, after) == pytest.approx(((2 - 3.92) / 1000, (2 + 3.92) / 1000))
    monkeypatch.setattr(int8, "write_int8", lambda onnx, path, batches: shutil.copy(onnx, path))
    answers = iter([before, after])
    monkeypatch.setattr(int8, "_right", lambda *_: next(answers))
    bundle = int8.add_int8(task(), fp32_alone(tmp_path), labelled(task())[:1])
    assert bundle.card["int8"]["kept"], "two of a thousand are as many as it may lose"
    assert bundle.card["int8"]["drop_ci95"] == pytest.approx([-0.00192, 0.00592])


def test_a_changed_byte_in_the_int8_network_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(int8, "write_int8", lambda onnx, path, batches: shutil.copy(onnx, path))
    monkeypatch.setattr(int8, "_right", lambda *_: np.ones(1, bool))
    bundle = int8.add_int8(
        task(), fp32_alone(tmp_path), [(np.zeros((1, 40, 64, 3), np.float32), np.zeros((1, 4), np.int32))]
    )
    assert bundle.int8_path is not None
    data = bytearray(bundle.int8_path.read_bytes())
    data[1000] ^= 1
    bundle.int8_path.write_bytes(bytes(data))
    with pytest.raises(BundleError, match=r"model\.int8\.onnx of bundle .* has changed"):
        load_bundle(bundle.path)


@pytest.mark.skipif(
    load_bundle(shipped_bundles()["sliding"]).int8_path is None, reason="no int8 network is shipped: see its card"
)
def test_the_shipped_int8_network_solves_as_many() -> None:
    drawings = [
        d for name in ("plain", "note") for d in draw_batch(load_design(name), [None] * 150, np.random.default_rng(77))
    ]
    images = [encode_png(drawing.image) for drawing in drawings]
    solved = {}
    for runtime in ("onnx", "int8"):
        solutions = load_solver("sliding", runtime=runtime).solve_batch(images)
        solved[runtime] = sum(s.text.lower() == d.text.lower() for s, d in zip(solutions, drawings, strict=True))
    assert solved["onnx"] > 200
    assert solved["int8"] >= solved["onnx"] - 6


def test_strips_that_show_the_ranges_are_of_one_width() -> None:
    made = MakeStrips(task().mixture, SlideSettings(), 8, 2)(np.random.default_rng(0))
    widths = {int8._one_width(x.astype(np.float32)).shape for x, _ in made}
    assert widths == {(8, 40, int8.SHOWN_WIDTH_PX, 3)}
