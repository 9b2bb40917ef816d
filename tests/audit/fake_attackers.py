"""Attackers without a network, and images for them: a whole audit in a second."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from captcha_solver.audit import campaign, plan
from captcha_solver.audit.attackers.attacks import ATTACKS, AttackInputs, PreparedAttack
from captcha_solver.audit.subjects.subject import GivenSubject
from captcha_solver.cli.demo import drawn
from captcha_solver.designs.design import Design
from captcha_solver.designs.load import parse_design
from captcha_solver.types import Reading, Sample, Solution

TINY = """
name = "tiny"
[canvas]
width_px = 90
height_px = 36
[text]
charset = "digits"
length = 4
[[distortion]]
kind = "lines"
[[distortion]]
kind = "dots"
"""


@dataclass(frozen=True, slots=True)
class Fake:
    """Reads every image whose hash is even, and with labels every one but each fifth. ``arming`` runs before."""

    name: str
    trains: bool = True
    arming: Callable[[AttackInputs], None] = lambda _: None
    prepared: list[tuple[int, int]] = field(default_factory=list)  # labels asked for, images given

    def missing(self) -> str | None:
        return None

    def prepare(self, labels: int, inputs: AttackInputs) -> PreparedAttack:
        self.arming(inputs)
        self.prepared.append((labels, len(inputs.labelled)))
        return PreparedAttack(
            lambda samples: [self._solution(sample, labels) for sample in samples],
            hashlib.sha256(self.name.encode()).hexdigest(),
        )

    def _solution(self, sample: Sample, labels: int) -> Solution:
        number = hashlib.sha256(sample.image).digest()[0]
        right = number % 5 > 0 if labels else number % 2 == 0
        return Solution(Reading(sample.text if right else "?", (), number / 256), self.name, self.name, 2.0, None)


def use_fakes(patch: pytest.MonkeyPatch, arming: Callable[[AttackInputs], None] = lambda _: None) -> dict[str, Fake]:
    """Have audits made of fake attackers alone."""
    fakes = {name: Fake(name, arming=arming) for name in ("segmented", "sliding")}
    for name, fake in fakes.items():
        patch.setitem(ATTACKS, name, fake)
    patch.setattr(plan, "STOCK", ())
    patch.setattr(campaign, "STOCK", ())
    patch.setattr(campaign, "untrainable", lambda: None)
    return fakes


def tiny() -> Design:
    return parse_design(TINY, "tiny.toml")


def images(count: int, design: str = "plain") -> list[Sample]:
    """Drawn images that differ, named as in a folder."""
    return [Sample(f"{each.id}.png", each.image, each.text, "shop") for each in drawn(design, range(count), 0)]


def shop(samples: Sequence[Sample]) -> GivenSubject:
    return GivenSubject("shop", tuple(samples))
