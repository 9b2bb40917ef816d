"""Give a bundle a network in 8-bit integers, where that one reads the held-out images as well."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from captcha_solver.models.bundle import INT8_FILE, Bundle, amend_bundle
from captcha_solver.models.quantise import write_int8
from captcha_solver.models.runtimes import Int8Runtime, OnnxRuntime, Runtime
from captcha_solver.types import Batch

if TYPE_CHECKING:
    from captcha_solver.training.loop import Task

MAY_DROP = 0.002  # of the held-out images
SHOWN_WIDTH_PX = 160  # of the strips that show the ranges: the quantiser wants one shape

Labelled = tuple[Batch, NDArray[np.int32]]


def add_int8(task: "Task", bundle: Bundle, heldout: Sequence[Labelled]) -> Bundle:
    """Quantise, score both networks on ``heldout``, and keep the int8 one if it loses at most ``MAY_DROP``."""
    path = bundle.path / INT8_FILE
    write_int8(bundle.onnx_path, path, [_one_width(images) for images, _ in heldout])
    bundle = amend_bundle(bundle)
    before, after = (_accuracy(task, runtime, heldout) for runtime in (OnnxRuntime(bundle), Int8Runtime(bundle)))
    kept = before - after <= MAY_DROP
    if not kept:
        path.unlink()
    figures = {
        "kept": kept,
        "images": sum(len(images) for images, _ in heldout),
        "accuracy_fp32": before,
        "accuracy_int8": after,
        "may_drop": MAY_DROP,
    }
    return amend_bundle(bundle, card={"int8": figures})


def _one_width(images: Batch) -> Batch:
    """Strips (N, S, W, C) cut, or padded with their last column, to ``SHOWN_WIDTH_PX``."""
    missing = max(0, SHOWN_WIDTH_PX - images.shape[2])
    return np.pad(images[:, :, :SHOWN_WIDTH_PX], ((0, 0), (0, 0), (0, missing), (0, 0)), mode="edge")


def _accuracy(task: "Task", runtime: Runtime, heldout: Sequence[Labelled]) -> float:
    right = sum(len(images) * task.accuracy(runtime.run(images), labels) for images, labels in heldout)
    return right / max(1, sum(len(images) for images, _ in heldout))
