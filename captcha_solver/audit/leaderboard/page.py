"""The page of a leaderboard: one self-contained HTML file, to be sorted, printed, and read without a script.

Tested in ``tests/audit/leaderboard/test_run.py``.
"""

from collections.abc import Mapping, Sequence

from captcha_solver.audit.findings.curves import Needed
from captcha_solver.audit.leaderboard.panel import Panel
from captcha_solver.audit.leaderboard.standings import REASONS, Standing, single
from captcha_solver.audit.pages.page import TEMPLATES, labels, money, percent, verdict

NOTHING = "-"


def html(panel: Panel, standings: Sequence[Standing], missing: Mapping[str, str]) -> str:
    """The page. ``missing``: design -> why it has no row."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template("leaderboard.html.j2").render(
        panel=panel,
        prices=panel.settings.prices,
        standings=standings,
        missing=missing,
        written=max((row.report.provenance.written_at for row in standings), default="")[:10],
        models=models(standings),
        reasons=REASONS,
        nothing=NOTHING,
        attacks=single,
        verdict=verdict,
        pc=percent,
        labels=labels,
        needed=needed_text,
        needed_order=needed_order,
        money=money,
    )


def models(standings: Sequence[Standing]) -> list[tuple[str, str]]:
    """(name, SHA-256) of every shipped model that attacked; two of a name show that rows are not of the same time."""
    return sorted({pair for row in standings for pair in row.report.provenance.models.items()})


def needed_text(needed: Needed) -> str:
    """``31``; ``> 200`` where it was not reached."""
    return str(needed)


def needed_order(needed: Needed) -> float:
    """For sorting: what was not reached stands behind what was."""
    return needed.labels + (0.5 if needed.bound == ">" else 0.0)


def row_texts(row: Standing) -> tuple[str, ...]:
    """A row for a terminal: design, best attack, labels, rate, interval, labels to 1 % and to 50 %, doubts."""
    low, high = row.best.ci95
    return (
        row.entrant.name,
        row.best.name,
        labels(row.best.labels),
        percent(row.best.rate),
        f"{percent(low)} to {percent(high)}",
        *map(needed_text, row.needed),
        ", ".join(row.doubts),
    )
