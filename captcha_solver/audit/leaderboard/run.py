"""A panel in, one JSON file a design out: its audit under the panel's budget; goes on where it stopped."""

import base64
import hashlib
import json
from collections.abc import Callable, Collection, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from captcha_solver.audit.attackers.attacks import MODELS
from captcha_solver.audit.campaign import Campaign
from captcha_solver.audit.findings.legibility import legibility
from captcha_solver.audit.leaderboard import page as leaderboard_page
from captcha_solver.audit.leaderboard.panel import Entrant, Panel
from captcha_solver.audit.leaderboard.standings import Standing, ranked, standing
from captcha_solver.audit.subjects.subject import Subject, open_subject
from captcha_solver.dataset import writable_folder
from captcha_solver.designs.drawing.draw import random_texts
from captcha_solver.designs.load import load_design
from captcha_solver.errors import CaptchaSolverError, DatasetError, OptionError, SetupError
from captcha_solver.image import encode_png, read_image
from captcha_solver.models.bundle import load_bundle, shipped_bundles
from captcha_solver.training.recipes.steps import steps_for

ENTRY_VERSION = 1
PAGE = "index.html"
ATTACKERS = "attackers"  # among the terms: the hashes of the shipped models
AUDITS = "audits"  # the folder that the audits are gone on with in
KEPT = ("design", "provenance", "attacks", "best", "curves", "thresholds", "cost", "breakdown", "flags", "left_out")
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
        _write(_path(out, entrant), json.dumps(entry, indent=1, ensure_ascii=False) + "\n")
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
        elif "missing" in entry:
            missing[entrant.name] = entry["missing"]
        else:
            earlier = entry["terms"] != terms(panel, entrant)
            rows.append(standing(entrant, entry, panel.settings.prices, earlier=earlier))
    rows = ranked(rows)
    _write(out / PAGE, leaderboard_page.html(panel, rows, missing))
    return rows, missing


def attacked(panel: Panel, entrant: Entrant, out: Path, tell: Tell) -> dict[str, Any]:
    """The entry of one design; of one that cannot be drawn or audited, why."""
    known: dict[str, Any] = {
        "entry_version": ENTRY_VERSION,
        "name": entrant.name,
        "panel_sha256": panel.sha256,
        "terms": terms(panel, entrant),
    }
    try:
        subject = open_subject(entrant.name)
        folder = out / AUDITS / f"{entrant.name}-{_fingerprint(known['terms'])}"
        report = Campaign(subject, panel.settings, folder, lambda *where: tell(entrant.name, *where)).run()
        known |= {"summary": load_design(entrant.name).summary, "specimen": specimen(subject, panel.settings.seed)}
    except CaptchaSolverError as error:
        return {**known, "missing": str(error)}
    if report["best"] is None:
        return {**known, "missing": f"nothing was measured: {report['left_out'][0]['why']}"}
    return {**known, "legibility": _legible(subject, panel.settings.seed), "report": {k: report[k] for k in KEPT}}


def terms(panel: Panel, entrant: Entrant) -> dict[str, Any]:
    """JSON: all that must be the same for a result to stand, the attackers included."""
    steps = {str(labels): steps_for(labels) for labels in panel.settings.budgets if labels}
    return panel.terms(entrant) | {ATTACKERS: _attackers(), "steps": steps}


def stands(entry: Mapping[str, Any], panel: Panel, entrant: Entrant) -> bool:
    """Whether an entry may be shown: made under the panel's terms, perhaps with earlier models (the row says so)."""
    return all(entry["terms"].get(name) == told for name, told in terms(panel, entrant).items() if name != ATTACKERS)


def is_finished(entry: Mapping[str, Any] | None, panel: Panel, entrant: Entrant) -> bool:
    """Whether an entry holds all that the panel asks for; else the design is attacked again."""
    if entry is None or "missing" in entry or entry["terms"] != terms(panel, entrant):
        return False
    return not entry["report"]["left_out"]


def read_entry(out: Path, entrant: Entrant) -> dict[str, Any] | None:
    """What is known of a design in ``out``; None where it was not attacked there."""
    path = _path(out, entrant)
    try:
        entry = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path}: expected the JSON of a leaderboard, received {error}") from error
    if not isinstance(entry, dict) or entry.get("entry_version") != ENTRY_VERSION:
        raise DatasetError(f"{path}: expected an entry of version {ENTRY_VERSION} of a leaderboard, received another")
    return entry


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


def _legible(subject: Subject, seed: int) -> dict[str, Any] | None:
    """The mean of the legibility proxy; None of a design that does not tell whose ink is whose."""
    if subject.design is None:
        return None
    texts = random_texts(subject.design, LEGIBLE_TEXTS, np.random.default_rng([seed, 0]))
    return {"mean": round(float(legibility(subject.design, texts, seed).mean()), 6), "n": LEGIBLE_TEXTS}


def _path(out: Path, entrant: Entrant) -> Path:
    return out / f"{entrant.name}.json"


def _fingerprint(terms: Mapping[str, Any]) -> str:
    """So that an audit under other terms gets a folder of its own."""
    return hashlib.sha256(json.dumps(terms, sort_keys=True).encode()).hexdigest()[:8]


def _write(path: Path, text: str) -> None:
    """Whole or not at all."""
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise SetupError(f"{path}: could not write ({error.strerror}); the audits are kept in {AUDITS}") from error
