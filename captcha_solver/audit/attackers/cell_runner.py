"""Runs cells: draws the images of each variant, prepares each attacker once, and has them read."""

import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from captcha_solver.attempt import attempt
from captcha_solver.audit.attackers.attacks import ATTACKS, UNLIMITED_IMAGES, AttackInputs, PreparedAttack
from captcha_solver.audit.attackers.perturb import PERTURBED_CONDITIONS, WASHES, Adversary, Perturbation
from captcha_solver.audit.cells import BASE, UNLIMITED, Cell, Result, trials_of
from captcha_solver.audit.findings.legibility import legibility
from captcha_solver.audit.subjects.duplicates import apart
from captcha_solver.audit.subjects.split import LABEL_SEED, TEST_SEED, Split, part_seed
from captcha_solver.audit.subjects.subject import DesignSubject, Subject
from captcha_solver.audit.subjects.variants import Variant
from captcha_solver.audit_settings import AuditSettings
from captcha_solver.designs.write import to_toml
from captcha_solver.image import encode_png, read_image
from captcha_solver.models.bundle import load_bundle, shipped_bundles
from captcha_solver.types import Sample

MODELS = "models"
LEGIBLE_TEXTS = 200
PERTURBED = 200  # tested images that are perturbed: a gradient costs more than reading


@dataclass(slots=True)
class CellRunner:
    """Where an audit's cells are done. ``variants`` are the changed designs, by condition."""

    subject: Subject
    split: Split
    settings: AuditSettings
    folder: Path
    variants: dict[str, Variant] = field(default_factory=dict)
    _prepared: dict[str, PreparedAttack] = field(default_factory=dict)
    _tested: dict[str, Sequence[Sample]] = field(default_factory=dict)
    _legible: dict[str, float] = field(default_factory=dict)
    _adversary: Adversary | None = None

    def do(self, cell: Cell, until: float = math.inf) -> Result:
        """Train what must be trained, and read the tested images of the cell's condition.

        ``until`` (``time.monotonic``): a training that is not done by then raises ``OutOfTimeError``.
        """
        tested = self.tested(cell.condition)
        prepared = self._prepare(cell, until)
        solutions = prepared.read(tested)
        if cell.condition in self.variants:
            self.legibility([cell.condition])  # now, while the time that it takes is counted
        return Result(
            cell=cell,
            trials=trials_of(cell, tested, solutions, self.settings.answer),
            train_core_s=round(prepared.core_s, 1),
            train_accuracy=prepared.train_accuracy,
            ms_per_solve=round(sum(each.elapsed_ms for each in solutions) / max(len(solutions), 1), 3),
            model_sha256=prepared.model_sha256,
        )

    def tested(self, condition: str) -> Sequence[Sample]:
        """The images that every attack reads under a condition; of a variant, the same texts as of the design."""
        if condition == BASE:
            return self.split.tested
        if condition not in self._tested and (perturbed := PERTURBED_CONDITIONS.get(condition)):
            if perturbed.wash is None:
                self._tested[condition] = self._perturbed(self.split.tested[:PERTURBED], perturbed.how)
            else:
                self._tested[condition] = washed(self.tested(perturbed.how.name), perturbed.wash)
        elif condition not in self._tested:
            subject = DesignSubject(self.variants[condition].design)
            seed = part_seed(self.settings.seed, TEST_SEED)
            self._tested[condition] = subject.samples(self.settings.tested, seed)
        return self._tested[condition]

    def legibility(self, conditions: Iterable[str]) -> dict[str, float]:
        """Mean of the legibility proxy under each condition, on the same texts; nothing of designs that cannot draw."""
        if self.subject.design is None:
            return {}
        texts = [sample.text for sample in self.split.tested[:LEGIBLE_TEXTS]]
        for condition in set(conditions) - set(self._legible):
            design = self.subject.design if condition == BASE else self.variants[condition].design
            self._legible[condition] = round(float(legibility(design, texts, self.settings.seed).mean()), 6)
        return {condition: self._legible[condition] for condition in sorted(conditions)}

    def must_train(self, cell: Cell) -> bool:
        """Whether the attacker of a cell is still to be trained."""
        return cell.labels != 0 and ATTACKS[cell.attack].trains and _key(cell) not in self._prepared

    def _prepare(self, cell: Cell, until: float) -> PreparedAttack:
        """The attacker of a cell; one is made once, and tested wherever they are needed."""
        key = _key(cell)
        if key not in self._prepared:
            folder = self.folder / MODELS / hashlib.sha256(key.encode()).hexdigest()[:16]
            folder.mkdir(parents=True, exist_ok=True)
            inputs = AttackInputs(
                labelled=self._labelled(cell),
                design_file=self._design_file(cell, folder),
                seed=self.settings.seed + cell.seed,
                folder=folder,
                fold_case=self.settings.fold_case,
                answer=self.settings.answer,
                infer=self.settings.infer,
                until=until,
            )
            self._prepared[key] = ATTACKS[cell.attack].prepare(cell.labels, inputs)
        return self._prepared[key]

    def _perturbed(self, samples: Sequence[Sample], how: Perturbation) -> list[Sample]:
        """The samples, perturbed against the shipped sliding network; unreadable ones stay as they are."""
        read = [(sample, attempt(read_image, sample.image).value) for sample in samples]
        fit = [(sample, image) for sample, image in read if image is not None]
        if self._adversary is None:
            self._adversary = Adversary(load_bundle(shipped_bundles()["sliding"]))
        changed = self._adversary.perturb([image for _, image in fit], [sample.text for sample, _ in fit], how)
        by_id = {sample.id: encode_png(image) for (sample, _), image in zip(fit, changed, strict=True)}
        return [replace(sample, image=by_id.get(sample.id, sample.image)) for sample in samples]

    def _labelled(self, cell: Cell) -> Sequence[Sample]:
        if cell.labels == 0 or (cell.labels == UNLIMITED and self.subject.design is not None):
            return ()
        if perturbed := PERTURBED_CONDITIONS.get(cell.trained_on):
            return self._perturbed(self.split.labelled(cell.labels), perturbed.how)
        count = UNLIMITED_IMAGES if cell.labels == UNLIMITED else cell.labels
        if cell.trained_on == BASE and count <= len(self.split.pool):
            return self.split.labelled(count)
        design = self.variants[cell.trained_on].design if cell.trained_on != BASE else None
        subject = DesignSubject(design) if design is not None else self.subject
        drawn = subject.samples(count, part_seed(self.settings.seed, LABEL_SEED))
        return apart(drawn, self.tested(cell.trained_on))

    def _design_file(self, cell: Cell, folder: Path) -> Path | None:
        """The TOML file of what an attacker with a generator draws from."""
        if cell.labels != UNLIMITED:
            return None
        design = self.subject.design if cell.trained_on == BASE else self.variants[cell.trained_on].design
        if design is None:
            return None
        path = folder / "design.toml"
        path.write_text(to_toml(design), encoding="utf-8")
        return path


def washed(samples: Sequence[Sample], wash: str) -> list[Sample]:
    """The samples after one of ``WASHES``; unreadable ones stay as they are."""
    read = [(sample, attempt(read_image, sample.image).value) for sample in samples]
    return [
        sample if image is None else replace(sample, image=encode_png(WASHES[wash](image))) for sample, image in read
    ]


def _key(cell: Cell) -> str:
    """What an attacker is made from: the same one is tested under several conditions."""
    return "|".join((cell.attack, str(cell.labels), cell.trained_on, str(cell.seed)))
