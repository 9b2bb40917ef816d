"""Where answers go wrong: alignments, kinds, confusions, places, and attackers together, worked out by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from captcha_solver.audit.findings.breakdown import Kind, breakdown, ensemble, kind_of
from captcha_solver.statistics import align, edits
from tests.audit.results import Answer, result

WORDS = st.text("abc", max_size=7)


@pytest.mark.parametrize(
    ("truth", "text", "pairs"),
    [
        ("abc", "abc", "aa bb cc"),
        ("abc", "axc", "aa bx cc"),
        ("abc", "ac", "aa b- cc"),
        ("ac", "abc", "aa -b cc"),
        ("abc", "", "a- b- c-"),
        ("", "ab", "-a -b"),
        ("", "", ""),
        ("kitten", "sitting", "ks ii tt tt ei nn -g"),
        ("abcd", "bcde", "a- bb cc dd -e"),
        ("aab", "ab", "a- aa bb"),
    ],
)
def test_an_alignment(truth: str, text: str, pairs: str) -> None:
    assert " ".join((a or "-") + (b or "-") for a, b in align(truth, text)) == pairs


@given(WORDS, WORDS)
def test_an_alignment_is_a_cheapest_one_of_all_characters(truth: str, text: str) -> None:
    pairs = align(truth, text)
    assert "".join(true for true, _ in pairs) == truth
    assert "".join(read for _, read in pairs) == text
    assert sum(true != read for true, read in pairs) == edits(truth, text)
    assert ("", "") not in pairs


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("abcd", Kind.SOLVED),
        ("", Kind.NOTHING),
        ("abc", Kind.LENGTH),
        ("abcde", Kind.LENGTH),
        ("abcx", Kind.RECOGNITION),
        ("ABCD", Kind.RECOGNITION),
    ],
)
def test_the_kinds_of_failure(text: str, kind: Kind) -> None:
    assert kind_of("abcd", text) is kind


ANSWERS: list[Answer] = [
    ("abcd", "abcd", 0.9),
    ("abcd", "ABCD", 0.9),
    ("abcd", "axcd", 0.9),
    ("abcd", "axd", 0.9),
    ("ab", "", 0.0),
    ("", "zz", 0.0),  # its text is not known: it says nothing
]


def test_a_breakdown() -> None:
    found = breakdown(result("x", 0, ANSWERS).trials, fold_case=True)
    assert found.n == 5
    assert found.kinds == {Kind.SOLVED: 2, Kind.NOTHING: 1, Kind.LENGTH: 1, Kind.RECOGNITION: 1}
    # "axd" may be b as x and c dropped, or b dropped and c as x, at the same cost: the latter is taken
    assert found.confusions == [("b", "", 2), ("a", "", 1), ("b", "x", 1), ("c", "x", 1)]
    assert found.places == [(0, 1 / 5), (1, 3 / 5), (2, 1 / 4), (3, 0.0)]


def test_upper_and_lower_case_may_be_different_letters() -> None:
    found = breakdown(result("x", 0, ANSWERS[:2]).trials, fold_case=False)
    assert found.kinds[Kind.RECOGNITION] == 1
    assert found.confusions == [("a", "A", 1), ("b", "B", 1), ("c", "C", 1), ("d", "D", 1)]
    assert found.places == [(place, 0.5) for place in range(4)]


def test_an_added_character_is_taken_for_none() -> None:
    found = breakdown(result("x", 0, [("ab", "axb", 0.5)]).trials, fold_case=True)
    assert (found.kinds[Kind.LENGTH], found.confusions, found.places) == (1, [], [(0, 0.0), (1, 0.0)])


@given(st.lists(st.tuples(WORDS, WORDS, st.just(0.5)), max_size=12))
def test_every_answer_is_of_one_kind(answers: list[Answer]) -> None:
    found = breakdown(result("x", 0, answers).trials, fold_case=True)
    assert sum(found.kinds.values()) == found.n == sum(bool(truth) for truth, _, _ in answers)
    assert all(0 <= share <= 1 for _, share in found.places)


def test_attackers_together() -> None:
    one: list[Answer] = [("a", "a", 0.9), ("b", "x", 0.9), ("c", "c", 0.2), ("d", "", 0.99), ("e", "E", 0.3)]
    two: list[Answer] = [("a", "x", 0.8), ("b", "b", 0.8), ("c", "x", 0.3), ("d", "d", 0.0), ("e", "x", 0.3)]
    both = [result(name, 0, answers).trials for name, answers in (("one", one), ("two", two))]
    # the surest: one, one, two, two (one has no answer, however sure), one (the first of equals)
    assert ensemble(both, fold_case=True) == ([True] * 5, [True, False, False, True, True])
    assert ensemble(both, fold_case=False)[0] == [True, True, True, True, False]


def test_an_image_that_one_attack_alone_has_read_counts() -> None:
    one = result("one", 0, [("a", "x", 0.9)]).trials
    two = result("two", 0, [("a", "a", 0.1), ("b", "b", 0.1)]).trials
    assert ensemble([one, two], fold_case=True) == ([True, True], [False, True])


@given(
    st.lists(
        st.lists(st.tuples(st.just("a"), st.sampled_from("ab"), st.floats(0, 1)), min_size=5, max_size=5),
        min_size=1,
        max_size=4,
    )
)
def test_the_surest_answer_is_one_of_them(attacks: list[list[Answer]]) -> None:
    any_of, surest = ensemble([result("x", i, each).trials for i, each in enumerate(attacks)], fold_case=True)
    assert all(some or not best for some, best in zip(any_of, surest, strict=True))
    assert sum(any_of) >= max(sum(text == "a" for _, text, _ in each) for each in attacks)
