"""Finished audits of each kind of subject, made in a second by attackers without a network."""

import hashlib
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from captcha_solver.audit.attackers import cell_runner as cell_runner
from captcha_solver.audit.attackers.attacks import ATTACKS, AttackInputs, PreparedAttack
from captcha_solver.audit.attackers.perturb import Perturbation
from captcha_solver.audit.campaign import Campaign
from captcha_solver.audit.report import Report
from captcha_solver.audit.subjects.subject import CommandSubject, DesignSubject, FolderSubject, Subject, open_subject
from captcha_solver.audit_settings import AuditSettings
from captcha_solver.dataset import write_folder
from captcha_solver.designs.external import ExternalCommand
from captcha_solver.errors import OptionError
from captcha_solver.image import read_image
from captcha_solver.models.bundle import Bundle
from captcha_solver.types import Reading, Rgb, Sample, Solution
from tests.audit.fake_attackers import images, tiny, use_fakes

SMALL = AuditSettings(budgets=(0, 20, 40), tested=40, seed=3)
CLEAN = 0.25  # the share of dark pixels from which on an image cannot be read
PROGRAM = """
import sys
from pathlib import Path
from captcha_solver.dataset import write_folder
from captcha_solver.cli.demo import drawn
count, out, seed = int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
write_folder(drawn("plain", range(seed * 1000, seed * 1000 + count), 0), out)
"""


@dataclass(frozen=True, slots=True)
class Squinting:
    """Reads what is not too dark, all but a share that shrinks with labels; 40 are beyond one of them."""

    name: str
    trains: bool = True

    def missing(self) -> str | None:
        return None

    def prepare(self, labels: int, inputs: AttackInputs) -> PreparedAttack:
        if labels == 40 and self.name == "segmented":
            raise OptionError("expected labels that this attacker can learn, received 40")
        own = 1.0 if labels else None
        sha256 = hashlib.sha256(self.name.encode()).hexdigest()
        return PreparedAttack(lambda samples: [self._solution(each, labels) for each in samples], sha256, 2.5, own)

    def _solution(self, sample: Sample, labels: int) -> Solution:
        luck = hashlib.sha256(f"{self.name}{sample.text}".encode()).digest()[0] / 256
        dark = float((read_image(sample.image) < 128).mean())
        right = dark < CLEAN and luck < (0.9 if labels else 0.4)
        text = sample.text if right else "9" + sample.text[1:] + "1" * (luck > 0.95)
        return Solution(Reading(text, (), 1 - luck), self.name, self.name, 1.5, None)


class Greying:
    """Perturbs without a network: a little darker."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle

    def perturb(self, given: Sequence[Rgb], texts: Sequence[str], how: Perturbation) -> list[Rgb]:
        return [np.clip(each.astype(int) - how.levels, 0, 255).astype(np.uint8) for each in given]


def use_squinting(patch: pytest.MonkeyPatch) -> None:
    """Have audits made of these attackers alone."""
    use_fakes(patch)
    for name in ("segmented", "sliding"):
        patch.setitem(ATTACKS, name, Squinting(name))
    patch.setattr(cell_runner, "Adversary", Greying)
    patch.setattr(cell_runner, "UNLIMITED_IMAGES", 40)


def draw(rng: np.random.Generator) -> tuple[NDArray[np.uint8], str]:
    """What an owner's own function may look like."""
    image = rng.integers(0, 256, (24, 60, 3)).astype(np.uint8)
    return image, "".join(map(str, rng.integers(0, 10, 4)))


def subjects(home: Path) -> dict[str, Subject]:
    """One of each kind; files that they need lie in ``home``."""
    write_folder(images(90), home / "shop")
    (home / "program.py").write_text(PROGRAM, encoding="utf-8")
    argv = (sys.executable, str(home / "program.py"), "{count}", "{out}", "{seed}")
    return {
        "design": DesignSubject(tiny()),
        "folder": FolderSubject(home / "shop"),
        "command": CommandSubject("program", ExternalCommand(argv, "")),
        "callable": open_subject("tests.audit.audited:draw"),
    }


def audited(home: Path, kinds: Collection[str]) -> Path:
    """``home``, with a finished audit of a subject of each of these kinds in a folder of its name."""
    with pytest.MonkeyPatch.context() as patch:
        use_squinting(patch)
        for kind, subject in subjects(home).items():
            if kind in kinds:
                audit(subject, home / kind)
    return home


def audit(subject: Subject, out: Path, settings: AuditSettings = SMALL) -> Report:
    """The report of a finished audit of ``subject`` in ``out``."""
    return Campaign(subject, settings, out, improve=True).run()
