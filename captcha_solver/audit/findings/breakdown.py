"""Where an attack fails: lengths, characters taken for others, places in the word."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from captcha_solver.audit.cells import TrialRecord
from captcha_solver.statistics import align
from captcha_solver.symbols import characters
from captcha_solver.texts import folded


class Kind(StrEnum):
    """What went wrong with an answer."""

    SOLVED = "solved"
    NOTHING = "nothing found"
    LENGTH = "wrong number of characters"
    RECOGNITION = "right number, wrong characters"


@dataclass(frozen=True, slots=True)
class Breakdown:
    """Of ``n`` answers: how many of each kind; which characters were taken for which; errors by place in the word."""

    n: int
    kinds: dict[Kind, int]
    confusions: list[tuple[str, str, int]]  # (true, read or "" for dropped, how often), most frequent first
    places: list[tuple[int, float]]  # (place from 0, share of texts that long whose character there was wrong)


def breakdown(trials: Iterable[TrialRecord], *, fold_case: bool) -> Breakdown:
    """Where the answers of one attack go wrong."""
    trials = [each for each in trials if each.truth]
    pairs = [(folded(each.truth, fold_case=fold_case), folded(each.text, fold_case=fold_case)) for each in trials]
    kinds = Counter(kind_of(truth, text) for truth, text in pairs)
    confusions: Counter[tuple[str, str]] = Counter()
    wrong: Counter[int] = Counter()
    there: Counter[int] = Counter()
    for truth, text in pairs:
        matched = align(truth, text)
        confusions.update((true, read) for true, read in matched if true and true != read)
        for place, (true, read) in enumerate(pair for pair in matched if pair[0]):
            there[place] += 1
            wrong[place] += read != true
    return Breakdown(
        n=len(pairs),
        kinds={kind: kinds.get(kind, 0) for kind in Kind},
        confusions=[(*pair, count) for pair, count in sorted(confusions.items(), key=lambda i: (-i[1], i[0]))],
        places=[(place, wrong[place] / there[place]) for place in sorted(there)],
    )


def kind_of(truth: str, text: str) -> Kind:
    if truth == text:
        return Kind.SOLVED
    if not text:
        return Kind.NOTHING
    return Kind.LENGTH if len(characters(truth)) != len(characters(text)) else Kind.RECOGNITION


def ensemble(cells: Sequence[Sequence[TrialRecord]], *, fold_case: bool) -> tuple[list[bool], list[bool]]:
    """(solved by any attack, solved by the most confident answer), for each image, over attacks on the same images."""
    by_sample: dict[str, list[TrialRecord]] = {}
    for trials in cells:
        for each in trials:
            by_sample.setdefault(each.sample, []).append(each)
    answered = by_sample.values()
    any_of = [any(each.solved(fold_case=fold_case) for each in trials) for trials in answered]
    best = [max(trials, key=lambda t: (bool(t.text), t.confidence)).solved(fold_case=fold_case) for trials in answered]
    return any_of, best
