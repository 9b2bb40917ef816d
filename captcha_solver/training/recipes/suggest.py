"""Which images of a folder to label next: those on which the views disagree, spread over what images look like.

Query by committee (Seung et al. 1992), the views being the committee, and a spread as in core-set selection (Sener and
Savarese 2018).

Tested in ``tests/training/recipes/test_suggest.py``.
"""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from captcha_solver.attempt import attempt
from captcha_solver.dataset import labelled_rows
from captcha_solver.errors import DatasetError
from captcha_solver.folders.contents import look_into
from captcha_solver.image import read_file, read_image
from captcha_solver.models.bundle import Bundle
from captcha_solver.solver import CHUNK, load_solver
from captcha_solver.types import Rgb
from captcha_solver.voting import NAMES, agreeing, vote

LOOK = 16, 8  # columns and rows of the thumbnail that two images are compared by
LEAST_DOUBT = 0.01  # of an image that all views read alike: of those the most unlike come


def suggest(folder: Path, bundle: Bundle, count: int) -> list[str]:
    """Up to ``count`` file names of images in ``folder`` that have no label, the most telling first.

    ``DatasetError`` where every image has one.
    """
    labelled = {row.filename for row in labelled_rows(folder)}
    files = [path for path in look_into(folder).files if path.name not in labelled]
    read = [(path.name, attempt(read_image, read_file(path)).value) for path in files]
    found = [(name, image) for name, image in read if image is not None]
    if not found:
        raise DatasetError(f"{folder}: expected images without a label to suggest some of, received none")
    images = [image for _, image in found]
    chosen = spread(doubts(bundle, images), np.stack([look_of(image) for image in images]), count)
    return [found[place][0] for place in chosen]


def doubts(bundle: Bundle, images: Sequence[Rgb]) -> NDArray[np.float64]:
    """How little the views of each (H, W, 3) uint8 image agree, (N,) 0-1: one less the share that the vote has."""
    solver = load_solver(bundle.path, views=len(NAMES))
    parts = (images[start : start + CHUNK] for start in range(0, len(images), CHUNK))
    seen = [views for part in parts for views in solver.views_of(part)]
    agree = [agreeing(views, vote(views, solver.views.fit).text) for views in seen]
    return np.asarray(np.maximum(1 - np.array(agree, np.float64), LEAST_DOUBT), np.float64)


def look_of(image: Rgb) -> NDArray[np.float64]:
    """What an image looks like from afar, (384,) 0-1."""
    small = cv2.resize(image, LOOK, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float64).ravel() / 255


def spread(weights: NDArray[np.float64], looks: NDArray[np.float64], count: int) -> list[int]:
    """Up to ``count`` places, greedily: the one with the largest product of weight (N,) and distance to those chosen.

    ``looks`` (N, D). The first is that of the largest weight. No place comes twice.
    """
    distance = np.full(len(weights), 1.0)
    chosen: list[int] = []
    for _ in range(min(count, len(weights))):
        worth = weights * distance
        worth[chosen] = -1.0
        best = int(worth.argmax())
        chosen.append(best)
        away = np.sqrt(((looks - looks[best]) ** 2).mean(axis=1))
        distance = away if len(chosen) == 1 else np.minimum(distance, away)
    return chosen
