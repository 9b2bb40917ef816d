"""Makes new words of labelled ones: two strips are cut between the same characters, and their halves change places.

Where one character ends is told by forced alignment with the model that the training starts from (Graves et al. 2006).
Joining labelled images is TextConAug of PP-OCRv3 (Li et al. 2022); cutting within words keeps the length of the text.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from captcha_solver.charset import NOTHING
from captcha_solver.decoding.ctc import align
from captcha_solver.decoding.probabilities import log_softmax
from captcha_solver.models.bundle import load_bundle
from captcha_solver.models.runtimes import Runtime, load_runtime

Labelled = tuple[NDArray[np.uint8], list[int]]
"""A strip (S, w, 3) and its label's ids, from left to right."""

LEAST_LIKELY = -1e4  # stands for log 0


def recombined(
    strips: Sequence[Labelled], reader: Path, columns_px: int, how: tuple[float, np.random.Generator]
) -> list[Labelled]:
    """As many strips; a share of them have the head of one of ``strips`` and the tail of another of the same length.

    ``columns_px``: how many columns of a strip are one step of the reader.
    """
    share, rng = how
    by_length: dict[int, list[int]] = {}
    for place, (_, ids) in enumerate(strips):
        by_length.setdefault(len(ids), []).append(place)
    cuts: dict[int, list[int]] = {}
    made = []
    for place, (pixels, ids) in enumerate(strips):
        others = [each for each in by_length[len(ids)] if each != place]
        if len(ids) < 2 or not others or rng.random() >= share:
            made.append((pixels, ids))
            continue
        other = others[int(rng.integers(len(others)))]
        for each in (place, other):
            if each not in cuts:
                cuts[each] = boundaries(*strips[each], reader_of(reader), columns_px)
        at = int(rng.integers(1, len(ids)))
        head, tail = pixels[:, : cuts[place][at - 1]], strips[other][0][:, cuts[other][at - 1] :]
        made.append((np.concatenate([head, tail], axis=1), [*ids[:at], *strips[other][1][at:]]))
    return made


def boundaries(pixels: NDArray[np.uint8], ids: Sequence[int], runtime: Runtime, columns_px: int) -> list[int]:
    """The columns between each two neighbouring characters of a strip (S, w, 3) with the label ``ids``.

    Half way between where the reader sees them. A character that it does not know may be any of those it knows.
    """
    step = columns_px
    padded = np.pad(pixels, ((0, 0), (0, -pixels.shape[1] % step), (0, 0)), mode="edge")
    scores = log_softmax(runtime.run(padded[None].astype(np.float32) / np.float32(255))[0]).astype(np.float64)
    any_of_them = np.logaddexp.reduce(scores[:, 1:], axis=1)
    distinct = list(dict.fromkeys(ids))
    columns = [scores[:, each] if each < scores.shape[1] else any_of_them for each in distinct]
    told = np.stack([scores[:, NOTHING], *columns], axis=1)
    places = align(np.maximum(told, LEAST_LIKELY), [distinct.index(each) + 1 for each in ids])
    middles = [(before[2] + after[1]) / 2 for before, after in pairwise(places)]
    return [round(middle * step) for middle in middles]


@lru_cache(maxsize=1)
def reader_of(path: Path) -> Runtime:
    return load_runtime(load_bundle(path))
