"""Turn answers and truths into figures: solve rate with 95 % interval, character error rate, time."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from captcha_solver.arithmetic.expressions import truth_of
from captcha_solver.charset import Charset
from captcha_solver.solver import CHUNK, NO_TEXT, Solver
from captcha_solver.statistics import edits, wilson
from captcha_solver.symbols import characters
from captcha_solver.texts import folded
from captcha_solver.types import Sample, Trial


@dataclass(frozen=True, slots=True)
class SetScore:
    """The figures of one set; a pure function of its trials. Failures stay in ``n``."""

    name: str
    n: int
    solved: int
    edits: int
    characters: int
    elapsed_ms: float

    @property
    def accuracy(self) -> float:
        """Share of images whose whole text was read correctly, 0-1."""
        return self.solved / self.n if self.n else 0.0

    @property
    def ci95(self) -> tuple[float, float]:
        """95 % Wilson interval of ``accuracy``."""
        return wilson(self.solved, self.n)

    @property
    def cer(self) -> float:
        """Character error rate: edits needed for a character of the truth; 0 is perfect, it may exceed 1."""
        return self.edits / self.characters if self.characters else 1.0

    @property
    def ms_per_image(self) -> float:
        return self.elapsed_ms / self.n if self.n else 0.0


def run_trials(
    solver: Solver, samples: Sequence[Sample], *, done: Callable[[int], None] = lambda count: None
) -> list[Trial]:
    """One trial a sample, in order; ``done`` is told how many more are finished."""
    trials: list[Trial] = []
    for start in range(0, len(samples), CHUNK):
        chunk = samples[start : start + CHUNK]
        solutions = solver.solve_batch([sample.image for sample in chunk])
        trials += [
            Trial(sample.id, truth_of(sample.text, solver.constraints.answer), solver.recognizer.name, solution)
            for sample, solution in zip(chunk, solutions, strict=True)
        ]
        done(len(chunk))
    return trials


def score_trials(name: str, trials: Sequence[Trial], *, fold_case: bool = False) -> SetScore:
    """Summarise trials. One whose truth is unknown (empty) is not solved, and says nothing on characters."""
    known = [trial for trial in trials if trial.truth]
    return SetScore(
        name=name,
        n=len(trials),
        solved=sum(is_solved(trial, fold_case=fold_case) for trial in trials),
        edits=sum(edits(*_texts(trial, fold_case)) for trial in known),
        characters=sum(len(characters(trial.truth)) for trial in known),
        elapsed_ms=sum(trial.solution.elapsed_ms for trial in trials),
    )


def is_solved(trial: Trial, *, fold_case: bool = False) -> bool:
    """Whether the whole text is right; with ``fold_case``, upper and lower case are the same letter."""
    truth, answer = _texts(trial, fold_case)
    return bool(truth) and truth == answer


def unreadable(trials: Iterable[Trial]) -> list[Trial]:
    """Trials that failed for another reason than that no text was found: broken images, mostly."""
    return [trial for trial in trials if trial.solution.failure and not trial.solution.failure.startswith(NO_TEXT)]


def unknown_characters(samples: Iterable[Sample], charset: Charset, *, fold_case: bool = False) -> tuple[int, str]:
    """How many labels hold characters that ``charset`` lacks, and which characters these are, sorted."""
    known = {folded(each, fold_case=fold_case) for each in charset.characters}
    lacking = [set(characters(folded(sample.text, fold_case=fold_case))) - known for sample in samples]
    return sum(map(bool, lacking)), "".join(sorted(set().union(*lacking)))


def _texts(trial: Trial, fold_case: bool) -> tuple[str, str]:
    truth, answer = trial.truth, trial.solution.text
    return folded(truth, fold_case=fold_case), folded(answer, fold_case=fold_case)
