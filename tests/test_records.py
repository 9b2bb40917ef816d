"""JSON as dataclasses: what fits is read, what does not is told with its field."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from captcha_solver.records import parse_record


@dataclass(frozen=True, slots=True)
class Inner:
    name: str
    at: float | None = None


@dataclass(frozen=True, slots=True)
class Outer:
    n: int
    rate: float
    done: bool
    inner: Inner
    pairs: tuple[tuple[str, float], ...] = ()
    shares: Mapping[str, float] = field(default_factory=dict)


GOOD = (
    b'{"n": 1, "rate": 2, "done": true, "inner": {"name": "a", "at": null}, "pairs": [["x", 1.5]], "shares": {"y": 1}}'
)


def test_what_fits_is_read() -> None:
    assert parse_record(Outer, GOOD) == Outer(1, 2.0, True, Inner("a"), (("x", 1.5),), {"y": 1.0})


def test_a_field_with_a_default_is_missed_but_where_it_was_added_later() -> None:
    lacking = GOOD.replace(b', "pairs": [["x", 1.5]]', b"")
    with pytest.raises(ValueError, match="expected the field pairs, received none"):
        parse_record(Outer, lacking)
    assert parse_record(Outer, lacking, added=("pairs",)).pairs == ()
    with pytest.raises(ValueError, match="inner: expected the field at, received none"):
        parse_record(Outer, GOOD.replace(b', "at": null', b""))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (b'"n": 1, ', b"", "expected the field n, received none"),
        (b'"n": 1', b'"n": 1.5', "n: expected a whole number, received a number"),
        (b'"n": 1', b'"n": "1"', "n: expected a whole number, received text"),
        (b'"rate": 2', b'"rate": true', "rate: expected a number, received true or false"),
        (b'"rate": 2', b'"rate": NaN', 'expected JSON in UTF-8, received \'{"n": 1'),
        (b'"done": true', b'"done": 1', "done: expected true or false, received a whole number"),
        (b'"name": "a"', b'"name": null', "inner.name: expected text, received nothing"),
        (b'"at": null', b'"at": []', "inner.at: expected a number or nothing, received a list"),
        (b'{"name": "a", "at": null}', b"[]", "inner: expected an object, received a list"),
        (b'["x", 1.5]', b'["x"]', "pairs[0]: expected a list of length 2, received 1"),
        (b'"y": 1', b'"y": "1"', "shares[...]: expected a number, received text"),
        (
            b'"n": 1',
            b'"n": 1, "more": 1',
            "expected the fields n, rate, done, inner, pairs, shares, received more as well",
        ),
        (GOOD, b"[]", "expected an object, received a list"),
        (GOOD, b"\xff", "expected JSON in UTF-8, received"),
    ],
)
def test_what_does_not_fit_is_told(old: bytes, new: bytes, told: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - its message is what is tested
        parse_record(Outer, GOOD.replace(old, new))
    assert str(caught.value).startswith(told)
