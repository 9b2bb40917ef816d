"""What RQ runs in an audit worker: the pieces of audits, and the folders that are kept for them.

Tested in ``tests/workers/audits/test_record.py``.
"""

import shutil
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from captcha_solver.audit.attackers.cell_runner import CellRunner
from captcha_solver.audit.attackers.perturb import PERTURBED_CONDITIONS
from captcha_solver.audit.campaign import Campaign
from captcha_solver.audit.cells import BASE, Cell, Ledger, Result
from captcha_solver.audit.facts import FACTS
from captcha_solver.audit.pages import page
from captcha_solver.audit.runner import Clock, LeftOut, do_cell
from captcha_solver.audit.subjects.subject import DesignSubject, GivenSubject, Subject
from captcha_solver.designs.load import parse_design
from captcha_solver.errors import DatasetError, DesignError, ImageError, OptionError
from captcha_solver.report_files import BADGE_FILE, CELLS, HTML_FILE, JSON_FILE, MARKDOWN_FILE, SHEET_FILE, TRIALS
from workers.audits.pieces import Taken, close, extend, fail, finish, found_so_far, note_error, put, take, undone
from workers.audits.queue import AuditQueue
from workers.audits.record import Audit, packed
from workers.audits.store import samples_of, toml_of
from workers.audits.work_record import pieces_of
from workers.connection import Client
from workers.installed import Installed

TRIES = 3  # started so often without an end, a piece is given up
KEPT = 2  # audits whose images and trained attackers a worker keeps
FILES = (FACTS, JSON_FILE, HTML_FILE, BADGE_FILE, SHEET_FILE, TRIALS, CELLS)
UNFIT = (DatasetError, DesignError, ImageError, OptionError)  # the subject's or the settings' fault: no try helps


@dataclass(frozen=True, slots=True)
class OpenAudit:
    """What a worker has of one audit: its images drawn and divided, its attackers, and how long cells take here."""

    campaign: Campaign
    cell_runner: CellRunner
    clock: Clock


class PieceRunner:
    """Does pieces of audits in one process. ``home``: a folder of its own, for what is trained."""

    def __init__(self, redis: Client, queue: AuditQueue, home: Path) -> None:
        self.redis = redis
        self.queue = queue
        self.chunks_done = 0
        self.told_to_stop: Callable[[], bool] = lambda: False
        self._home = home
        self._open: OrderedDict[str, OpenAudit] = OrderedDict()

    def do(self, audit_id: str, number: int) -> None:
        """Do all that is undone of a piece. Run again, by any worker, it resumes where it was left."""
        taken = take(self.redis, audit_id, number)
        if taken is None:
            return
        if taken.attempt > TRIES:
            self._give_up(taken)
            return
        try:
            opened = self._opened(taken)
            if opened is None:
                return
            if taken.piece.cells:
                self._cells(taken, opened)
            else:
                self._plan(taken, opened)
        except Exception as error:  # whatever it is, it is tried again, and told if that does not help
            note_error(self.redis, taken, error)
            raise
        self.chunks_done += 1

    def _cells(self, taken: Taken, opened: OpenAudit) -> None:
        cells = undone(self.redis, taken)
        if not all(_known(cell, opened.cell_runner) for cell in cells):
            results, left_out = found_so_far(self.redis, taken.audit)
            opened.campaign.due(opened.cell_runner, results, [each.cell for each in left_out])  # makes the variants
        for cell in cells:
            if self.told_to_stop() or not put(self.redis, taken, do_cell(cell, opened.cell_runner, opened.clock)):
                return  # what is undone is queued again, unless the audit was stopped
        close(self.redis, self.queue, taken)

    def _plan(self, taken: Taken, opened: OpenAudit) -> None:
        """Queue what can be done next; at the end, the report."""
        results, left_out = found_so_far(self.redis, taken.audit)
        stages = opened.campaign.due(opened.cell_runner, results, [each.cell for each in left_out])
        if stages:
            extend(self.redis, self.queue, taken, pieces_of(stages))
        else:
            finish(self.redis, taken, _files(opened, results, left_out))
            self._drop(taken.audit.id)

    def _give_up(self, taken: Taken) -> None:
        why = f"given up after {TRIES} tries: {taken.error or 'the worker died each time'}"
        if not taken.piece.cells:
            fail(self.redis, taken, why)
            return
        for cell in undone(self.redis, taken):
            put(self.redis, taken, LeftOut(cell, why))
        close(self.redis, self.queue, taken)

    def _opened(self, taken: Taken) -> OpenAudit | None:
        """Where the audit's cells are done, kept from its earlier pieces; None where it cannot be audited at all."""
        audit = taken.audit
        if audit.id not in self._open:
            while len(self._open) >= KEPT:
                self._drop(next(iter(self._open)))
            try:
                self._open[audit.id] = self._made(audit)
            except UNFIT as error:
                fail(self.redis, taken, str(error))
                return None
        self._open.move_to_end(audit.id)
        return self._open[audit.id]

    def _made(self, audit: Audit) -> OpenAudit:
        folder = self._home / audit.id
        folder.mkdir(parents=True, exist_ok=True)
        campaign = Campaign(subject_of(self.redis, audit), audit.settings, folder, improve=audit.improve)
        ran_s = time.time() - (audit.started_at or time.time())
        clock = Clock(audit.settings.minutes, began=time.monotonic() - ran_s)
        return OpenAudit(campaign, campaign.cell_runner(), clock)

    def _drop(self, audit_id: str) -> None:
        self._open.pop(audit_id, None)
        shutil.rmtree(self._home / audit_id, ignore_errors=True)


def subject_of(redis: Client, audit: Audit) -> Subject:
    """What an audit is about. A design that is a command never gets here: the API refuses it, and so does this."""
    if audit.source == "images":
        return GivenSubject(audit.name, samples_of(redis, audit), notes=audit.notes)
    design = parse_design(toml_of(redis, audit), audit.name)
    if design.command is not None:
        raise OptionError(f"{audit.name}: expected a design that is drawn here, received one that is a command")
    return DesignSubject(design)


def _known(cell: Cell, cell_runner: CellRunner) -> bool:
    """Whether a worker knows what the conditions of a cell are."""
    return {cell.condition, cell.trained_on} <= {BASE, *cell_runner.variants, *PERTURBED_CONDITIONS}


def _files(opened: OpenAudit, results: Sequence[Result], left_out: Sequence[LeftOut]) -> dict[str, bytes]:
    """The files of the report, packed, as a local audit writes them; and a summary besides."""
    out = opened.campaign.out
    ledger = Ledger(out)
    for result in results:
        if result.cell not in ledger:
            ledger.add(result)
    ledger.settle()
    report = opened.campaign.finish(opened.cell_runner, ledger.results, left_out)
    files = {name: packed((out / name).read_bytes()) for name in FILES if (out / name).exists()}
    return files | {MARKDOWN_FILE: packed(page.markdown(report).encode())}


INSTALLED: Installed[PieceRunner] = Installed(
    "this process does no audits: start workers with python -m workers --audits"
)


def do_piece(audit_id: str, number: int) -> None:
    """RQ's task: do the piece ``number`` of an audit."""
    INSTALLED.runner.do(audit_id, number)
