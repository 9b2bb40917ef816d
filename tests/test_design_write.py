"""A design written as TOML is the same design when it is read again."""

from dataclasses import replace

import pytest

from captcha_solver.audit.drift import schedule
from captcha_solver.audit.features import removals, sweep
from captcha_solver.designs.load import builtin_designs, load_design, parse_design
from captcha_solver.designs.write import to_toml
from captcha_solver.errors import DesignError

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


def test_what_toml_must_escape_is_escaped() -> None:
    design = replace(load_design("plain"), summary='a "quoted" \\ summary\nof two lines: ж')
    assert parse_design(to_toml(design), "again.toml") == design


def test_a_command_is_not_written() -> None:
    with pytest.raises(DesignError, match="design 'external-pypi-captcha' is a command"):
        to_toml(load_design("external-pypi-captcha"))
