"""A design written as TOML is the same design when it is read again."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from captcha_solver.audit.findings.drift import schedule
from captcha_solver.audit.subjects.variants import removals, sweep
from captcha_solver.designs.design import Canvas, Range
from captcha_solver.designs.load import builtin_designs, load_design, parse_design
from captcha_solver.designs.write import to_toml
from captcha_solver.errors import DesignError

PLAIN = load_design("plain")
DRAWN = [name for name in builtin_designs() if load_design(name).command is None]


@pytest.mark.parametrize("name", DRAWN)
def test_every_built_in_design_can_be_written(name: str) -> None:
    design = load_design(name)
    assert parse_design(to_toml(design), "again.toml") == design


@pytest.mark.parametrize("name", ["crowded", "wild"])
def test_what_an_audit_makes_of_a_design_can_be_written(name: str) -> None:
    design = load_design(name)
    variants = [*removals(design), *sweep(design, 0), *schedule(design)]
    assert len({to_toml(each.design) for each in variants}) > len(variants) - 2  # a sweep from 0 has a removal in it
    for variant in variants:
        assert parse_design(to_toml(variant.design), "again.toml") == variant.design


@pytest.mark.parametrize(
    "summary",
    [
        'a "quoted" \\ summary\nof two lines: ж',
        "deleted \x7f, next line \x85, separator \u2028, bell \x07, tab \t, return \r\n, null \x00",
        "\"\"\"three\"\"\" and '''three''' # no comment\n[canvas]\nwidth_px = 1\\",
        "",
    ],
)
def test_what_toml_must_escape_is_escaped(summary: str) -> None:
    design = replace(load_design("plain"), summary=summary)
    assert parse_design(to_toml(design), "again.toml") == design


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_comes_back(summary: str) -> None:
    design = replace(PLAIN, summary=summary, name=summary)
    assert parse_design(to_toml(design), "again.toml") == design


def test_a_range_is_one_line() -> None:
    assert "width_px = [100.0, 180.0]" in to_toml(replace(PLAIN, canvas=Canvas(Range(100.0, 180.0), Range(50.0, 50.0))))


def test_a_command_is_not_written() -> None:
    with pytest.raises(DesignError, match="design 'external-pypi-captcha' is a command"):
        to_toml(load_design("external-pypi-captcha"))
