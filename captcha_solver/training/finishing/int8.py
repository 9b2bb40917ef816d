"""Give a bundle a network in 8-bit integers, where that one reads the held-out images as well."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from captcha_solver.models.bundle import INT8_FILE, Bundle
from captcha_solver.models.quantise import write_int8
from captcha_solver.models.runtimes import Int8Runtime, OnnxRuntime, Runtime
from captcha_solver.models.save import amend_bundle
from captcha_solver.types import Batch

if TYPE_CHECKING:
    from captcha_solver.training.task import Pair, Task

MAY_DROP = 0.002  # of the images of ``task.proof()``
SHOWN_WIDTH_PX = 160  # of the strips that show the ranges: the quantiser wants one shape

Labelled = tuple[Batch, NDArray[np.int32]]


def add_int8(task: "Task", bundle: Bundle, heldout: Sequence[Labelled]) -> Bundle:
    """Quantise, score both networks on the task's proof, and keep the int8 one if it loses at most ``MAY_DROP``.

    ``heldout`` shows the ranges of the activations. Both counts, and what chance may hide of the difference, go onto
    the card.
    """
    path = bundle.path / INT8_FILE
    write_int8(bundle.onnx_path, path, [_one_width(images) for images, _ in heldout])
    bundle = amend_bundle(bundle)
    proof = task.proof()
    before, after = (_right(task, runtime, proof) for runtime in (OnnxRuntime(bundle), Int8Runtime(bundle)))
    drop = int(before.sum() - after.sum()) / max(1, len(before))
    kept = drop <= MAY_DROP
    if not kept:
        path.unlink()
    figures = {
        "kept": kept,
        "images": len(before),
        "accuracy_fp32": float(before.mean()),
        "accuracy_int8": float(after.mean()),
        "drop_ci95": list(interval_of_drop(before, after)),
        "may_drop": MAY_DROP,
    }
    return amend_bundle(bundle, card={"int8": figures})


def interval_of_drop(before: NDArray[np.bool_], after: NDArray[np.bool_]) -> tuple[float, float]:
    """The 95 % interval of the drop in accuracy from ``before`` to ``after``, (N,) each: which are read correctly.

    The images are the same, so only those count that one network reads and the other does not (McNemar 1947).
    """
    lost, won = int((before & ~after).sum()), int((after & ~before).sum())
    chance = 1.96 * float(np.sqrt(lost + won))
    return (lost - won - chance) / max(1, len(before)), (lost - won + chance) / max(1, len(before))


def _one_width(images: Batch) -> Batch:
    """Strips (N, S, W, C) cut, or padded with their last column, to ``SHOWN_WIDTH_PX``."""
    missing = max(0, SHOWN_WIDTH_PX - images.shape[2])
    return np.pad(images[:, :, :SHOWN_WIDTH_PX], ((0, 0), (0, 0), (0, missing), (0, 0)), mode="edge")


def _right(task: "Task", runtime: Runtime, proof: "Sequence[Pair]") -> NDArray[np.bool_]:
    """Which of the images are read correctly, (N,)."""
    from captcha_solver.training.task import as_float

    return np.concatenate([_right_of(task, runtime.run(as_float(images)), labels) for images, labels in proof])


def _right_of(task: "Task", logits: Batch, labels: NDArray[np.int32]) -> NDArray[np.bool_]:
    rows = range(len(labels))
    return np.array([task.accuracy(logits[row : row + 1], labels[row : row + 1]) > 0.5 for row in rows])
