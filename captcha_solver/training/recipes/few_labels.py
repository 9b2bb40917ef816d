"""The recipe for few labels, said once: what cross-validated trainings and the attackers of audits share.

Each labelled image is varied every time it is seen, and drawn images of ``wild`` are replayed beside them, so that
little is forgotten (Robins 1995, "Catastrophic forgetting, rehearsal and pseudorehearsal").
Lower layers, which see what all designs share, learn more slowly (Howard and Ruder 2018, "Universal Language Model
Fine-tuning for Text Classification").

Tested in ``tests/training/recipes/test_few.py``.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from captcha_solver.charset import NAMED
from captcha_solver.models.bundle import Bundle
from captcha_solver.models.save import amend_bundle
from captcha_solver.symbols import characters
from captcha_solver.training.recipes.recipe import Recipe
from captcha_solver.training.sources import Source
from captcha_solver.training.tasks.sliding import SlidingTask

BATCH, RATE = 32, 8e-4
RECIPE = Recipe(recombined=0.5)
LAYER_DECAY = 0.85  # a layer's rate over that of the layer above it
REPLAY, REPLAY_WEIGHT = "wild", 0.6  # drawn images for each labelled one
NEVER = 10**9  # steps: no part is held out
TELLING = 20  # labels of one length: another then has, with 95 % confidence, less than 14 % of the texts
OFTEN = 8  # times that each character is seen in the mean, before an unseen one is taken for none


def with_replay(task: SlidingTask) -> SlidingTask:
    """The task with drawn images beside its own."""
    replay = Source(REPLAY, REPLAY_WEIGHT * sum(source.weight for source in task.mixture.sources))
    return replace(task, mixture=replace(task.mixture, sources=(*task.mixture.sources, replay)))


def told_by_labels(bundle: Bundle, labels: Sequence[str]) -> Bundle:
    """The bundle with what can be concluded from labels: which characters there are, and how many."""
    return amend_bundle(bundle, length=shared_length(labels), alphabet=alphabet(labels))


def shared_length(labels: Sequence[str]) -> str | None:
    """The length of all ``labels``, where they are enough to tell (``TELLING``) and all have one."""
    lengths = {len(characters(label)) for label in labels}
    return str(lengths.pop()) if len(labels) >= TELLING and len(lengths) == 1 else None


def alphabet(labels: Sequence[str]) -> str | None:
    """The characters that texts like ``labels`` are made of, where they are enough to tell (``TELLING``).

    Those that were seen, where each was seen more than once, so that few can be missing (Good 1953, "The population
    frequencies of species"); else the smallest named charset that has them all.
    """
    counts = Counter(char for label in labels for char in characters(label))
    if len(labels) < TELLING:
        return None
    if min(counts.values()) > 1 and counts.total() >= OFTEN * len(counts):
        return "".join(sorted(counts))
    fitting = [symbols for symbols in NAMED.values() if counts.keys() <= set(symbols)]
    return min(fitting, key=len, default=None)
