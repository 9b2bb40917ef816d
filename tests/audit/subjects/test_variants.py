"""Variants of a design: one distortion taken away or raised, the others as they were, the texts the same."""

from dataclasses import replace

import pytest

from captcha_solver.audit.subjects.subject import DesignSubject
from captcha_solver.audit.subjects.variants import at, names_of, pairs, removals, sweep
from captcha_solver.designs.design import Range
from tests.audit.fake_attackers import tiny


def test_a_distortion_that_a_design_has_twice_is_numbered() -> None:
    design = tiny()
    lines, dots = design.distortions
    assert names_of(design) == ["lines", "dots"]
    assert names_of(replace(design, distortions=(lines, dots, lines))) == ["lines 1", "dots", "lines 2"]


@pytest.mark.parametrize("chance", [0.0, 0.3, 1.0])
def test_a_raised_distortion_is_in_every_image_and_a_removed_one_in_none(chance: float) -> None:
    design = tiny()
    lines, dots = design.distortions
    design = replace(design, distortions=(replace(lines, probability=chance), dots))
    raised, gone = at(design, [(0, 4)]), at(design, [(0, 0)])
    assert (raised.condition, gone.condition) == ("lines at 4", "no lines")
    assert (raised.design.distortions[0].severity, raised.design.distortions[0].probability) == (Range(4, 4), 1.0)
    assert (gone.design.distortions[0].severity, gone.design.distortions[0].probability) == (Range(0, 0), 0.0)
    assert raised.design.distortions[1] == gone.design.distortions[1] == dots
    assert (raised.removes, gone.removes) == (None, 0)


def test_the_variants_of_a_design() -> None:
    assert [each.condition for each in removals(tiny())] == ["no lines", "no dots"]
    assert [each.changed for each in sweep(tiny(), 1)] == [((1, severity),) for severity in range(6)]
    both = pairs(tiny(), [0, 1])
    assert [(each.condition, each.removes) for each in both] == [("no lines, no dots", None)]


def test_variants_draw_the_same_texts_and_other_pictures() -> None:
    before = DesignSubject(tiny()).samples(20, 3)
    for variant in (*removals(tiny()), at(tiny(), [(0, 5)])):
        after = DesignSubject(variant.design).samples(20, 3)
        assert [(each.id, each.text) for each in before] == [(each.id, each.text) for each in after]
        assert all(a.image != b.image for a, b in zip(before, after, strict=True))
