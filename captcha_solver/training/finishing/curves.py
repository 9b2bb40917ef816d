"""Draws a training's curves as PNG: loss, held-out accuracy and learning rate.

Tested in ``tests/training/test_loop.py``.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from captcha_solver.files import whole_file

PANELS = {"loss": "loss", "accuracy": "held-out accuracy", "learning_rate": "learning rate"}


def draw_curves(history: Sequence[Mapping[str, float]], path: Path) -> None:
    """Write ``path`` from rows with ``step`` and any of ``loss``, ``accuracy``, ``learning_rate``."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 8), layout="constrained")
    axes = figure.subplots(len(PANELS), 1, sharex=True)
    for axis, (key, title) in zip(axes, PANELS.items(), strict=True):
        rows = [row for row in history if key in row]
        axis.plot([row["step"] for row in rows], [row[key] for row in rows], linewidth=1)
        axis.set_ylabel(title)
        axis.grid(alpha=0.3)
    axes[0].set_yscale("log")
    axes[1].set_ylim(0, 1)
    axes[-1].set_xlabel("step")
    with whole_file(path) as unfinished:
        figure.savefig(unfinished, dpi=100, format="png")
