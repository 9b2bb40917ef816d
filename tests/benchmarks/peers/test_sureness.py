"""What a confidence is worth, counted by hand."""

import pytest

from benchmarks.peers.sureness import Cut, Judged, PeerAnswer, cuts, judged, precision_at, safe_coverage, sureness


def some(*pairs: tuple[float, int]) -> list[Judged]:
    return [Judged(confidence, bool(right)) for confidence, right in pairs]


FIVE = some(
    (0.2, 0), (0.9, 1), (0.5, 0), (0.5, 1), (0.7, 1)
)  # by falling confidence: right, right, (right, wrong), wrong


def test_answers_are_cut_where_the_confidence_falls_and_ties_stay_together() -> None:
    assert cuts(FIVE) == [Cut(1, 1, 5), Cut(2, 2, 5), Cut(4, 3, 5), Cut(5, 3, 5)]


def test_precision_is_that_of_the_first_cut_that_covers_enough() -> None:
    found = cuts(FIVE)
    assert precision_at(40, found) == 1.0  # two of five are 40 %
    assert precision_at(50, found) == 3 / 4  # 2.5 of five: the tie is taken whole
    assert precision_at(80, found) == 3 / 4
    assert precision_at(100, found) == 3 / 5


def test_the_safe_coverage_is_the_largest_that_is_precise_enough() -> None:
    assert safe_coverage(cuts(FIVE)) == 2 / 5
    assert safe_coverage(cuts(FIVE), precision=0.75) == 4 / 5
    assert safe_coverage(cuts(some((0.9, 0), (0.1, 1)))) == 0.0


def test_a_wrong_answer_among_the_surest_is_made_good_by_enough_right_ones() -> None:
    one_wrong = some((1.0, 0), *[(0.5 - 0.001 * place, 1) for place in range(199)])
    assert safe_coverage(cuts(one_wrong)) == 1.0  # 199 of 200 are 99.5 %, which is enough
    assert safe_coverage(cuts(one_wrong[:-1])) == 0.0  # 198 of 199 are not


def test_a_reader_that_is_as_sure_of_all_has_one_cut() -> None:
    same = sureness(some((0.5, 1), (0.5, 0)))
    assert same is not None
    assert (same.precision_50, same.precision_80, same.precision_100, same.safe_coverage) == (0.5, 0.5, 0.5, 0.0)


def test_right_is_case_folded_and_no_text_is_the_least_sure() -> None:
    answers = [PeerAnswer("aB1", 0.8), PeerAnswer("", 0.99), PeerAnswer("x", 0.3)]
    assert judged(["Ab1", "q", "y"], answers) == some((0.8, 1), (0.0, 0), (0.3, 0))


def test_a_reader_without_confidence_has_no_figures() -> None:
    assert judged(["a", "b"], [PeerAnswer("a", 0.9), PeerAnswer("b", None)]) is None
    assert sureness(None) is None
    assert sureness([]) is None


def test_as_many_texts_as_answers() -> None:
    with pytest.raises(ValueError, match="argument"):
        judged(["a"], [])
