"""A report (JSON) in, one self-contained HTML page, a Markdown summary or a badge out."""

import base64
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from captcha_solver.audit import plots
from captcha_solver.audit.breakdown import Kind
from captcha_solver.audit.cells import UNLIMITED

TEMPLATES = Path(__file__).parent / "templates"
MOST_BARS = 16
COLOURS = {"broken": "#b3261e", "undecided": "#8a6100", "holds": "#1b7f4b"}


def html(report: Mapping[str, Any], sheet_png: bytes | None = None) -> str:
    """The page: no script, no network, light and dark, and fit to print."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)
    sheet = None if sheet_png is None else "data:image/png;base64," + base64.b64encode(sheet_png).decode()
    return environment.get_template("report.html.j2").render(
        r=report,
        plots=_plots(report),
        verdict=verdict(report),
        sheet=sheet,
        kinds=[str(kind) for kind in Kind],
        pc=percent,
        pt=points,
        labels=labels,
    )


def _plots(report: Mapping[str, Any]) -> dict[str, str]:
    adaptive = [row for row in report["features"] if row["adaptive"]] or list(report["features"])
    strongest = sorted(adaptive, key=lambda row: -abs(row["change"]))[:MOST_BARS]
    drift = report["drift"]
    return {
        "curves": plots.label_curves(report["curves"], [t["threshold"] for t in report["thresholds"]]),
        "features": plots.feature_chart(sorted(strongest, key=lambda row: row["change"])),
        "coverage": plots.risk_coverage_chart(report["confidence"]["curve"]) if report["confidence"] else "",
        "drift": plots.matrix_chart(drift["steps"], drift["matrix"]) if drift else "",
    }


def verdict(report: Mapping[str, Any]) -> str:
    """The report in one sentence."""
    best = _best(report)
    if best is None:
        return "Nothing was measured."
    how = "with no label at all" if best["labels"] == 0 else f"with {labels(best['labels'])} labels"
    if best["labels"] == UNLIMITED:
        how = "with a generator to learn from"
    broken = [t for t in report["thresholds"] if t["status"] == "broken"]
    if broken:
        worst = max(t["threshold"] for t in broken)
        needed = next((t for t in report["thresholds"] if t["threshold"] == worst), None)
        at = "broken at 0 labels" if needed and needed["labels"] == 0 and needed["bound"] == "=" else "broken"
        return f"This design is {at}: {best['name']} {how} reads {percent(best['rate'])} of its images."
    low, high = best["ci95"]
    return (
        f"No attack broke this design: the best, {best['name']} {how}, read {best['solved']} of {best['n']}; "
        f"their rate is between {percent(low)} and {percent(high)}, and a better attack may do more."
    )


def markdown(report: Mapping[str, Any]) -> str:
    """A summary fit for a pull request."""
    lines = [f"### {report['design']['name']}: {verdict(report)}", ""]
    lines += ["| attack | labels | solved | rate | 95 % interval |", "|---|---:|---:|---:|---:|"]
    lines += [
        f"| {a['name']} | {labels(a['labels'])} | {a['solved']} of {a['n']} | {percent(a['rate'])} "
        f"| {percent(a['ci95'][0])} to {percent(a['ci95'][1])} |"
        for a in report["attacks"]
    ]
    lines += ["", *(f"- at {percent(t['threshold'])}: **{t['status']}**" for t in report["thresholds"])]
    lines += [f"- mind: {flag}" for flag in report["flags"]]
    return "\n".join(lines) + "\n"


def badge(report: Mapping[str, Any]) -> str:
    """The verdict at a glance, as SVG."""
    best = _best(report)
    status = _overall(report)
    said = f"{status}: {percent(best['rate'])}" if best else "not measured"
    left, right = 62, 8 * len(said) + 16
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img" '
        f'aria-label="captcha: {escape(said)}"><rect width="{left}" height="20" fill="#444"/>'
        f'<rect x="{left}" width="{right}" height="20" fill="{COLOURS.get(status, "#666")}"/>'
        f'<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" text-anchor="middle">'
        f'<text x="{left / 2}" y="14">captcha</text>'
        f'<text x="{left + right / 2}" y="14">{escape(said)}</text></g></svg>\n'
    )


def _overall(report: Mapping[str, Any]) -> str:
    """By the middle threshold, 1 %: that of the study that compared designs (Bursztein et al. 2011)."""
    return next((str(t["status"]) for t in report["thresholds"] if t["threshold"] == 0.01), "undecided")


def _best(report: Mapping[str, Any]) -> Mapping[str, Any] | None:
    best = report["best"]
    if best is None:
        return None
    found: Mapping[str, Any] = next(
        a for a in report["attacks"] if (a["name"], a["labels"]) == (best["name"], best["labels"])
    )
    return found


def percent(share: float) -> str:
    """A share 0-1 as people read it; small ones with as many digits as it takes."""
    if 0 < share < 0.001:
        return f"{100 * share:.2g} %"
    return f"{100 * share:.1f} %".replace(".0 %", " %")


def points(change: float) -> str:
    return f"{100 * change:+.1f}"


def labels(count: int) -> str:
    return "generator" if count == UNLIMITED else f"{count:,}"
