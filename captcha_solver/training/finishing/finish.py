"""Makes a bundle of a trained network: temperature, exports, parity check, card.

Tested in ``tests/training/test_loop.py``.
"""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from captcha_solver.models.bundle import MANIFEST, Bundle
from captcha_solver.models.compact import round_kernels
from captcha_solver.models.save import amend_bundle, save_bundle
from captcha_solver.training.checkpoint import remove_checkpoint
from captcha_solver.training.finishing.calibration import calibrate
from captcha_solver.training.finishing.card import training_card
from captcha_solver.training.finishing.int8 import add_int8
from captcha_solver.training.finishing.parity import check_parity
from captcha_solver.training.learner import predict

if TYPE_CHECKING:
    from captcha_solver.training.task import Settled, Task


def finish(
    task: "Task",
    out: Path,
    model: Any,
    *,
    report: Mapping[str, Any],
    settled: "Settled | None" = None,
    int8: bool = True,
) -> Bundle:
    """Round the kernels to what is stored, calibrate on held-out images, export, check, quantise, write the card."""
    from captcha_solver.training.task import as_float

    round_kernels(model)
    heldout = [(as_float(x), y) for x, y in task.heldout()]
    calibration = settled.calibration if settled else calibrate([(predict(model, x), y) for x, y in heldout])
    entries = {"data": dict(task.data), "training": dict(report), "calibration": asdict(calibration)}
    card = training_card({**entries, **(settled.card if settled else {})})
    bundle = save_bundle(
        model,
        out,
        kind=task.kind,
        charset=task.charset,
        settings=task.settings,
        temperature=calibration.temperature,
        card=card,
    )
    try:
        parity = check_parity(bundle, [x for x, _ in heldout])
    except Exception:
        (out / MANIFEST).unlink(missing_ok=True)  # a bundle whose runtimes disagree is none
        raise
    bundle = amend_bundle(bundle, card={"parity": asdict(parity)})
    if int8 and task.kind == "sliding":  # of the segmented route's time the network is the smaller part
        bundle = add_int8(task, bundle, heldout)
    remove_checkpoint(out)
    return bundle
