"""Attacks the designs of a panel under its budget, and writes one JSON file a design; it can be resumed."""

import base64
import hashlib
import json
from collections.abc import Callable, Collection
from dataclasses import replace
from functools import cache
from pathlib import Path

import cv2
import msgspec
import numpy as np

from captcha_solver.audit.attackers.attacks import MODELS
from captcha_solver.audit.campaign import Campaign
from captcha_solver.audit.findings.legibility import legibility
from captcha_solver.audit.leaderboard import page as leaderboard_page
from captcha_solver.audit.leaderboard.entry import ENTRY_VERSION, Entry, Legibility, Terms, kept, parse_entry
from captcha_solver.audit.leaderboard.panel import Entrant, Panel
from captcha_solver.audit.leaderboard.standings import Standing, ranked, standing
from captcha_solver.audit.subjects.subject import Subject, open_subject
from captcha_solver.dataset import writable_folder
from captcha_solver.designs.drawing.draw import random_texts
from captcha_solver.designs.load import load_design
from captcha_solver.errors import CaptchaSolverError, OptionError, SetupError
from captcha_solver.files import write_whole
from captcha_solver.image import encode_png, read_image
from captcha_solver.models.bundle import load_bundle, shipped_bundles
from captcha_solver.training.recipes.steps import steps_for

PAGE = "index.html"
AUDITS = "audits"  # the folder of the audits, in which they are resumed
LEGIBLE_TEXTS = 200
SPECIMEN_WIDTH_PX = 160

Tell = Callable[[str, str, int, int, float], None]
"""Design, stage, cells done, cells in it, seconds that the rest of it takes."""


def run_panel(panel: Panel, out: Path, only: Collection[str] = (), tell: Tell = lambda *_: None) -> None:
    """Attack each design of the panel (of ``only``, where some are named) that has no result under these terms yet."""
    names = [entrant.name for entrant in panel.entrants]
    if unknown := sorted(set(only) - set(names)):
        raise OptionError(f"expected designs of the panel ({', '.join(names)}), received {', '.join(unknown)}")
    writable_folder(out)
    for entrant in panel.entrants:
        if (only and entrant.name not in only) or is_finished(read_entry(out, entrant), panel, entrant):
            continue
        entry = attacked(panel, entrant, out, tell)
        _write(_path(out, entrant), entry.to_json())
        write_page(panel, out)  # what is known so far: the whole panel takes hours


def write_page(panel: Panel, out: Path) -> tuple[list[Standing], dict[str, str]]:
    """Write the page on what is known of the panel in ``out``; also its rows, and design -> why it has none."""
    rows, missing = [], {}
    for entrant in panel.entrants:
        entry = read_entry(out, entrant)
        if entry is None:
            missing[entrant.name] = "it was not attacked yet"
        elif not stands(entry, panel, entrant):
            missing[entrant.name] = "it was attacked under other terms than those of the panel now"
        elif entry.missing:
            missing[entrant.name] = entry.missing
        else:
            earlier = entry.terms != terms(panel, entrant)
            rows.append(standing(entrant, entry, panel.settings.prices, earlier=earlier))
    rows = ranked(rows)
    _write(out / PAGE, leaderboard_page.html(panel, rows, missing))
    return rows, missing


def attacked(panel: Panel, entrant: Entrant, out: Path, tell: Tell) -> Entry:
    """The entry of one design; of one that cannot be drawn or audited, why."""
    known = Entry(ENTRY_VERSION, entrant.name, panel.sha256, terms(panel, entrant))
    try:
        subject = open_subject(entrant.name)
        folder = out / AUDITS / f"{entrant.name}-{_fingerprint(known.terms)}"
        report = Campaign(subject, panel.settings, folder, lambda *where: tell(entrant.name, *where)).run()
        shown = specimen(subject, panel.settings.seed)
        known = replace(known, summary=load_design(entrant.name).summary, specimen=shown)
    except CaptchaSolverError as error:
        return replace(known, missing=str(error))
    if report.best is None:
        return replace(known, missing=f"nothing was measured: {report.left_out[0].why}")
    return replace(known, legibility=_legible(subject, panel.settings.seed), report=kept(report))


def terms(panel: Panel, entrant: Entrant) -> Terms:
    """All that must be the same for a result to stand, the attackers included."""
    return Terms(
        generator=entrant.generator,
        version=entrant.version,
        seed=panel.settings.seed,
        tested=panel.settings.tested,
        budgets=panel.settings.budgets,
        fold_case=panel.settings.fold_case,
        attackers=_attackers(),
        steps={str(labels): steps_for(labels) for labels in panel.settings.budgets if labels},
    )


def stands(entry: Entry, panel: Panel, entrant: Entrant) -> bool:
    """Whether an entry may be shown: made under the panel's terms, perhaps with earlier models (the row says so)."""
    return replace(entry.terms, attackers=_attackers()) == terms(panel, entrant)


def is_finished(entry: Entry | None, panel: Panel, entrant: Entrant) -> bool:
    """Whether an entry holds all that the panel asks for; else the design is attacked again."""
    if entry is None or not entry.report or entry.terms != terms(panel, entrant):
        return False
    return not entry.report.left_out


def read_entry(out: Path, entrant: Entrant) -> Entry | None:
    """What is known of a design in ``out``; None where it was not attacked there."""
    return parse_entry(_path(out, entrant))


def specimen(subject: Subject, seed: int) -> str:
    """An image as the design draws it, as a ``data:`` address; a wide one is made smaller."""
    image = read_image(subject.samples(1, seed)[0].image)
    height, width = image.shape[:2]
    if width > SPECIMEN_WIDTH_PX:
        size = (SPECIMEN_WIDTH_PX, max(1, round(height * SPECIMEN_WIDTH_PX / width)))
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    return "data:image/png;base64," + base64.b64encode(encode_png(image)).decode()


@cache
def _attackers() -> dict[str, str]:
    """SHA-256 of the shipped model that each attacker starts from."""
    bundles = shipped_bundles()
    return {attack.name: load_bundle(bundles[attack.name]).sha256 for attack in MODELS}


def _legible(subject: Subject, seed: int) -> Legibility | None:
    """The mean of the legibility proxy; None of a design that does not tell whose ink is whose."""
    if subject.design is None:
        return None
    texts = random_texts(subject.design, LEGIBLE_TEXTS, np.random.default_rng([seed, 0]))
    return Legibility(round(float(legibility(subject.design, texts, seed).mean()), 6), LEGIBLE_TEXTS)


def _path(out: Path, entrant: Entrant) -> Path:
    return out / f"{entrant.name}.json"


def _fingerprint(terms: Terms) -> str:
    """So that an audit under other terms gets a folder of its own."""
    return hashlib.sha256(json.dumps(msgspec.to_builtins(terms), sort_keys=True).encode()).hexdigest()[:8]


def _write(path: Path, text: str) -> None:
    try:
        write_whole(path, text.encode())
    except OSError as error:
        raise SetupError(f"{path}: could not write ({error.strerror}); the audits are kept in {AUDITS}") from error
