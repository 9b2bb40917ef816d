"""What a sliding training does beside CTC on drawn images: each step can be had alone, and measured alone."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from captcha_solver.errors import OptionError

MOST_SIEVED = 0.95
IN_TORCH = ("consistent", "aligned", "guided")  # parts of the loss: they need KERAS_BACKEND=torch


@dataclass(frozen=True, slots=True)
class Recipe:
    """Shares (0-1) of the images, and weights of losses; 0 leaves a step out.

    ``widened``: images made wider or narrower. ``shifted``: standard deviation of what the edges of the text's region
    are moved by, in its heights. ``joined``: images that are two, side by side, read as one word. ``recombined``:
    labelled images that get the tail of another, cut between characters. ``sieved``: how
    probably an image is left out that the bundle which the training starts from reads surely, or not at all.
    ``consistent``: divergence between two views of each image (CR-CTC; Yao et al. 2025). ``aligned``: cross-entropy
    with the alignment that CTC itself finds likeliest (DCTC; Zhang et al. 2024). ``guided``: an attention decoder that
    reads the same columns and is dropped at the end (NRTR's decoder, Sheng et al. 2019; as a guide Hu et al. 2020).
    """

    widened: float = 0.5
    shifted: float = 0.05
    joined: float = 0.0
    recombined: float = 0.0
    sieved: float = 0.0
    consistent: float = 0.0
    aligned: float = 0.0
    guided: float = 0.0

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not 0 <= value <= 1:
                raise OptionError(f"expected {name} of a recipe in 0..1, received {value}")
        if self.sieved > MOST_SIEVED:
            raise OptionError(
                f"expected sieved of a recipe up to {MOST_SIEVED}, received {self.sieved}: nothing may be left"
            )

    @property
    def in_torch(self) -> tuple[str, ...]:
        """The steps of it that only the learner for PyTorch knows."""
        return tuple(name for name in IN_TORCH if getattr(self, name) > 0)

    def described(self) -> Mapping[str, Any]:
        """What a training card says."""
        return asdict(self)


def parse_recipe(steps: Iterable[str], recipe: Recipe | None = None) -> Recipe:
    """``NAME=VALUE`` of each step that is to differ from ``recipe``."""
    known = [field.name for field in fields(Recipe)]
    changed: dict[str, float] = {}
    for step in steps:
        name, _, value = step.partition("=")
        if name not in known:
            raise OptionError(f"expected a step out of {', '.join(known)}, received {name!r}")
        try:
            changed[name] = float(value)
        except ValueError:
            raise OptionError(f"expected {name}=NUMBER, received {step!r}") from None
    return replace(recipe or Recipe(), **changed)
