"""What a training is given: the task, its settings, and what was found out beforehand.

Tested in ``tests/training/test_loop.py``.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from captcha_solver.charset import Charset
from captcha_solver.errors import OptionError
from captcha_solver.training.finishing.calibration import Calibration
from captcha_solver.training.recipes.recipe import Recipe

Pair: TypeAlias = tuple[NDArray[Any], NDArray[np.int32]]
"""Images (N, H, W, C), uint8 0-255 or float32 0-1, and labels int32: (N, L) zero padded, or (N,)."""


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """How to train. The budget is ``minutes`` (over all resumes) or ``max_steps``, whichever ends first.

    All that comes before the export is within ``minutes``: building, drawing, validation. At least one step is taken.
    ``layer_decay``: the learning rate of a layer over that of the layer above it.
    """

    batch: int = 64
    learning_rate: float = 1e-3
    minutes: float | None = None
    max_steps: int | None = None
    warmup: float = 0.03
    weight_decay: float = 1e-4
    clip_norm: float = 1.0
    validate_every: int = 500
    patience: int = 20
    seed: int = 0
    workers: int = 1
    layer_decay: float = 1.0
    recipe: Recipe = field(default_factory=Recipe)

    def __post_init__(self) -> None:
        if self.minutes is None and self.max_steps is None:
            raise OptionError("expected a budget: minutes or max_steps, received neither")
        for name in ("batch", "learning_rate", "validate_every", "patience"):
            if getattr(self, name) <= 0:
                raise OptionError(f"expected {name} above 0, received {getattr(self, name)}")
        for name in ("minutes", "max_steps"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise OptionError(f"expected {name} above 0, received {value}")
        if not 0 < self.layer_decay <= 1:
            raise OptionError(f"expected layer_decay above 0, up to 1, received {self.layer_decay}")
        if not 0 <= self.warmup < 1:
            raise OptionError(f"expected warmup (a share of the budget) in 0..1, received {self.warmup}")


class Task(Protocol):
    """What is to be learnt. Nothing here may import a backend before ``build`` or ``loss`` is called."""

    @property
    def kind(self) -> str:
        """The bundle's kind: ``sliding`` or ``segmented``."""
        ...

    @property
    def charset(self) -> Charset: ...

    @property
    def settings(self) -> Mapping[str, Any]:
        """JSON: how images are prepared; travels in the bundle."""
        ...

    @property
    def data(self) -> Mapping[str, Any]:
        """JSON: what is trained on; goes onto the card."""
        ...

    def build(self) -> Any:
        """A new Keras model: images -> logits."""
        ...

    def loss(self) -> Any:
        """A Keras loss of (labels, logits)."""
        ...

    def batches(self, seed: int, start: int) -> Iterator[Pair | Sequence[Pair]]:
        """The endless stream from draw ``start`` on; one draw is a pair, or several (one for each width)."""
        ...

    def heldout(self) -> Sequence[Pair]:
        """Images never trained on."""
        ...

    def proof(self) -> Sequence[Pair]:
        """More of them, where a small difference is to be told (the int8 network of the sliding route)."""
        ...

    def accuracy(self, logits: NDArray[np.float32], labels: NDArray[np.int32]) -> float:
        """Share 0-1 of ``logits`` that read as ``labels`` (see ``calibration.right``)."""
        ...


@dataclass(frozen=True, slots=True)
class Settled:
    """What was found out beforehand, by cross-validation: no held-out images are left to find it with."""

    calibration: Calibration
    card: Mapping[str, Any]


def as_float(images: NDArray[Any]) -> NDArray[np.float32]:
    """Images uint8 0-255 or float32 0-1 -> float32 0-1."""
    if images.dtype == np.uint8:
        return images.astype(np.float32) / np.float32(255)
    return images.astype(np.float32, copy=False)
