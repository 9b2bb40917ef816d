"""Turn images into Scores: the protocol, the two routes, and the literal registry of them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from captcha_solver.charset import Charset
from captcha_solver.decoding.decode import FREE, Constraints, allowed_ids
from captcha_solver.decoding.probabilities import log_softmax
from captcha_solver.errors import BundleError, OptionError
from captcha_solver.models.bundle import Bundle, load_bundle, shipped_bundles
from captcha_solver.models.runtimes import AUTO, Runtime, load_runtime
from captcha_solver.types import Rgb, Scores
from captcha_solver.voting import VoteFit

if TYPE_CHECKING:
    from captcha_solver.segmented.path import Candidates

SettingsT = TypeVar("SettingsT")

COLUMNS_A_CALL = 16_384  # strip columns in one network call: bounds memory; 32 strips of 512 columns
GLYPHS_A_CALL = 2048
REJECT_BELOW = "reject_below"  # setting of a segmented bundle: a piece less probably a glyph than this is none
FORMER = "locate"  # setting of sliding bundles made when each found its text by edges
NEVER = -20.0  # log-probability of the glyphs of a rejected piece


class Recognizer(Protocol):
    """A route from images to scores. It owns its preprocessing, whose settings lie in its bundle."""

    @property
    def name(self) -> str: ...

    @property
    def charset(self) -> Charset: ...

    @property
    def model_sha256(self) -> str: ...

    @property
    def runtime(self) -> str:
        """Name of what runs its network: ``onnx``, ``int8`` or ``keras``."""
        ...

    @property
    def temperature(self) -> float: ...

    @property
    def length(self) -> str | None:
        """Length of the texts it was made for, ``4`` or ``4-6``, where that is known."""
        ...

    @property
    def alphabet(self) -> str | None:
        """The characters in the texts it was made for, where they are known."""
        ...

    @property
    def views(self) -> VoteFit:
        """When further views of an image are worth their time, and how sure their vote is."""
        ...

    def score(self, images: Sequence[Rgb], constraints: Constraints = FREE) -> list[Scores]:
        """Scores for each (H, W, 3) uint8 image, cut to its text, in order; where nothing is found: T = 0 rows.

        ``constraints`` are obeyed when the scores are decoded; a route may use them to find better ones.
        """
        ...


class BundleRecognizer:
    """What a recognizer takes from its bundle, whatever its route."""

    def __init__(self, bundle: Bundle, runtime: Runtime) -> None:
        self.name = bundle.name
        self.charset = bundle.charset
        self.model_sha256 = bundle.sha256
        self.temperature = bundle.temperature
        self.length = bundle.length
        self.alphabet = bundle.alphabet
        self.views = bundle.views
        self.runtime = runtime.name
        self._runtime = runtime


class Sliding(BundleRecognizer):
    """One network over the unsegmented strip, read with CTC."""

    def __init__(self, bundle: Bundle, runtime: Runtime) -> None:
        from captcha_solver.sliding.strip import SlideSettings

        super().__init__(bundle, runtime)
        self._settings = read_settings(bundle, SlideSettings)

    def score(self, images: Sequence[Rgb], constraints: Constraints = FREE) -> list[Scores]:
        """One network call a strip width, so that an answer never depends on what else is in the batch."""
        from captcha_solver.sliding.strip import spans, to_strips

        strips = to_strips(images, self._settings)
        scores: dict[int, Scores] = {}
        for places in same_width([strip.pixels.shape[1] for strip in strips]):
            logits = self._runtime.run(np.stack([strips[place].pixels for place in places]))
            check_logits(logits, len(places), self.charset)
            for place, rows in zip(places, log_softmax(logits), strict=True):
                scores[place] = Scores(rows, spans(strips[place], len(rows)), collapse=True)
        return [scores[place] for place in range(len(images))]


class Segmented(BundleRecognizer):
    """Cuts the image into candidate glyphs, classifies all at once, and keeps the best path through them."""

    def __init__(self, bundle: Bundle, runtime: Runtime) -> None:
        from captcha_solver.segmented.path import SegmentSettings

        super().__init__(bundle, runtime)
        settings = dict(bundle.settings)
        self._reject_below = float(settings.pop(REJECT_BELOW, 0.0))
        self._settings = read_settings(replace(bundle, settings=settings), SegmentSettings)

    def score(self, images: Sequence[Rgb], constraints: Constraints = FREE) -> list[Scores]:
        """The best path through each image's candidates that obeys ``constraints``."""
        from captcha_solver.segmented.path import Narrowing, best_path

        classes = None if constraints.charset is None else tuple(allowed_ids(self.charset, constraints)[1:])
        narrowing = Narrowing(classes, constraints.min_length, constraints.max_length)
        return [best_path(found, log_probs, narrowing) for found, log_probs in self.pieces(images)]

    def pieces(self, images: Sequence[Rgb]) -> "list[tuple[Candidates, NDArray[np.float32]]]":
        """Candidates of each image with their log-probabilities (N, C): all go through the network in one batch."""
        from captcha_solver.segmented.gray import to_gray
        from captcha_solver.segmented.path import candidates

        found = [candidates(to_gray(image, self._settings), self._settings) for image in images]
        pieces = np.concatenate([each.glyphs.pixels for each in found]) if found else np.zeros((0, 1, 1, 1), np.float32)
        log_probs = self._classify(pieces)
        ends = np.cumsum([len(each.glyphs.pixels) for each in found])
        shares = np.split(log_probs, ends[:-1]) if found else []
        return list(zip(found, shares, strict=True))

    def _classify(self, pieces: NDArray[np.float32]) -> NDArray[np.float32]:
        """Log-probabilities (N, C) float32 of pieces (N, G, G, 1); in parts, so that memory stays bounded."""
        parts = [np.zeros((0, self.charset.classes), np.float32)]
        for start in range(0, len(pieces), GLYPHS_A_CALL):
            logits = self._runtime.run(pieces[start : start + GLYPHS_A_CALL])
            check_logits(logits, len(pieces[start : start + GLYPHS_A_CALL]), self.charset)
            parts.append(reject(log_softmax(logits), self._reject_below))
        return np.concatenate(parts)


RECOGNIZERS: dict[str, Callable[[Bundle, Runtime], Recognizer]] = {"sliding": Sliding, "segmented": Segmented}


def load_recognizer(model: str | Path, runtime: str = AUTO) -> Recognizer:
    """The recognizer of a shipped bundle, by name, or of the bundle in a folder, by path."""
    bundle = load_bundle(bundle_path(model))
    if bundle.kind not in RECOGNIZERS:
        raise BundleError(f"expected a bundle of kind {', '.join(RECOGNIZERS)}, received {bundle.kind!r}")
    return RECOGNIZERS[bundle.kind](bundle, load_runtime(bundle, runtime))


def bundle_path(model: str | Path) -> Path:
    """The folder of a bundle given by name or path; ``OptionError`` lists the names where it is neither."""
    shipped = shipped_bundles()
    if str(model) in shipped:
        return shipped[str(model)]
    if not Path(model).is_dir():
        names = ", ".join(shipped) or "none is shipped"
        raise OptionError(f"expected a model's name ({names}) or the folder of a bundle, received {str(model)!r}")
    return Path(model)


def read_settings(bundle: Bundle, kind: type[SettingsT]) -> SettingsT:
    """The settings dataclass of a route from its bundle; ``BundleError`` where they do not fit it.

    JSON's lists become tuples. What bundles of earlier versions say of finding the text is left aside.
    """
    told = {key: tuple(v) if isinstance(v, list) else v for key, v in bundle.settings.items() if key != FORMER}
    try:
        return kind(**told)
    except (TypeError, OptionError) as error:
        raise BundleError(f"{bundle.path}: its settings are no {kind.__name__}: {error}") from error


def same_width(widths_px: Sequence[int]) -> Iterator[list[int]]:
    """Places of equal width, grouped in calls of bounded size."""
    buckets: dict[int, list[int]] = {}
    for place, width_px in enumerate(widths_px):
        buckets.setdefault(width_px, []).append(place)
    for width_px, places in buckets.items():
        size = max(1, COLUMNS_A_CALL // max(width_px, 1))
        for start in range(0, len(places), size):
            yield places[start : start + size]


def check_logits(logits: NDArray[np.float32], count: int, charset: Charset) -> None:
    """Raise where a network's output does not fit its charset, or is not finite."""
    if len(logits) != count or logits.shape[-1] != charset.classes:
        raise BundleError(
            f"expected logits for {count} inputs and {charset.classes} classes, "
            f"received the shape {logits.shape}: the network was made for another charset"
        )
    if not np.isfinite(logits).all():
        raise ValueError("expected finite logits, received NaN or infinity")


def reject(log_probs: NDArray[np.float32], below: float) -> NDArray[np.float32]:
    """(N, C) with the rows that are a glyph, whichever, less probably than ``below`` made "nothing here"."""
    rejected = 1 - np.exp(log_probs[:, 0]) < below
    turned = log_probs.copy()
    turned[rejected, 0], turned[rejected, 1:] = 0.0, NEVER
    return turned
