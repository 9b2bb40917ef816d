"""What an attack costs, worked out by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from captcha_solver.audit.cells import UNLIMITED
from captcha_solver.audit.findings.cost import TRIES, Effort, cost
from captcha_solver.audit_settings import Prices

PRICES = Prices(core_hour=0.36, label=0.01, attempt=0.001)


def test_what_is_paid_once_and_for_each_thousand() -> None:
    # 200 labels at 0.01; 1,000 s are 1,000 / 3,600 h at 0.36. A try: 10 ms at 0.0001 a second, and 0.001; four for one.
    found = cost(Effort(200, 1000.0, 10.0, 0.25), PRICES)
    assert found.once == pytest.approx(2.0 + 0.1)
    assert found.per_1000 == pytest.approx(4000 * (0.000001 + 0.001))
    assert found.attempts == 4
    assert found.total() == pytest.approx(2.1 + 4.004)
    assert found.total(2.5) == pytest.approx(2.1 + 2.5 * 4.004)


def test_a_lock_out_leaves_the_chance_of_one_right_answer() -> None:
    chances = dict(cost(Effort(0, 0.0, 1.0, 0.25), PRICES).lockout)
    assert tuple(chances) == TRIES == (1, 3, 5, 10, 20)
    assert chances[1] == 0.25
    assert chances[3] == pytest.approx(1 - 27 / 64)
    assert chances[5] == pytest.approx(1 - 243 / 1024)


def test_what_is_never_right_has_no_price() -> None:
    found = cost(Effort(50, 36.0, 1.0, 0.0), PRICES)
    assert (found.per_1000, found.attempts, found.total()) == (None, None, None)
    assert found.once == pytest.approx(0.5 + 0.0036)
    assert {chance for _, chance in found.lockout} == {0.0}


def test_a_generator_needs_no_label() -> None:
    assert cost(Effort(UNLIMITED, 0.0, 1.0, 1.0), PRICES).once == 0


@given(st.floats(0, 1), st.integers(0, 5000), st.floats(0, 1e5))
def test_more_tries_never_help_less(rate: float, labels: int, core_s: float) -> None:
    found = cost(Effort(labels, core_s, 5.0, rate), PRICES)
    chances = [chance for _, chance in found.lockout]
    assert chances == sorted(chances)
    assert all(0 <= chance <= 1 for chance in chances)
    assert found.once >= 0
