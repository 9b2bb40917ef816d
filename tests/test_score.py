import math

import pytest

from captcha_solver.charset import Charset
from captcha_solver.score import is_solved, run_trials, score_trials, unknown_characters, unreadable
from captcha_solver.solver import Solver
from captcha_solver.statistics import edits, wilson
from captcha_solver.types import Reading, Sample, Solution, Trial
from tests.fakes import FakeRecognizer, picture


def trial(truth: str, answer: str, failure: str | None = None, ms: float = 2.0) -> Trial:
    return Trial("id", truth, "fake", Solution(Reading(answer, (), 0.5), "fake", "f" * 64, ms, failure))


@pytest.mark.parametrize(
    ("solved", "n", "low", "high"),
    [
        (0, 0, 0.0, 1.0),
        (0, 10, 0.0, 0.27753),
        (10, 10, 0.72247, 1.0),
        (5, 10, 0.23659, 0.76341),
        (81, 263, 0.2553, 0.3662),  # Newcombe 1998, table I
        (15, 148, 0.0624, 0.1605),
    ],
)
def test_wilson(solved: int, n: int, low: float, high: float) -> None:
    assert wilson(solved, n) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(
    ("truth", "answer", "distance"),
    [
        ("", "", 0), ("abc", "abc", 0), ("abc", "", 3), ("", "abc", 3), ("abc", "abd", 1), ("abc", "ac", 1),
        ("abc", "xabc", 1), ("kitten", "sitting", 3), ("ab", "ba", 2),
    ],
)  # fmt: skip
def test_edits(truth: str, answer: str, distance: int) -> None:
    assert edits(truth, answer) == distance


TRIALS = [
    trial("abcd", "abcd"),
    trial("abcd", "abCd"),
    trial("abcd", "", "no text found", ms=6.0),
    trial("abcd", "", "expected an image, received zero bytes", ms=0.0),
    trial("", "xyz"),
    trial("", "", "no text found"),
]


def test_failures_and_unknown_truths_stay_in_the_denominator() -> None:
    score = score_trials("set", TRIALS)
    assert (score.name, score.n, score.solved) == ("set", 6, 1)
    assert score.accuracy == pytest.approx(1 / 6)
    assert score.ci95 == wilson(1, 6)
    assert score.cer == pytest.approx((0 + 1 + 4 + 4) / 16)
    assert score.ms_per_image == pytest.approx((2 + 2 + 6 + 0 + 2 + 2) / 6)


def test_folding_case() -> None:
    score = score_trials("set", TRIALS, fold_case=True)
    assert score.solved == 2
    assert score.cer == pytest.approx(8 / 16)
    assert is_solved(trial("ÉA", "éa"), fold_case=True)
    assert not is_solved(trial("ÉA", "éa"))
    assert not is_solved(trial("", ""), fold_case=True)


def test_nothing_to_score() -> None:
    score = score_trials("set", [])
    assert (score.n, score.accuracy, score.ci95, score.ms_per_image) == (0, 0.0, (0.0, 1.0), 0.0)
    assert math.isfinite(score.cer)
    assert math.isfinite(score_trials("set", [trial("", "")]).cer)


def test_unreadable_are_those_that_broke() -> None:
    assert unreadable(TRIALS) == [TRIALS[3]]


def test_unknown_characters() -> None:
    samples = [Sample(str(i), b"", text, "set") for i, text in enumerate(["ab", "aB", "é!", "!", ""])]
    assert unknown_characters(samples, Charset("ab")) == (3, "!Bé")
    assert unknown_characters(samples, Charset("aB"), fold_case=True) == (2, "!é")
    assert unknown_characters(samples[:1], Charset("ab")) == (0, "")


def test_run_trials() -> None:
    samples = [Sample(f"{i}.png", picture(i % 2), "one", "set") for i in range(70)]
    finished: list[int] = []
    trials = run_trials(Solver(FakeRecognizer(["one", "two"])), samples, done=finished.append)
    assert [each.sample_id for each in trials] == [sample.id for sample in samples]
    assert [is_solved(each) for each in trials] == [True, False] * 35
    assert {each.recognizer for each in trials} == {"fake"}
    assert sum(finished) == 70
