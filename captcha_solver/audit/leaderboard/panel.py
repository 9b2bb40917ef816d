"""The panel of a leaderboard, a TOML file: its designs, and the budget that each is attacked with."""

import hashlib
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from captcha_solver.audit_settings import AuditSettings, Scope
from captcha_solver.designs.section import Section
from captcha_solver.errors import DesignError

MOST_TESTED, LARGEST_SEED = 100_000, 2**31 - 1


@dataclass(frozen=True, slots=True)
class Claim:
    """What somebody says of a design's strength, in our words, and where they say it."""

    says: str
    source: str
    address: str


@dataclass(frozen=True, slots=True)
class Entrant:
    """A design on the panel. ``taught``: a shipped attacker saw drawings of it while it was trained."""

    name: str
    generator: str
    version: str
    licence: str
    taught: bool = False
    claim: Claim | None = None


@dataclass(frozen=True, slots=True)
class Panel:
    """Designs that are attacked alike, and ``sha256`` of the file that says so."""

    entrants: tuple[Entrant, ...]
    settings: AuditSettings
    sha256: str


def read_panel(path: Path) -> Panel:
    """The panel in ``path``; ``DesignError`` says on which line it is not one."""
    try:
        data = path.read_bytes()
        text = data.decode("utf-8-sig")
        root = Section(tomllib.loads(text), text, str(path), "")
    except OSError as error:
        raise DesignError(f"{path}: expected a panel of designs, received nothing readable: {error.strerror}") from None
    except ValueError as error:  # not UTF-8, or not TOML
        raise DesignError(f"{path}: expected a panel of designs in TOML: {error}") from None
    root.allow("seed", "tested", "budgets", "design")
    entrants = tuple(_entrant(section) for section in root.sections("design"))
    if not entrants:
        raise root.fail("design", "expected at least one [[design]], received none")
    names = [each.name for each in entrants]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise root.fail("design", f"expected each design once, received {', '.join(repeated)} more often")
    settings = AuditSettings(
        budgets=_budgets(root),
        tested=int(root.number("tested", AuditSettings().tested, 1, MOST_TESTED)),
        seed=int(root.number("seed", 0, 0, LARGEST_SEED)),
        scope=Scope.LABELS,
    )
    return Panel(entrants, settings, hashlib.sha256(data).hexdigest())


def _budgets(root: Section) -> tuple[int, ...]:
    given = root.data.get("budgets", list(AuditSettings().budgets))
    if not isinstance(given, list) or not all(type(labels) is int for labels in given):
        raise root.fail("budgets", f"expected whole numbers of labels, received {given!r}")
    return tuple(sorted(set(given)))


def _entrant(section: Section) -> Entrant:
    section.allow("name", "generator", "version", "licence", "taught", "claim")
    taught = section.data.get("taught", False)
    if not isinstance(taught, bool):
        raise section.fail("taught", f"expected true or false, received {taught!r}")
    name, generator, version, licence = _said(section, ("name", "generator", "version", "licence"))
    return Entrant(name, generator, version, licence, taught, _claim(section) if "claim" in section.data else None)


def _claim(entrant: Section) -> Claim:
    given = entrant.data["claim"]
    if not isinstance(given, dict):
        raise entrant.fail("claim", f"expected a table, received {given!r}")
    section = Section(given, entrant.text, entrant.source, entrant.path, entrant.index)
    section.allow("says", "source", "address")
    return Claim(*_said(section, ("says", "source", "address")))


def _said(section: Section, keys: Sequence[str]) -> list[str]:
    """The texts of keys that must be there."""
    values = [section.string(key, "") for key in keys]
    for key, value in zip(keys, values, strict=True):
        if not value:
            raise section.fail(key, "expected text, received none")
    return values
