"""Writes the files of a report: report.json, report.html, badge.svg and the contact sheet, beside the trials.

Tested in ``tests/audit/test_report.py``.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from captcha_solver.audit.attackers.cell_runner import CellRunner
from captcha_solver.audit.cells import Result, in_order, read_files
from captcha_solver.audit.facts import FACTS, Facts, read_facts
from captcha_solver.audit.findings import findings
from captcha_solver.audit.pages import page
from captcha_solver.audit.report import Report, build
from captcha_solver.errors import SetupError
from captcha_solver.files import write_whole
from captcha_solver.image import encode_png
from captcha_solver.report_files import BADGE_FILE, HTML_FILE, JSON_FILE, SHEET_FILE
from captcha_solver.sheet import SheetAnswer, SheetCell, contact_sheet

SHOWN = 12  # images of each kind, solved and unsolved


def write_report(report: Report, out: Path, sheet_png: bytes | None) -> None:
    """Write the files of a report."""
    files = {
        JSON_FILE: report.to_json() + "\n",
        HTML_FILE: page.html(report, sheet_png),
        BADGE_FILE: page.badge(report),
    }
    _write(out, {name: text.encode() for name, text in files.items()})
    if sheet_png is not None:
        _write(out, {SHEET_FILE: sheet_png})


def rewrite_report(folder: Path) -> Report:
    """Compute the report of the audit in ``folder`` again from what it has measured, and write it there."""
    report = build(read_facts(folder), in_order(read_files(folder).results))
    sheet_file = folder / SHEET_FILE
    write_report(report, folder, sheet_file.read_bytes() if sheet_file.exists() else None)
    return report


def write_facts(facts: Facts, out: Path) -> None:
    """Write what a report rests on besides its trials."""
    _write(out, {FACTS: facts.to_json().encode()})


def _write(out: Path, files: Mapping[str, bytes]) -> None:
    """Write files, each whole or not at all."""
    try:
        for name, data in files.items():
            write_whole(out / name, data)
    except OSError as error:
        raise SetupError(f"{out}: could not write the report ({error.strerror}); the trials are kept") from error


def sheet(cell_runner: CellRunner, results: Sequence[Result], *, fold_case: bool) -> bytes | None:
    """PNG of images that the best attack solved and did not, the surest answers of each first."""
    best = findings.best_of(results, fold_case=fold_case)
    if best is None:
        return None
    images = {sample.id: sample for sample in cell_runner.tested(best.cell.condition)}
    ordered = sorted(best.trials, key=lambda trial: -trial.confidence)
    chosen = []
    for wanted in (True, False):
        kind = [trial for trial in ordered if trial.solved(fold_case=fold_case) is wanted]
        chosen += kind[:SHOWN]
    cells = [
        SheetCell(
            images[o.sample].image,
            f"{'solved' if o.solved(fold_case=fold_case) else 'not solved'}, {o.confidence:.2f}",
            o.truth,
            (SheetAnswer(best.cell.attack, o.text, o.solved(fold_case=fold_case)),),
        )
        for o in chosen
        if o.sample in images
    ]
    return encode_png(contact_sheet(cells)) if cells else None
