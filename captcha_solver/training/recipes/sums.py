"""Learns sums from their results: of all expressions that give a label, the one that the network reads best is taken.

The network need not know the signs: at first whatever it takes for another character may be one (hard EM; compare
Juang and Rabiner 1990, "The segmental K-means algorithm"). What it is sure of is learnt, then all labels are looked at
again.
"""

import math
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from captcha_solver.arithmetic.expressions import Expression, expressions_giving, parse_expression
from captcha_solver.arithmetic.words import LANGUAGES
from captcha_solver.attempt import attempt
from captcha_solver.charset import DIGITS, LOWER, NOTHING, Charset
from captcha_solver.dataset import write_folder
from captcha_solver.decoding.candidates import log_likelihoods
from captcha_solver.errors import DatasetError, OptionError
from captcha_solver.image import read_image
from captcha_solver.locate.cut import crop
from captcha_solver.locate.regions import locate
from captcha_solver.models.bundle import Bundle
from captcha_solver.recognizers import load_recognizer
from captcha_solver.training.sources import folder_samples, parse_source
from captcha_solver.types import Rgb, Sample

SIGNS = "+-×"
LEAST_SIGN = float(np.log(0.02))  # a sign that the network does not know may pass for nothing at all
SURE, LIKELY = 0.9, 0.5  # posterior of an expression among all that give the result
TOLD_FORM = 60  # images that say how the sums are written
FAINTEST = -1e3  # stands for log 0
FEWEST, FEWEST_SHARE = 20, 0.25  # sums read surely, below which there is nothing to start from
AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class Form:
    """How sums are written: numbers in digits or in the words of a language, and so the signs."""

    numbers: str | None = None
    signs: str | None = None

    def write(self, expression: Expression) -> str | None:
        """The sum in this form without blanks; None where the language has no word for a number of it."""
        words = LANGUAGES[self.numbers].numbers if self.numbers else None
        if words is not None and max(expression.left, expression.right) >= len(words):
            return None
        left, right = (words[n] if words else str(n) for n in (expression.left, expression.right))
        sign = LANGUAGES[self.signs].signs[expression.sign] if self.signs else expression.sign
        return f"{left}{sign}{right}"


FORMS = (Form(), *(form for each in LANGUAGES for form in (Form(each, each), Form(None, each))))


@dataclass(frozen=True, slots=True)
class Solved:
    """A sample with the expression in it, and how likely that one is among all that give its result, 0-1."""

    sample: Sample
    posterior: float


def is_result(label: str) -> bool:
    """Whether a label is a whole number, not a sum."""
    return label.strip().removeprefix("-").isdecimal()


def check_results(samples: Sequence[Sample], where: str) -> None:
    """``DatasetError`` for labels that are neither sums nor the result of one."""
    wrong = [each for each in samples if not _candidates(each.text, Form())]
    if wrong:
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        raise DatasetError(
            f"{where}: expected sums or their results as labels, received {wrong[0].text!r} of {wrong[0].id}, which no "
            f"sum of two numbers up to 99 gives{more}"
        )


def expressions_in(samples: Sequence[Sample], reader: Bundle) -> list[Solved]:
    """Each readable sample with its best expression as its text; those labelled with a sum as they are.

    ``DatasetError`` where the reader is sure of too few to start from.
    """
    logs = list(_read(samples, reader))
    form = _form([(each, log) for each, log in logs if is_result(each.text)][:TOLD_FORM])
    solved = [_solve(each, log, form) for each, log in logs]
    sure = sum(each.posterior >= SURE for each in solved)
    needed = min(FEWEST, math.ceil(FEWEST_SHARE * len(samples)))
    if sure < needed:
        raise DatasetError(
            f"expected to read at least {needed} sums surely enough to learn from, received {sure} of {len(samples)}: "
            "label some images with the sums themselves"
        )
    return solved


def written_out(
    sources: Sequence[str], reader: Bundle, folder: Path, wanted: tuple[float, int | None]
) -> tuple[str, ...]:
    """Copies of the labelled folders ``sources`` below ``folder``, labelled with the sums that ``reader`` finds.

    ``wanted``: how likely a sum must be to be learnt from, and how many labels of each source are used.
    """
    least, labels = wanted
    written = []
    for number, source in enumerate(map(parse_source, sources)):
        if not source.is_folder:
            raise OptionError(f"expected folders labelled with results, received the design {source.spec!r}")
        samples = [each for part in folder_samples(source.spec, labels) for each in part]
        check_results(samples, source.spec)
        there = folder / str(number)
        shutil.rmtree(there, ignore_errors=True)  # of a training that was cut off while it wrote them
        found = expressions_in(samples, reader)
        write_folder([each.sample for each in found if each.posterior >= least], there)
        written.append(f"{there}:{source.weight}")
    return tuple(written)


def _solve(sample: Sample, emissions: "Emissions", form: Form) -> Solved:
    if not is_result(sample.text):
        return Solved(sample, 1.0)
    texts = _candidates(sample.text, form) or _candidates(sample.text, Form())
    if not texts:  # no sum gives it
        return Solved(sample, 0.0)
    likely = emissions.of(texts)
    shares = np.exp(likely - likely.max())
    best = int(likely.argmax())
    return Solved(replace(sample, text=texts[best]), float(shares[best] / shares.sum()))


def _form(told: Sequence[tuple[Sample, "Emissions"]]) -> Form:
    """The form in which the sums are read best, in all."""
    if not told:
        return FORMS[0]
    return max(FORMS, key=lambda form: sum(_likelihood(each.text, log, form) for each, log in told))


def _likelihood(label: str, emissions: "Emissions", form: Form) -> float:
    texts = _candidates(label, form)
    return float(emissions.of(texts).max()) if texts else FAINTEST


@cache
def _candidates(label: str, form: Form) -> tuple[str, ...]:
    if not is_result(label):
        return (label,) if parse_expression(label) is not None else ()
    written = (form.write(each) for each in expressions_giving(int(label)))
    return tuple(text for text in written if text is not None)


@dataclass(frozen=True, slots=True)
class Emissions:
    """What a network says of each column, by character in one case: ``log_probs`` (T, 1 + K) float64."""

    log_probs: NDArray[np.float64]
    ids: Mapping[str, int]

    def of(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """log p of each text, (N,)."""
        return log_likelihoods(self.log_probs, [[self.ids[char] for char in text.casefold()] for text in texts])


def emissions_of(log_probs: NDArray[np.float32], charset: Charset) -> Emissions:
    """Columns of one case; a sign that ``charset`` lacks is whatever is neither digit nor nothing."""
    folded = [char.casefold() for char in charset.characters]
    ids = _written_with()
    columns = [log_probs[:, NOTHING].astype(np.float64)]
    others = [i for i, char in enumerate(folded, 1) if char not in DIGITS]
    for char in ids:
        own = [i for i, each in enumerate(folded, 1) if each == char]
        if own:
            columns.append(np.logaddexp.reduce(log_probs[:, own].astype(np.float64), axis=1))
        elif char in SIGNS:
            any_other = np.logaddexp.reduce(log_probs[:, others].astype(np.float64), axis=1)
            columns.append(np.maximum(any_other, LEAST_SIGN))
        else:
            columns.append(np.full(len(log_probs), FAINTEST))
    return Emissions(np.stack(columns, axis=1), ids)


@cache
def _written_with() -> Mapping[str, int]:
    """A column for each character that sums are written with in any form; 0 is "nothing here"."""
    words = (word for each in LANGUAGES.values() for word in (*each.numbers, *each.signs.values()))
    return {
        char: place for place, char in enumerate(dict.fromkeys(DIGITS + LOWER + SIGNS + "".join(words).casefold()), 1)
    }


def _read(samples: Sequence[Sample], reader: Bundle) -> Iterator[tuple[Sample, Emissions]]:
    """What the reader says of each readable sample's text."""
    recognizer = load_recognizer(reader.path)
    for start in range(0, len(samples), AT_ONCE):
        part = [(each, attempt(read_image, each.image).value) for each in samples[start : start + AT_ONCE]]
        there = [(each, _cut(image)) for each, image in part if image is not None]
        scores = recognizer.score([image for _, image in there])
        for (each, _), score in zip(there, scores, strict=True):
            yield each, emissions_of(score.log_probs, recognizer.charset)


def _cut(image: Rgb) -> Rgb:
    return crop(image, locate(image).whole)
