"""Findings drawn as SVG, in the page's own colours (CSS variables), so that they follow its light and dark.

Tested in ``tests/audit/test_report.py``.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from captcha_solver.audit.findings.rows import CurveRow, Effect, RateRow

WIDTH, HEIGHT = 640, 320
LEFT, RIGHT, TOP, BOTTOM = 56, 28, 16, 44
SERIES = 6  # colours that the page has
CHARACTER_PX = 6.6  # the mean width of small letters
NARROWEST_TOLD_PX = 44  # a part of a bar with room for its figure


@dataclass(frozen=True, slots=True)
class Sweep:
    """A distortion, and the solve rate at each severity 0-5, in order."""

    name: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Shares:
    """An attack, and the share of each kind among its answers, (kind, share)."""

    name: str
    kinds: Sequence[tuple[str, float]]


def label_curves(curves: Sequence[CurveRow], thresholds: Sequence[float]) -> str:
    """Solve rate against labels, one line an attack with its 95 % band; labels on a log(1 + n) axis."""
    known = [point.labels for curve in curves for point in _counted(curve)]
    top = math.log1p(max([*known, 10]))

    def x(labels: int) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (math.log1p(labels) / top)

    parts = [_frame("labels the attacker has", "solve rate")]
    parts += [_x_tick(x(labels), f"{labels:,}") for labels in sorted(set(known))]
    parts += [
        f'<line class="rule" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{_y(t):.1f}" y2="{_y(t):.1f}"/>'
        f'<text class="small" x="{WIDTH - RIGHT - 4}" y="{_y(t) - 4:.1f}" text-anchor="end">{100 * t:g} %</text>'
        for t in thresholds
        if t >= 0.01
    ]
    for number, curve in enumerate(curves):
        points = _counted(curve)
        colour = f"s{number % SERIES}"
        band = [(x(point.labels), _y(point.ci95[1])) for point in points]
        band += [(x(point.labels), _y(point.ci95[0])) for point in reversed(points)]
        parts.append(f'<polygon class="band {colour}" points="{_points(band)}"/>')
        line = [(x(point.labels), _y(point.rate)) for point in points]
        parts.append(f'<polyline class="line {colour}" points="{_points(line)}"/>')
        parts += [
            f'<circle class="dot {colour}" cx="{a:.1f}" cy="{b:.1f}" r="3.5">'
            f"<title>{escape(curve.attack)}, {point.labels:,} labels: {_percent(point.rate)}</title></circle>"
            for (a, b), point in zip(line, points, strict=True)
        ]
    return _svg(parts, "Solve rate against labels") + _legend([curve.attack for curve in curves])


def feature_chart(rows: Sequence[Effect]) -> str:
    """Bars of the change in solve rate with their intervals, the strongest first; a dot is the change in legibility."""
    height = TOP + BOTTOM + 26 * max(len(rows), 1)
    left = 230
    widest = _round_up(max([0.05, *(abs(end) for r in rows for end in (*r.ci95, r.legibility_change or 0))]))

    def x(change: float) -> float:
        at: float = left + (WIDTH - left - RIGHT) * (change / widest + 1) / 2
        return at

    parts = [f'<line class="axis" x1="{x(0):.1f}" x2="{x(0):.1f}" y1="{TOP}" y2="{height - BOTTOM}"/>']
    parts += [
        f'<text class="small" x="{x(tick):.1f}" y="{height - 24}" text-anchor="middle">{_signed(tick)}</text>'
        for tick in (-widest, -widest / 2, 0, widest / 2, widest)
    ]
    parts.append(
        f'<text class="small" x="{WIDTH - RIGHT}" y="{height - 6}" text-anchor="end">'
        "points of solve rate (bar, 95 % interval) and of the legibility proxy (dot)</text>"
    )
    for place, row in enumerate(rows):
        y = TOP + 26 * place + 13
        a, b = sorted((x(0), x(row.change)))
        low, high = (x(end) for end in row.ci95)
        colour = "worse" if row.change > 0 else "better"
        parts += [
            f'<text class="label" x="{left - 8}" y="{y + 4}" text-anchor="end">{escape(row.condition)}</text>',
            f'<rect class="{colour}" x="{a:.1f}" y="{y - 7}" width="{max(b - a, 0.5):.1f}" height="14" rx="2"/>',
            f'<line class="whisker" x1="{low:.1f}" x2="{high:.1f}" y1="{y}" y2="{y}"/>',
        ]
        if row.legibility_change is not None:
            parts.append(f'<circle class="legible" cx="{x(row.legibility_change):.1f}" cy="{y}" r="4"/>')
    return _svg(parts, "What each distortion buys", height)


def sweep_charts(sweeps: Sequence[Sweep]) -> str:
    """One small chart a distortion, all on the same axes."""
    across, wide, tall = 3, WIDTH / 3, 128
    parts = []
    for number, sweep in enumerate(sweeps):
        left, top = wide * (number % across) + 34, tall * (number // across) + 24
        width, height = wide - 48, tall - 56

        def place(point: tuple[float, float], at: tuple[float, float, float, float]) -> tuple[float, float]:
            x, y, w, h = at
            return x + w * point[0] / 5, y + h * (1 - point[1])

        line = [place(point, (left, top, width, height)) for point in sweep.points]
        grid = "".join(
            f'<line class="grid" x1="{left:.1f}" x2="{left + width:.1f}" y1="{top + height * (1 - t):.1f}" '
            f'y2="{top + height * (1 - t):.1f}"/><text class="small" x="{left - 4:.1f}" '
            f'y="{top + height * (1 - t) + 4:.1f}" text-anchor="end">{100 * t:.0f}</text>'
            for t in (0, 0.5, 1)
        )
        dots = "".join(
            f'<circle class="dot s0" cx="{x:.1f}" cy="{y:.1f}" r="2.5"><title>{escape(sweep.name)} at {severity:g}: '
            f"{_percent(rate)}</title></circle>"
            for (x, y), (severity, rate) in zip(line, sweep.points, strict=True)
        )
        ticks = "".join(
            f'<text class="small" x="{left + width * t / 5:.1f}" y="{top + height + 15:.1f}" '
            f'text-anchor="middle">{t}</text>'
            for t in range(6)
        )
        title = f'<text class="label" x="{left:.1f}" y="{top - 9:.1f}">{escape(sweep.name)}</text>'
        parts.append(f'{title}{grid}{ticks}<polyline class="line s0" points="{_points(line)}"/>{dots}')
    return _svg(parts, "Solve rate against severity", tall * -(-len(sweeps) // across))


def risk_coverage_chart(curve: Sequence[Sequence[float]]) -> str:
    """Accuracy of the answers given against the share of images answered."""
    parts = [_frame("share of images answered, the surest first", "accuracy of the answers")]
    parts += [_x_tick(LEFT + (WIDTH - LEFT - RIGHT) * t / 4, f"{25 * t} %") for t in range(5)]
    line = [(LEFT + (WIDTH - LEFT - RIGHT) * coverage, _y(accuracy)) for coverage, accuracy, _ in curve]
    parts.append(f'<polyline class="line s0" points="{_points(line)}"/>')
    return _svg(parts, "Risk and coverage")


def error_chart(rows: Sequence[Shares]) -> str:
    """One bar an attack, filled from left to right in the order of its kinds."""
    left, step = 190, 30
    height = TOP + step * max(len(rows), 1) + 8
    parts = []
    for place, row in enumerate(rows):
        y, x = TOP + step * place, float(left)
        parts.append(f'<text class="label" x="{left - 8}" y="{y + 15}" text-anchor="end">{escape(row.name)}</text>')
        for number, (kind, share) in enumerate(row.kinds):
            width = (WIDTH - left - RIGHT) * share
            parts.append(
                f'<rect class="kind k{number}" x="{x:.1f}" y="{y}" width="{width:.1f}" height="22">'
                f"<title>{escape(row.name)}, {escape(kind)}: {_percent(share)}</title></rect>"
            )
            if width > NARROWEST_TOLD_PX:
                middle = f'x="{x + width / 2:.1f}" y="{y + 15}" text-anchor="middle"'
                parts.append(f'<text class="inside" {middle}>{_percent(share)}</text>')
            x += width
    kinds = [kind for kind, _ in rows[0].kinds] if rows else []
    items = "".join(f'<li><span class="key k{i}"></span>{escape(kind)}</li>' for i, kind in enumerate(kinds))
    return _svg(parts, "Where attacks fail", height) + f'<ul class="legend">{items}</ul>'


def place_chart(places: Sequence[Sequence[float]]) -> str:
    """Share of characters read wrong at each place in the word, (place from 0, share)."""
    top = max([0.05, *(share for _, share in places)])
    width, height = (WIDTH - LEFT - RIGHT) / max(len(places), 1), 170
    parts = [f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{height - 44}" y2="{height - 44}"/>']
    for at, (place, share) in enumerate(places):
        tall = (height - 44 - 28) * share / top
        x, y = LEFT + width * at, height - 44 - tall
        bar = min(width * 0.6, 60.0)
        middle = f'x="{x + width / 2:.1f}" text-anchor="middle"'
        parts += [
            f'<rect class="bar" x="{x + (width - bar) / 2:.1f}" y="{y:.1f}" width="{bar:.1f}" height="{tall:.1f}"/>',
            f'<text class="small" {middle} y="{y - 5:.1f}">{_percent(share)}</text>',
            f'<text class="small" {middle} y="{height - 26}">{int(place) + 1}</text>',
        ]
    middle = f'x="{(LEFT + WIDTH - RIGHT) / 2}" y="{height - 6}" text-anchor="middle"'
    parts.append(f'<text class="small" {middle}>place of the character in the word</text>')
    return _svg(parts, "Errors by place", height)


def matrix_chart(names: Sequence[str], matrix: Sequence[Sequence[float | None]]) -> str:
    """Trained on (rows) against tested on (columns); darker is a higher solve rate."""
    size, left, slope = 72, 240, math.radians(28)
    longest = CHARACTER_PX * max(map(len, names), default=0)
    top = round(longest * math.sin(slope)) + 24
    width = left + size * len(names) + max(round(longest * math.cos(slope)) - size // 2, RIGHT)
    height = top + size * len(names) + TOP
    parts = []
    for i, name in enumerate(names):
        at = left + size * i + size / 2
        y = top + size * i + size / 2 + 4
        parts.append(f'<text class="label" x="{left - 8}" y="{y}" text-anchor="end">{escape(name)}</text>')
        parts.append(f'<text class="small" transform="translate({at},{top - 8}) rotate(-28)">{escape(name)}</text>')
        for j, rate in enumerate(matrix[i]):
            if rate is None:
                continue
            x, y = left + size * j, top + size * i
            shade, middle = 0.08 + 0.85 * rate, f'x="{x + size / 2}" y="{y + size / 2 + 4}"'
            parts += [
                f'<rect class="cell" x="{x}" y="{y}" width="70" height="70" fill-opacity="{shade:.2f}"/>',
                f'<text class="label" {middle} text-anchor="middle">{_percent(rate)}</text>',
            ]
    return _svg(parts, "Trained on, tested on", height, width)


def _counted(curve: CurveRow) -> list[RateRow]:
    """The points of so many labels: those of a generator have no place on the axis."""
    return [point for point in curve.points if point.labels >= 0]


def _svg(parts: Sequence[str], title: str, height: float = HEIGHT, width: float = WIDTH) -> str:
    return f'<svg viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{escape(title)}">{"".join(parts)}</svg>'


def _frame(x_name: str, y_name: str) -> str:
    lines = "".join(
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{_y(t / 4):.1f}" y2="{_y(t / 4):.1f}"/>'
        f'<text class="small" x="{LEFT - 8}" y="{_y(t / 4) + 4:.1f}" text-anchor="end">{25 * t} %</text>'
        for t in range(5)
    )
    middle = (LEFT + WIDTH - RIGHT) / 2
    return (
        f'{lines}<text class="small" x="{middle}" y="{HEIGHT - 6}" text-anchor="middle">{escape(x_name)}</text>'
        f'<text class="small" transform="translate(12,{HEIGHT / 2}) rotate(-90)" text-anchor="middle">'
        f"{escape(y_name)}</text>"
    )


def _x_tick(x: float, text: str) -> str:
    return f'<text class="small" x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{text}</text>'


def _legend(names: Sequence[str]) -> str:
    items = "".join(f'<li><span class="key s{i % SERIES}"></span>{escape(name)}</li>' for i, name in enumerate(names))
    return f'<ul class="legend">{items}</ul>'


def _y(rate: float) -> float:
    return TOP + (HEIGHT - TOP - BOTTOM) * (1 - rate)


def _points(pairs: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in pairs)


def _round_up(share: float) -> float:
    """The next share up whose half is a whole number of per cent, and easy to read: 0.06, 0.1, 0.2, 0.3, 0.4 ..."""
    for end in (0.06, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8):
        if share <= end:
            return end
    return 1.0


def _signed(share: float) -> str:
    """``+13``; ``0`` without a sign."""
    return f"{100 * share:+.0f}" if round(100 * share) else "0"


def _percent(rate: float) -> str:
    return f"{100 * rate:.1f} %"
