"""What many answers have in common, and what a solver makes of it."""

import pytest

from captcha_solver.charset import parse_charset
from captcha_solver.decoding.decode import Constraints
from captcha_solver.solver import Solver
from captcha_solver.text_prior import FEWEST, FLOOR, TextPrior, prior_from
from captcha_solver.types import Character, Reading
from captcha_solver.voting import VoteFit, shared, vote
from tests.fakes import FakeRecognizer, picture


def reading(text: str, confidence: float = 1.0) -> Reading:
    return Reading(text, tuple(Character(c, confidence, (0.0, 1.0)) for c in text), confidence)


def test_lengths_and_the_smallest_alphabet_that_has_nearly_all() -> None:
    prior = prior_from([reading("1234")] * 30 + [reading("123")] * 3 + [reading("O234", 0.2)])
    assert prior.charset == "digits"
    assert prior.lengths == {3: pytest.approx(3 / 30.2), 4: 1.0}
    assert prior.told() == "3-4 characters of digits"
    assert prior.weight(reading("9999")) == 1
    assert prior.weight(reading("99")) == pytest.approx(FLOOR / (1 + FLOOR))


@pytest.mark.parametrize(
    ("texts", "charset"),
    [(["aB3"] * 10, "alnum"), (["ab3"] * 10, "hex"), (["xy3"] * 10, "lower+digits"), (["жук"] * 10, "жку")],
)
def test_alphabets(texts: list[str], charset: str) -> None:
    assert prior_from([reading(text) for text in texts]).charset == charset


def test_a_prior_of_signs_is_a_charset_that_can_be_parsed() -> None:
    prior = prior_from([reading("3+4=")] * FEWEST)
    assert prior.charset is not None
    assert set(parse_charset(prior.charset).symbols) == set("3+4=")


def test_few_answers_tell_nothing() -> None:
    prior = prior_from([reading("1234")] * (FEWEST - 1) + [reading("")] * 50)
    assert prior == TextPrior()
    assert prior.weight(reading("anything")) == 1
    assert prior.told() == "nothing: too few answers"
    assert prior_from([reading("ab", 0.0)] * FEWEST) == TextPrior()


def test_a_vote_counts_an_improbable_length_less() -> None:
    readings = [reading("12345", 0.9), reading("1234", 0.6)]
    fit = VoteFit()
    assert vote(shared(readings), fit).text == "12345"
    assert vote(shared(readings), fit, TextPrior(lengths={4: 1.0, 5: 0.1}).weight).text == "1234"


def test_a_solver_infers_from_the_images_and_leaves_what_was_told() -> None:
    free = Solver(FakeRecognizer(["1234"] * 12))
    told = free.inferring([picture(level) for level in range(12)])
    assert told.constraints.charset == "digits"
    assert told.prior.lengths == {4: 1.0}
    assert free.constraints.charset is None
    narrow = Solver(FakeRecognizer(["1234"] * 12), Constraints("lower+digits"))
    assert narrow.inferring([picture(level) for level in range(12)]).constraints.charset == "lower+digits"
