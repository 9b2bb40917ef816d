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
SURE_Z = 1.645  # of a normal: one-sided 95 %
SHOWN_WIDTH_PX = 160  # of the strips that show the ranges: the quantiser wants one shape

Labelled = tuple[Batch, NDArray[np.int32]]


def add_int8(task: "Task", bundle: Bundle, heldout: Sequence[Labelled]) -> Bundle:
    """Quantise, score both networks on ``heldout``, and keep the int8 one if it surely loses at most ``MAY_DROP``."""
    path = bundle.path / INT8_FILE
    write_int8(bundle.onnx_path, path, [_one_width(images) for images, _ in heldout])
    bundle = amend_bundle(bundle)
    before, after = (_right(task, runtime, heldout) for runtime in (OnnxRuntime(bundle), Int8Runtime(bundle)))
    highest = highest_drop(before, after)
    kept = highest <= MAY_DROP
    if not kept:
        path.unlink()
    figures = {
        "kept": kept,
        "images": len(before),
        "accuracy_fp32": float(before.mean()),
        "accuracy_int8": float(after.mean()),
        "drop_at_most": highest,
        "may_drop": MAY_DROP,
    }
    return amend_bundle(bundle, card={"int8": figures})


def highest_drop(before: NDArray[np.bool_], after: NDArray[np.bool_]) -> float:
    """The 95 % upper bound of the drop in accuracy from ``before`` to ``after``, (N,) each: which are read right.

    The images are the same, so only those count that one network reads and the other does not (McNemar 1947).
    """
    lost, won = int((before & ~after).sum()), int((after & ~before).sum())
    return (lost - won + SURE_Z * float(np.sqrt(lost + won))) / max(1, len(before))


def _one_width(images: Batch) -> Batch:
    """Strips (N, S, W, C) cut, or padded with their last column, to ``SHOWN_WIDTH_PX``."""
    missing = max(0, SHOWN_WIDTH_PX - images.shape[2])
    return np.pad(images[:, :, :SHOWN_WIDTH_PX], ((0, 0), (0, 0), (0, missing), (0, 0)), mode="edge")


def _right(task: "Task", runtime: Runtime, heldout: Sequence[Labelled]) -> NDArray[np.bool_]:
    """Which of the images are read right, (N,)."""
    return np.concatenate([_right_of(task, runtime.run(images), labels) for images, labels in heldout])


def _right_of(task: "Task", outputs: Batch, labels: NDArray[np.int32]) -> NDArray[np.bool_]:
    rows = range(len(labels))
    return np.array([task.accuracy(outputs[row : row + 1], labels[row : row + 1]) > 0.5 for row in rows])
