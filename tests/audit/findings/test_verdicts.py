"""Verdicts: what so many trials can say of a published threshold, and what they cannot."""

import pytest

from captcha_solver.audit.findings.verdicts import PUBLISHED, Verdict, judge
from captcha_solver.statistics import Rate

CHELLAPILLA, BURSZTEIN, TENTH = PUBLISHED


@pytest.mark.parametrize(
    ("solved", "n", "verdicts"),
    [
        (0, 0, "???"),
        (0, 28, "???"),
        (0, 29, "??h"),  # 0.9 ** 29 = 0.047
        (0, 298, "??h"),
        (0, 299, "?hh"),  # 0.99 ** 299 = 0.0495
        (0, 29_955, "?hh"),
        (0, 29_956, "hhh"),
        (1, 500, "b?h"),  # at 0.01 % a right answer comes in 4.9 % of such audits
        (1, 520, "??h"),  # in 5.1 %: Wilson's interval (0.034 % on) would call it broken
        (1, 1000, "?hh"),  # 0.006 % to 0.56 %
        (3, 1000, "bhh"),
        (5, 1000, "b?h"),  # to 1.17 %
        (50, 500, "bb?"),
        (65, 500, "bbb"),  # from 10.3 % on
        (500, 500, "bbb"),
    ],
)
def test_what_three_thresholds_say(solved: int, n: int, verdicts: str) -> None:
    words = {"b": Verdict.BROKEN, "h": Verdict.HOLDS, "?": Verdict.UNDECIDED}
    assert [judge(Rate(solved, n), threshold).verdict for threshold in PUBLISHED] == [words[v] for v in verdicts]


def test_the_thresholds_are_the_published_ones_and_say_what_a_claim_takes() -> None:
    assert [threshold.rate for threshold in PUBLISHED] == [0.0001, 0.01, 0.1]
    assert [judge(Rate(0, 1), threshold).trials_needed for threshold in PUBLISHED] == [29_956, 299, 29]
    assert "Chellapilla et al. 2005" in CHELLAPILLA.source
    assert "Bursztein et al. 2011" in BURSZTEIN.source
    assert "10 %" in TENTH.source
