"""Reads the body and query of ``POST /v1/audits`` as a checked subject and settings.

Tested in ``tests/api/routes/test_audits.py``.
"""

import asyncio
import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from typing import IO, TYPE_CHECKING, Any

from fastapi import Request

from api.problems import Problem
from api.requests.archive import Archive, ArchiveLimits
from api.requests.audit_schemas import AuditOptions, AuditRequest
from api.requests.bodies import is_zip, json_body, media_type, spooled, unsupported, validated, whole_body
from api.requests.uploads import JSON, RAW, ZIP, ZIP_ALSO
from captcha_solver.audit_settings import BUDGETS, FEWEST_TESTED, AuditSettings, Prices
from captcha_solver.errors import DesignError
from workers.audits.record import Audit
from workers.jobs.record import Upload
from workers.settings import Settings

if TYPE_CHECKING:
    from captcha_solver.designs.design import Design

TOML = "application/toml"
LARGEST_TOML = 64 * 1024
MOST_DISTORTIONS = 64  # each makes a dozen cells
MOST_PIXELS = 2 * 10**9  # of all that is drawn at first, labelled and tested
USUAL_NAME, LONGEST_NAME = "uploaded", 100


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be audited, and how. ``images``: the archive, where it is no design."""

    name: str
    source: str
    toml: str
    images: Archive | None
    settings: AuditSettings
    improve: bool

    def labelled(self) -> Iterator[Upload]:
        """The images that have a label, in the order of the archive."""
        return (upload for upload in self.images or () if upload.label)

    @property
    def count(self) -> int:
        """How many images have a label."""
        return len(self.images.labels) if self.images else 0

    def audit(self, owner: str) -> Audit:
        """The record of the audit, without an id and a time yet."""
        notes = self.images.label_use.told if self.images else ()
        return Audit("", owner, self.name, self.source, self.settings, 0.0, 0.0, self.improve, self.count, notes)

    def fingerprint(self) -> str:
        """SHA-256 of all that is asked for: the same for the same request sent again."""
        told = [self.name, self.source, self.toml, asdict(self.settings), self.improve]
        whole = hashlib.sha256(json.dumps(told).encode())
        for upload in self.labelled():
            whole.update(json.dumps([upload.name, upload.label]).encode() + hashlib.sha256(upload.image).digest())
        return whole.hexdigest()


async def read_audit(request: Request, settings: Settings) -> Asked:
    """What a request asks for: a stored design by name, a design as TOML, or a zip of labelled images.

    The latter two also as ``application/octet-stream``, which is what generated clients send: they are told by content.
    """
    media = media_type(request)
    query = _query(request)
    if media == JSON:
        body = await json_body(request, AuditRequest)
        assert isinstance(body, AuditRequest)
        own = body.model_dump(exclude={"design"}, exclude_unset=True)
        return await asyncio.to_thread(_stored, body.design, query.model_copy(update=own))
    if media == TOML:
        text = await whole_body(request, LARGEST_TOML)
        return await asyncio.to_thread(_written, text, query)
    if media in (ZIP, ZIP_ALSO, RAW):
        file = await spooled(request, settings.max_body)
        if media == RAW and not is_zip(file):
            return await asyncio.to_thread(_written, _short(file), query)
        limits = ArchiveLimits(settings.max_files, settings.max_file, settings.max_audit)
        return _uploaded(await asyncio.to_thread(Archive, file, limits), query)
    raise unsupported(media, (JSON, TOML, ZIP, RAW))


def _short(file: IO[bytes]) -> bytes:
    """The bytes of a design; ``Problem`` 413 where they are too many for one."""
    data = file.read(LARGEST_TOML + 1)
    if len(data) > LARGEST_TOML:
        detail = f"expected a zip, or a design of at most {LARGEST_TOML:,} bytes, received more that is no zip"
        raise Problem(413, "too_large", detail)
    return data


@cache
def drawable() -> dict[str, "Design"]:
    """The stored designs that are drawn here: those of other programs are none that a request may start."""
    from captcha_solver.designs.load import builtin_designs, load_design  # here: drawing loads OpenCV

    found = {name: load_design(name) for name in builtin_designs()}
    return {name: design for name, design in found.items() if design.command is None}


def _stored(name: str, options: AuditOptions) -> Asked:
    from captcha_solver.designs.write import to_toml

    if name not in drawable():
        known = ", ".join(drawable())
        raise Problem(422, "unknown_design", f"expected a design among {known}, received {name[:60]!r}")
    return _asked(name, "design", to_toml(drawable()[name]), None, options)


def _written(data: bytes, options: AuditOptions) -> Asked:
    from captcha_solver.designs.load import parse_design

    name = options.name or USUAL_NAME
    try:
        text = data.decode("utf-8-sig")
        design = parse_design(text, name)
    except UnicodeDecodeError as error:
        raise Problem(422, "invalid_request", f"expected a design in UTF-8, received: {error.reason}") from error
    except RecursionError as error:
        raise DesignError("expected the TOML of a design, received tables within tables without end") from error
    if design.command is not None:
        raise Problem(422, "invalid_request", "expected a design that is drawn here, received one that is a command")
    if len(design.distortions) > MOST_DISTORTIONS:
        received = len(design.distortions)
        raise Problem(422, "invalid_request", f"expected at most {MOST_DISTORTIONS} distortions, received {received}")
    asked = _asked(design.name[:LONGEST_NAME], "toml", text, None, options)
    images = asked.settings.tested + max(asked.settings.budgets)
    pixels = round(images * design.canvas.width_px.high * design.canvas.height_px.high)
    if pixels > MOST_PIXELS:
        detail = f"expected at most {MOST_PIXELS:,} pixels to draw, received {images:,} images of {pixels:,} together"
        raise Problem(422, "invalid_request", detail)
    return asked


def _uploaded(archive: Archive, options: AuditOptions) -> Asked:
    asked = _asked(options.name or USUAL_NAME, "images", "", archive, options)
    if asked.count < FEWEST_TESTED:
        raise Problem(
            422,
            "too_few_images",
            f"expected at least {FEWEST_TESTED} images with a label in labels.csv, received {asked.count} of "
            f"{len(archive)}",
        )
    return asked


def _asked(name: str, source: str, toml: str, images: Archive | None, options: AuditOptions) -> Asked:
    budgets = BUDGETS if options.budgets is None else tuple(sorted(set(options.budgets)))
    prices = Prices(options.price_core_hour, options.price_label, options.price_attempt)
    settings = AuditSettings(
        budgets,
        options.minutes,
        options.tested,
        options.seed,
        options.fold_case,
        prices,
        answer=options.answer,
        infer=options.infer,
    )
    return Asked(name, source, toml, images, settings, options.improve)


def _query(request: Request) -> AuditOptions:
    """The options in the query: numbers as in JSON, budgets by commas."""
    items = request.query_params.multi_items()
    fields: dict[str, Any] = {name: _value(name, text) for name, text in items}
    if len(fields) < len(items):
        raise Problem(422, "invalid_request", "expected each option once in the query, received one twice")
    return validated(AuditOptions, fields, "the query")


def _value(name: str, text: str) -> Any:
    if name in {"name", "answer"}:
        return text
    if name == "budgets":
        return [_number(part) for part in text.split(",")]
    return _number(text)


def _number(text: str) -> Any:
    """A number or a truth value; the text itself where it is neither, which the schema then refuses."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value if isinstance(value, int | float) else text
