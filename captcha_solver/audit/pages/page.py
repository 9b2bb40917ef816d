"""A report (JSON) in, one self-contained HTML page, a Markdown summary or a badge out.

Tested in ``tests/audit/test_report.py``.
"""

import base64
import math
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from captcha_solver.audit.cells import UNLIMITED
from captcha_solver.audit.findings.breakdown import Kind
from captcha_solver.audit.pages import plots

TEMPLATES = Path(__file__).parent / "templates"
MOST_BARS = 16
TELLING = 0.01  # a threshold whose passing is called broken; passing a lower one alone is called weak
KINDS = {  # as the page calls them
    Kind.SOLVED: "right",
    Kind.RECOGNITION: "right number of characters, some wrong",
    Kind.LENGTH: "wrong number of characters",
    Kind.NOTHING: "nothing found",
}
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
        fails=_best_break(report),
        pc=percent,
        pt=points,
        money=money,
        labels=labels,
    )


def _plots(report: Mapping[str, Any]) -> dict[str, str]:
    strongest = sorted(_telling(report["features"]), key=lambda row: -abs(row["change"]))[:MOST_BARS]
    drift = report["drift"]
    best = _best_break(report)
    return {
        "curves": plots.label_curves(report["curves"], [t["threshold"] for t in report["thresholds"]]),
        "features": plots.feature_chart(sorted(strongest, key=lambda row: row["change"])),
        "sweeps": plots.sweep_charts(_sweeps(report["features"])),
        "coverage": plots.risk_coverage_chart(report["confidence"]["curve"]) if report["confidence"] else "",
        "errors": plots.error_chart([_shares(row) for row in report["breakdown"]]),
        "places": plots.place_chart(best["places"]) if best and best["places"] else "",
        "drift": plots.matrix_chart(drift["steps"], drift["matrix"]) if drift else "",
    }


def _telling(features: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """A row for each distortion taken away and each raised to 5: of an adaptive attacker, where there is one."""
    ends = [row for row in features if "+" not in row["name"] and row["what"] in ("removed", "at 5")]
    chosen: dict[str, dict[str, Any]] = {}
    for row in sorted(ends, key=lambda row: row["adaptive"]):
        chosen[row["condition"]] = row
    return list(chosen.values())


def _sweeps(features: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[tuple[float, float]]]]:
    """For each distortion the non-adaptive attacker's rate at each severity."""
    sweeps: dict[str, dict[float, float]] = {}
    for row in features:
        if not row["adaptive"] and "+" not in row["name"]:
            severity = 0.0 if row["what"] == "removed" else float(row["what"].removeprefix("at "))
            sweeps.setdefault(row["name"], {})[severity] = row["rate"]
    return [(name, sorted(rates.items())) for name, rates in sorted(sweeps.items()) if len(rates) > 1]


def _shares(row: Mapping[str, Any]) -> tuple[str, list[tuple[str, float]]]:
    """An attack's name and the share of each kind among its answers."""
    n = max(row["n"], 1)
    return f"{row['attack']}, {labels(row['labels'])}", [(KINDS[k], row["kinds"][str(k)] / n) for k in KINDS]


def _best_break(report: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Where the best attack fails."""
    wanted = report["best"] and (report["best"]["name"], report["best"]["labels"])
    rows: list[Mapping[str, Any]] = [b for b in report["breakdown"] if (b["attack"], b["labels"]) == wanted]
    return rows[0] if rows else None


def verdict(report: Mapping[str, Any]) -> str:
    """The report in one sentence or two."""
    best = _best(report)
    if best is None:
        return "Nothing was measured."
    read = f"{best['name']}, {_how(best['labels'])}, reads {percent(best['rate'])} of its images"
    broken = max((t for t in report["thresholds"] if t["status"] == "broken"), key=_threshold, default=None)
    if broken is None:
        low, high = best["ci95"]
        if reasons := report.get("inconclusive"):
            told = "; ".join(each["said"] for each in reasons)
            wanted = reasons[0]["would_test"]
            return (
                f"This design was not tested by these attacks: {told}. The best, {best['name']}, "
                f"{_how(best['labels'])}, read {best['solved']} of {best['n']}. {wanted[0].upper()}{wanted[1:]}."
            )
        return (
            f"No attack broke this design: the best, {best['name']}, {_how(best['labels'])}, read {best['solved']} of "
            f"{best['n']}. Its true rate is between {percent(low)} and {percent(high)}; a better attack may do more."
        )
    if _threshold(broken) >= TELLING:
        return f"This design is broken{_at_labels(broken)}. The best attack, {read}."
    return (
        f"This design is weak. The best attack, {read}: above the strictest mark, {percent(_threshold(broken))}, and "
        "above no higher one."
    )


def _threshold(row: Mapping[str, Any]) -> float:
    return float(row["threshold"])


def _how(count: int) -> str:
    """What an attacker had to learn from."""
    if count == UNLIMITED:
        return "taught by the generator itself"
    return "without a single label" if count == 0 else f"with {count:,} labels"


def _at_labels(row: Mapping[str, Any]) -> str:
    """The labels with which a threshold was passed, where they are known."""
    if row["labels"] is None or row["bound"] == ">":
        return ""
    return f" at {row['labels']:,} labels" if row["bound"] == "=" else f" at {row['labels']:,} labels or fewer"


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
    lines += [f"- warning: {flag}" for flag in report["flags"]]
    return "\n".join(lines) + "\n"


def badge(report: Mapping[str, Any]) -> str:
    """The verdict at a glance, as SVG."""
    best = _best(report)
    status = _overall(report)
    if status != "broken" and report.get("inconclusive"):
        status = "not tested"
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


def money(price: float) -> str:
    """A price to two digits, a small one with as many zeros as it takes: ``0.000056``, ``0.42``, ``12``."""
    places = 2 if price <= 0 else max(0, 1 - math.floor(math.log10(price)))
    return f"{price:.{places}f}"


def labels(count: int) -> str:
    return "generator" if count == UNLIMITED else f"{count:,}"
