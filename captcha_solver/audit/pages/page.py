"""A report as people see it: one self-contained HTML page, a Markdown summary, or a badge.

Tested in ``tests/audit/test_report.py``.
"""

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Protocol

from captcha_solver.audit.cells import UNLIMITED
from captcha_solver.audit.findings.breakdown import Kind
from captcha_solver.audit.findings.inconclusive import Reason
from captcha_solver.audit.findings.rows import AttackAndBudget, AttackRow, BreakdownRow, Effect, ThresholdRow
from captcha_solver.audit.findings.verdicts import Verdict
from captcha_solver.audit.pages import plots
from captcha_solver.audit.report import Report
from captcha_solver.audit.subjects.variants import STRONGEST

TEMPLATES = Path(__file__).parent / "templates"
MOST_BARS = 16
TELLING = 0.01  # a threshold whose passing is called broken; passing a lower one alone is called weak
KINDS = {  # as the page calls them
    Kind.SOLVED: "right",
    Kind.RECOGNITION: "right number of characters, some wrong",
    Kind.LENGTH: "wrong number of characters",
    Kind.NOTHING: "nothing found",
}
COLOURS = {Verdict.BROKEN: "#b3261e", Verdict.UNDECIDED: "#8a6100", Verdict.HOLDS: "#1b7f4b"}
NOT_TESTED = "#666"


class Judged(Protocol):
    """What a verdict is read from."""

    @property
    def best(self) -> AttackAndBudget | None: ...

    @property
    def attacks(self) -> Sequence[AttackRow]: ...

    @property
    def thresholds(self) -> Sequence[ThresholdRow]: ...

    @property
    def inconclusive(self) -> Sequence[Reason]: ...


@dataclass(frozen=True, slots=True)
class PagePlots:
    """The drawings of a page, SVG; an empty text where there is nothing to draw."""

    curves: str
    features: str
    sweeps: str
    coverage: str
    errors: str
    places: str
    drift: str


def html(report: Report, sheet_png: bytes | None = None) -> str:
    """The page: no script, no network, light and dark, and fit to print."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)
    sheet = None if sheet_png is None else "data:image/png;base64," + base64.b64encode(sheet_png).decode()
    return environment.get_template("report.html.j2").render(
        r=report,
        plots=_plots(report),
        verdict=verdict(report),
        sheet=sheet,
        fails=_best_break(report),
        pc=percent,
        pt=points,
        money=money,
        labels=labels,
    )


def _plots(report: Report) -> PagePlots:
    strongest = sorted(_telling(report.features), key=lambda row: -abs(row.change))[:MOST_BARS]
    best = _best_break(report)
    return PagePlots(
        curves=plots.label_curves(report.curves, [row.threshold for row in report.thresholds]),
        features=plots.feature_chart(sorted(strongest, key=lambda row: row.change)),
        sweeps=plots.sweep_charts(_sweeps(report.features)),
        coverage=plots.risk_coverage_chart(report.confidence.curve) if report.confidence else "",
        errors=plots.error_chart([_shares(row) for row in report.breakdown]),
        places=plots.place_chart(best.places) if best and best.places else "",
        drift=plots.matrix_chart(report.drift.steps, report.drift.matrix) if report.drift else "",
    )


def _telling(features: Sequence[Effect]) -> list[Effect]:
    """A row for each distortion taken away and each raised to 5: of an adaptive attacker, where there is one."""
    ends = [row for row in features if row.severity in (0, STRONGEST)]
    chosen: dict[str, Effect] = {}
    for row in sorted(ends, key=lambda row: row.adaptive):
        chosen[row.condition] = row
    return list(chosen.values())


def _sweeps(features: Sequence[Effect]) -> list[plots.Sweep]:
    """For each distortion the non-adaptive attacker's rate at each severity."""
    sweeps: dict[str, dict[float, float]] = {}
    for row in features:
        if not row.adaptive and row.severity is not None:
            sweeps.setdefault(row.name, {})[row.severity] = row.rate
    return [plots.Sweep(name, sorted(rates.items())) for name, rates in sorted(sweeps.items()) if len(rates) > 1]


def _shares(row: BreakdownRow) -> plots.Shares:
    """The share of each kind among an attack's answers."""
    n = max(row.n, 1)
    return plots.Shares(f"{row.attack}, {labels(row.labels)}", [(KINDS[k], row.kinds.of(k) / n) for k in KINDS])


def _best_break(report: Report) -> BreakdownRow | None:
    """Where the best attack fails."""
    rows = [row for row in report.breakdown if AttackAndBudget(row.attack, row.labels) == report.best]
    return rows[0] if rows else None


def verdict(report: Judged) -> str:
    """The report in one sentence or two."""
    best = _best(report)
    if best is None:
        return "Nothing was measured."
    read = f"{best.name}, {_how(best.labels)}, reads {percent(best.rate)} of its images"
    passed = (row for row in report.thresholds if row.status == Verdict.BROKEN)
    broken = max(passed, key=lambda row: row.threshold, default=None)
    if broken is None:
        low, high = best.ci95
        if report.inconclusive:
            told = "; ".join(each.said for each in report.inconclusive)
            wanted = report.inconclusive[0].would_test
            return (
                f"This design was not tested by these attacks: {told}. The best, {best.name}, "
                f"{_how(best.labels)}, read {best.solved} of {best.n}. {wanted[0].upper()}{wanted[1:]}."
            )
        return (
            f"No attack broke this design: the best, {best.name}, {_how(best.labels)}, read {best.solved} of "
            f"{best.n}. Its true rate is between {percent(low)} and {percent(high)}; a better attack may do more."
        )
    if broken.threshold >= TELLING:
        return f"This design is broken{_at_labels(broken)}. The best attack, {read}."
    return (
        f"This design is weak. The best attack, {read}: above the strictest mark, {percent(broken.threshold)}, and "
        "above no higher one."
    )


def _how(count: int) -> str:
    """What an attacker had to learn from."""
    if count == UNLIMITED:
        return "taught by the generator itself"
    return "without a single label" if count == 0 else f"with {count:,} labels"


def _at_labels(row: ThresholdRow) -> str:
    """The labels with which a threshold was passed, where they are known."""
    if row.labels is None or row.bound == ">":
        return ""
    return f" at {row.labels:,} labels" if row.bound == "=" else f" at {row.labels:,} labels or fewer"


def markdown(report: Report) -> str:
    """A summary fit for a pull request."""
    lines = [f"### {report.design.name}: {verdict(report)}", ""]
    lines += ["| attack | labels | solved | rate | 95 % interval |", "|---|---:|---:|---:|---:|"]
    lines += [
        f"| {row.name} | {labels(row.labels)} | {row.solved} of {row.n} | {percent(row.rate)} "
        f"| {percent(row.ci95[0])} to {percent(row.ci95[1])} |"
        for row in report.attacks
    ]
    lines += ["", *(f"- at {percent(row.threshold)}: **{row.status}**" for row in report.thresholds)]
    lines += [f"- warning: {flag}" for flag in report.flags]
    return "\n".join(lines) + "\n"


def badge(report: Judged) -> str:
    """The verdict at a glance, as SVG."""
    best, status = _best(report), _overall(report)
    untested = status != Verdict.BROKEN and report.inconclusive
    colour = NOT_TESTED if untested else COLOURS[status]
    said = f"{'not tested' if untested else status}: {percent(best.rate)}" if best else "not measured"
    left, right = 62, 8 * len(said) + 16
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img" '
        f'aria-label="captcha: {escape(said)}"><rect width="{left}" height="20" fill="#444"/>'
        f'<rect x="{left}" width="{right}" height="20" fill="{colour}"/>'
        f'<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" text-anchor="middle">'
        f'<text x="{left / 2}" y="14">captcha</text>'
        f'<text x="{left + right / 2}" y="14">{escape(said)}</text></g></svg>\n'
    )


def _overall(report: Judged) -> Verdict:
    """By the middle threshold, 1 %: that of the study that compared designs (Bursztein et al. 2011)."""
    return next((row.status for row in report.thresholds if row.threshold == TELLING), Verdict.UNDECIDED)


def _best(report: Judged) -> AttackRow | None:
    """The row of the best attack."""
    return next((row for row in report.attacks if AttackAndBudget(row.name, row.labels) == report.best), None)


def percent(share: float) -> str:
    """A share 0-1 as people read it; small ones with as many digits as it takes."""
    if 0 < share < 0.001:
        return f"{100 * share:.2g} %"
    return f"{100 * share:.1f} %".replace(".0 %", " %")


def points(change: float) -> str:
    return f"{100 * change:+.1f}"


def money(price: float) -> str:
    """A price to two digits, a small one with as many zeros as it takes: ``0.000056``, ``0.42``, ``12``."""
    places = 2 if price <= 0 else max(0, 1 - math.floor(math.log10(price)))
    return f"{price:.{places}f}"


def labels(count: int) -> str:
    return "generator" if count == UNLIMITED else f"{count:,}"
