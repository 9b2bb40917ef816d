"""Why nothing can be concluded from a low rate: it may be the labels, the pictures or the attackers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Literal

from captcha_solver.audit.cells import BASE, Result, TrialRecord
from captcha_solver.audit.figures import said
from captcha_solver.audit.subjects.duplicates import KNOWN
from captcha_solver.texts import folded

MUCH = 0.3  # of the tested images: from here on a fault is one of the design, or of its labels, not of single images
FEW = 0.05
SURE = 0.9  # a confidence with which readers are nearly always right
FEWEST_SURE = 10  # answers that it takes to say that sure ones are wrong
SURELY_RIGHT = 0.1  # of the sure answers are right at least, where labels and pictures belong together
LEARNT = 0.5  # how much of its own labels an attacker reads at least that has learnt what it was shown


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a low rate says nothing: a ``code`` for programs, a sentence, and what would test the design."""

    code: Annotated[
        Literal["unwritable", "frames", "inside", "lengths", "at odds", "unlearnt"],
        said(
            "Labels that no attacker can write; frames that differ; labels within longer answers; labels never as long "
            "as the answers; sure answers that are never right; nobody learnt its own labels."
        ),
    ]
    said: Annotated[str, said("The reason, in words.")]
    would_test: Annotated[str, said("What would test the design.")]


def reasons(results: Sequence[Result], *, animated: int, fold_case: bool) -> list[Reason]:
    """Each reason that holds of the results on the design as it is; ``animated``: tested images whose frames differ."""
    base = [r for r in results if r.cell.condition == r.cell.trained_on == BASE and r.trials]
    if not base:
        return []
    truths = {trial.sample: trial.truth for trial in base[0].trials}
    fold = partial(folded, fold_case=fold_case)
    found = [
        _unwritable(list(truths.values())),
        _animated(animated, len(truths)),
        _at_odds(base, fold),
        _unlearnt(base),
    ]
    return [each for each in found if each is not None]


def _unwritable(truths: Sequence[str]) -> Reason | None:
    """Labels with characters that no attacker can write are never solved."""
    with_them = [truth for truth in truths if set(truth) - KNOWN]
    if len(with_them) < MUCH * len(truths):
        return None
    characters = "".join(sorted(set("".join(with_them)) - KNOWN))
    return Reason(
        "unwritable",
        f"{len(with_them)} of {len(truths)} labels hold characters that none of these attackers can write "
        f"({_shown(characters)})",
        "an attacker for this alphabet would test it",
    )


def _animated(animated: int, tested: int) -> Reason | None:
    if animated < MUCH * tested:
        return None
    return Reason(
        "frames",
        f"{animated} of {tested} images are animations whose frames differ, and each was read as one picture",
        "an attacker that reads the frames one by one would test it",
    )


def _at_odds(base: Sequence[Result], fold: Callable[[str], str]) -> Reason | None:
    """Answers and labels that do not speak of the same thing: of several signs the one that says most."""
    for sign in (_inside, _never_as_long, _sure_and_wrong):
        for result in base:
            answered = [each for each in result.trials if each.text and each.truth]
            if len(answered) >= MUCH * len(result.trials) and (reason := sign(answered, fold)):
                return reason
    return None


def _inside(answered: Sequence[TrialRecord], fold: Callable[[str], str]) -> Reason | None:
    """Labels whose characters all lie, in order, in longer answers: only some of what is drawn counts."""
    inside = [each for each in answered if len(each.truth) > 1 and _is_part(fold(each.truth), fold(each.text))]
    if len(inside) < MUCH * len(answered):
        return None
    return Reason(
        "inside",
        f"{len(inside)} of {len(answered)} answers hold their label and further characters, such as "
        f"{_shown(inside[0].text)} for {_shown(inside[0].truth)}: only some of the letters seem to count",
        "labels with all the letters, or an attacker that is told which of them count, would test it",
    )


def _never_as_long(answered: Sequence[TrialRecord], fold: Callable[[str], str]) -> Reason | None:
    """Labels that are hardly ever as long as the answers, such as the results of sums."""
    as_long = sum(len(each.text) == len(each.truth) for each in answered)
    by = sorted(len(each.text) - len(each.truth) for each in answered)
    middle = by[len(by) // 2]
    sure = sum(each.confidence >= SURE for each in answered)
    if as_long > FEW * len(answered) or abs(middle) < 1 or sure < MUCH * len(answered):
        return None
    return Reason(
        "lengths",
        f"answers are hardly ever as long as their labels ({as_long} of {len(answered)}), such as "
        f"{_shown(answered[0].text)} for {_shown(answered[0].truth)}: the labels seem not to say what is drawn",
        "labels with what is drawn (of a sum, the sum and not its result) would test it",
    )


def _sure_and_wrong(answered: Sequence[TrialRecord], fold: Callable[[str], str]) -> Reason | None:
    """Answers that readers are sure of, and that are never the label: labels of other images, or of a riddle."""
    sure = [each for each in answered if each.confidence >= SURE]
    right = [each for each in sure if fold(each.text) == fold(each.truth)]
    if len(sure) < max(FEWEST_SURE, MUCH * len(answered)) or len(right) >= SURELY_RIGHT * len(sure):
        return None
    wrong = next(each for each in sure if fold(each.text) != fold(each.truth))
    return Reason(
        "at odds",
        f"of {len(sure)} answers that an attacker is sure of {len(right)} are right, such as {_shown(wrong.text)} for "
        f"{_shown(wrong.truth)}: labels and pictures seem not to belong together",
        "labels with what is drawn, each beside its own image, would test it",
    )


def _unlearnt(base: Sequence[Result]) -> Reason | None:
    if not is_unlearnt([result.train_accuracy for result in base]):
        return None
    return Reason(
        "unlearnt",
        f"no trained attacker reads even {LEARNT:.0%} of its own labels: none has learnt this design",
        "more labels or a longer training would test it",
    )


def is_unlearnt(own: Sequence[float | None]) -> bool:
    """Whether attackers were trained, and none reads what it was trained on; ``own``: None of those not trained."""
    trained = [each for each in own if each is not None]
    return bool(trained) and max(trained) < LEARNT


def _is_part(truth: str, text: str) -> bool:
    """Whether the characters of ``truth`` lie in a longer ``text`` in their order."""
    rest = iter(text)
    return len(text) > len(truth) and all(char in rest for char in truth)


def _shown(text: str) -> str:
    return repr(text if len(text) <= 20 else f"{text[:20]}...")
