"""``audit --queue``: a subject on this machine is audited by a service, and the report's files are fetched.

Tested in ``tests/api/routes/test_audits.py``.
"""

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from captcha_solver.audit.facts import FACTS
from captcha_solver.audit.report import Report, parse_report
from captcha_solver.audit.subjects.split import TEST_SHARE
from captcha_solver.audit.subjects.subject import DesignSubject, FolderSubject, Subject, open_subject
from captcha_solver.audit_settings import AuditSettings
from captcha_solver.cli.output import complain, warn_each
from captcha_solver.client.address import is_local
from captcha_solver.client.audits import TOML, ZIP, AuditState, Order, begin, files, wait
from captcha_solver.client.parcels import Parcel, ParcelLimits, packed, survey
from captcha_solver.client.patience import Patience
from captcha_solver.client.service import ServiceClient
from captcha_solver.dataset import labelled_rows, writable_folder, write_folder
from captcha_solver.designs.load import builtin_designs
from captcha_solver.errors import DatasetError, ServiceError, SetupError
from captcha_solver.folders.labels_csv import LABELS, LabelUse
from captcha_solver.report_files import BADGE_FILE, CELLS, HTML_FILE, JSON_FILE, SHEET_FILE, TRIALS
from captcha_solver.terminal import status_line

DRAWN = "drawn"  # in the folder of the audit: what another program drew for it
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._:+-]{0,99}")  # as the service takes it
WANTED = frozenset({FACTS, JSON_FILE, HTML_FILE, BADGE_FILE, SHEET_FILE, TRIALS, CELLS})
RETRY_FOR_S = 300.0


@dataclass(frozen=True, slots=True)
class Place:
    """A service: where it is, and the key to it."""

    url: str
    key: str | None


@dataclass(frozen=True, slots=True)
class QueueRequest:
    """What is to be audited, as the command line has it, and how."""

    subject: str
    command: Sequence[str] | None
    settings: AuditSettings
    improve: bool


def audit_queued(request: QueueRequest, place: Place, out: Path) -> Report:
    """Have a service do an audit, and write its report's files into ``out``; the report.

    The same command, run again, finds the same audit and waits for it.
    """
    writable_folder(out)
    order = order_of(request, out)
    _warn_of_plain_text(place)
    patience = Patience(RETRY_FOR_S, lambda text: complain(text, kind="note"))
    with ServiceClient(place.url, place.key, patience) as service:
        audit = begin(service, order)
        complain(f"audit {audit.id} is {audit.status}", kind="note")
        try:
            found = files(service, _waited(service, audit), WANTED)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"interrupted; audit {audit.id} runs without this client; the same command waits for it again"
            ) from None
    _write(found, out)
    if JSON_FILE not in found:
        raise ServiceError(f"expected {JSON_FILE} among the files of audit {audit.id}, received {sorted(found)}")
    try:
        return parse_report(found[JSON_FILE])
    except ValueError as error:
        raise ServiceError(f"{JSON_FILE} of audit {audit.id}: {error}") from error


def order_of(request: QueueRequest, out: Path) -> Order:
    """What is sent: a design as its TOML text, all else as images; those that a program here draws lie in ``out``."""
    subject = open_subject(request.subject, command=request.command)
    options = _options(subject, request)
    if isinstance(subject, DesignSubject):
        path = builtin_designs().get(request.subject) or Path(request.subject)
        return Order(TOML, path.read_bytes(), options)
    folder = subject.folder if isinstance(subject, FolderSubject) else _drawn(subject, request.settings, out / DRAWN)
    return Order(ZIP, _zip(folder), options)


def images_needed(settings: AuditSettings) -> int:
    """How many images a folder must have, so that the labels are there and as many are tested as asked for."""
    return max(settings.tested + max(settings.budgets), math.ceil(settings.tested / TEST_SHARE))


def _options(subject: Subject, request: QueueRequest) -> dict[str, str]:
    settings = request.settings
    options = {
        "budgets": ",".join(map(str, settings.budgets)),
        "tested": str(settings.tested),
        "seed": str(settings.seed),
        "fold_case": json.dumps(settings.fold_case),
        "infer": json.dumps(settings.infer),
        "improve": json.dumps(request.improve),
        "price_core_hour": repr(float(settings.prices.core_hour)),
        "price_label": repr(float(settings.prices.label)),
        "price_attempt": repr(float(settings.prices.attempt)),
    }
    if settings.answer is not None:
        options["answer"] = settings.answer
    if settings.minutes is not None:
        options["minutes"] = repr(float(settings.minutes))
    if NAME.fullmatch(subject.name):
        options["name"] = subject.name
    return options


def _drawn(subject: Subject, settings: AuditSettings, folder: Path) -> Path:
    """The folder of what a program draws for this audit: drawn once, so that the same command sends the same."""
    if not (folder / LABELS).exists():
        write_folder(subject.samples(images_needed(settings), settings.seed), folder)
    return folder


def _zip(folder: Path) -> bytes:
    """A zip of the labelled images of a folder, in the order of its labels."""
    labels = {row.filename: row.label for row in labelled_rows(folder)}
    found = survey(folder, ParcelLimits())
    entries = {entry.file: entry for entry in found.entries}
    unlabelled = len(entries.keys() - labels.keys())
    notes = list(LabelUse(0, 0, unlabelled).told)
    lost = [f"{each.file}: {each.failure}" for each in found.entries if each.failure and labels.get(each.file)]
    warn_each([f"{folder}: {problem}" for problem in (*found.problems, *lost)])
    warn_each([f"{folder}: {note}" for note in (*notes, *found.notes)], kind="note")
    parcel = Parcel(folder, tuple(entries[name] for name, label in labels.items() if label))
    if not parcel.sent:
        raise DatasetError(f"{folder}: expected labelled images, received none that can be sent; {(*lost, '')[0]}")
    with packed(parcel, all_rows=True) as archive:
        return archive.read()


def _waited(service: ServiceClient, audit: AuditState) -> AuditState:
    """The audit once it has ended; meanwhile, on a terminal, where it is."""
    with status_line() as say:
        return wait(service, audit, lambda at: say(f"{at.stage or at.status}: {at.done} of {at.total} cells so far"))


def _write(found: dict[str, bytes], out: Path) -> None:
    try:
        for name, data in found.items():
            (out / name).write_bytes(data)
    except OSError as error:
        raise SetupError(f"{out}: could not write the report ({error.strerror}); the service has it still") from error


def _warn_of_plain_text(place: Place) -> None:
    if place.key and place.url.lower().startswith("http:") and not is_local(place.url):
        complain("the key and the images go to another machine as plain text: use https", kind="warning")
