"""Keep a training's state on disk: weights, optimizer and counters, in one file replaced atomically.

Tested in ``tests/training/test_loop.py``.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from captcha_solver.errors import BundleError, SetupError
from captcha_solver.files import unfinished_of, whole_file

FOLDER = "checkpoint"
FILE = "last.npz"

Arrays = list[NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a training stands: optimizer steps, draws taken, seconds over all runs, the best so far."""

    step: int = 0
    draw: int = 0
    elapsed_s: float = 0.0
    best_accuracy: float = -1.0
    best_step: int = 0
    stale: int = 0
    history: tuple[Mapping[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class State:
    """Progress and the arrays that go with it, in Keras' order; ``best`` is empty before a validation."""

    progress: Progress
    weights: Arrays
    optimizer: Arrays
    average: Arrays
    best: Arrays = field(default_factory=list)


def save_checkpoint(out: Path, state: State, fingerprint: str) -> None:
    """Write ``OUT/checkpoint/last.npz`` under another name, then rename it: a crash spares the older one."""
    folder = out / FOLDER
    groups = {
        "weights": state.weights,
        "optimizer": state.optimizer,
        "average": state.average,
        "best": state.best,
    }
    arrays = {f"{name}/{i:04d}": np.asarray(a) for name, group in groups.items() for i, a in enumerate(group)}
    header = json.dumps({"fingerprint": fingerprint, "progress": asdict(state.progress)})
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with whole_file(folder / FILE) as unfinished, unfinished.open("wb") as file:
            np.savez(file, header=np.frombuffer(header.encode(), np.uint8), **arrays)  # type: ignore[arg-type]
    except OSError as error:
        raise SetupError(f"expected to write a checkpoint to {folder}, received: {error}") from error


def load_checkpoint(out: Path, fingerprint: str) -> State | None:
    """The state to resume from, ``None`` if there is none; ``BundleError`` if it belongs to other settings."""
    path = out / FOLDER / FILE
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            header = json.loads(bytes(file["header"]))
            groups: dict[str, Arrays] = {"weights": [], "optimizer": [], "average": [], "best": []}
            for name in sorted(n for n in file.files if "/" in n):
                groups[name.split("/")[0]].append(file[name])
        progress = Progress(**header["progress"])
    except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
        raise BundleError(f"expected a checkpoint in {path}, received: {error}; delete it to start anew") from error
    if header["fingerprint"] != fingerprint:
        raise BundleError(
            f"{path} was made with other settings: expected {header['fingerprint']}, received {fingerprint}; "
            "run the first command again, or choose another --out"
        )
    return State(replace(progress, history=tuple(progress.history)), **groups)


def remove_checkpoint(out: Path) -> None:
    """Forget the state once the bundle is finished."""
    folder = out / FOLDER
    for path in (folder / FILE, unfinished_of(folder / FILE)):
        path.unlink(missing_ok=True)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
