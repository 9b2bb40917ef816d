"""Answers and rounds to figures: a table for people, JSON for machines, a picture.

Tested in ``tests/benchmarks/peers/test_measure.py``.
"""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Any

from benchmarks.machine import machine
from benchmarks.peers.contenders import Contender
from benchmarks.peers.measure import Labelled, Round
from benchmarks.peers.sureness import SAFE, PeerAnswer, Sureness, judged, sureness
from captcha_solver.statistics import wilson
from captcha_solver.texts import same_text

YARDSTICK = "ddddocr (default)"


@dataclass(frozen=True, slots=True)
class Rate:
    """Of ``n`` images, how many were read correctly: exactly, and with upper and lower case not told apart."""

    name: str
    n: int
    exact: int
    folded: int

    @property
    def exact_ci95(self) -> tuple[float, float]:
        return wilson(self.exact, self.n)

    @property
    def folded_ci95(self) -> tuple[float, float]:
        return wilson(self.folded, self.n)


@dataclass(frozen=True, slots=True)
class Result:
    """All of one reader's figures. ``times_yardstick``: images a second over the yardstick's, of the same round.

    ``sureness`` is over the images of all sets together; None of a reader that does not say how sure it is.
    """

    name: str
    rates: tuple[Rate, ...]
    median_ms: float
    p95_ms: float
    images_per_s: float
    times_yardstick: float | None
    start_s: float
    peak_mib: float
    model_mib: float
    sureness: Sureness | None = None

    @property
    def mean_folded(self) -> float:
        return statistics.mean(rate.folded / rate.n for rate in self.rates)

    @property
    def mean_exact(self) -> float:
        return statistics.mean(rate.exact / rate.n for rate in self.rates)


def rate(labelled: Labelled, texts: Sequence[str]) -> Rate:
    """Count what is right; every image counts, read or not."""
    pairs = list(zip(labelled.texts, texts, strict=True))
    exact = sum(truth == text for truth, text in pairs)
    folded = sum(same_text(truth, text, fold_case=True) for truth, text in pairs)
    return Rate(labelled.name, len(pairs), exact, folded)


def worth(sets: Sequence[Labelled], read: Sequence[Sequence[PeerAnswer]]) -> Sureness | None:
    """What a reader's confidence is worth over all sets."""
    truths = [text for each in sets for text in each.texts]
    return sureness(judged(truths, [answer for each in read for answer in each]))


def result(
    contender: Contender,
    read: tuple[Sequence[Rate], Sureness | None],
    rounds: Sequence[Round],
    yardstick: Sequence[Round] | None,
) -> Result:
    """Medians over the rounds; the ratio to the yardstick is the median of the ratios round by round."""
    every_ms = sorted(ms for each in rounds for ms in each.each_ms)
    ratios = [a.images_per_s / b.images_per_s for a, b in zip(rounds, yardstick or (), strict=False)]
    return Result(
        name=contender.name,
        rates=tuple(read[0]),
        median_ms=statistics.median(every_ms),
        p95_ms=every_ms[min(len(every_ms) - 1, int(0.95 * len(every_ms)))],
        images_per_s=statistics.median(each.images_per_s for each in rounds),
        times_yardstick=statistics.median(ratios) if ratios else None,
        start_s=statistics.median(each.start_s for each in rounds),
        peak_mib=max(each.peak_mib for each in rounds),
        model_mib=contender.model_bytes / 2**20,
        sureness=read[1],
    )


def table(results: Sequence[Result]) -> str:
    """Three Markdown tables: the readers with their means and costs, the rates set by set, the worth of confidences."""
    lines = [
        "| reader | solved, case folded, % | exact, % | ms an image, median / p95 | images/s, one core | "
        "x ddddocr | whole process, one image, s | peak MiB | model MiB |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for each in results:
        times = "" if each.times_yardstick is None else f"{each.times_yardstick:.1f}"
        lines.append(
            f"| {each.name} | {each.mean_folded:.1%} | {each.mean_exact:.1%} | "
            f"{each.median_ms:.2f} / {each.p95_ms:.2f} | {each.images_per_s:.0f} | {times} | "
            f"{each.start_s:.2f} | {each.peak_mib:.0f} | {each.model_mib:.1f} |".replace("%", "")
        )
    lines += ["", "| images | n | " + " | ".join(each.name for each in results) + " |"]
    lines.append("|---|---:|" + "---:|" * len(results))
    for place, first in enumerate(results[0].rates):
        cells = " | ".join(_cell(each.rates[place]) for each in results)
        lines.append(f"| {first.name} | {first.n} | {cells} |")
    return "\n".join([*lines, "", *_sureness_table(results)])


def _sureness_table(results: Sequence[Result]) -> list[str]:
    lines = [
        "| reader | precision, case folded, of the surest 50 % of all images, % | of the surest 80 %, % | of all, % | "
        f"images read at a precision of {100 * SAFE:.1f} % or more, % |",
        "|---|---:|---:|---:|---:|",
    ]
    for each in results:
        shares = (None,) * 4 if each.sureness is None else astuple(each.sureness)
        cells = " | ".join("-" if share is None else f"{100 * share:.1f}" for share in shares)
        lines.append(f"| {each.name} | {cells} |")
    return lines


def _cell(rate: Rate) -> str:
    low, high = rate.folded_ci95
    return f"{100 * rate.folded / rate.n:.1f} ({100 * low:.1f}-{100 * high:.1f})"


def document(
    results: Sequence[Result], sets: Sequence[Labelled], rounds: Mapping[str, Sequence[Round]], missing: Sequence[str]
) -> dict[str, Any]:
    """Everything, the raw rounds included, as JSON can hold it."""
    return {
        "machine": machine(),
        "sets": [{"name": each.name, "n": len(each.paths), "data_sha256": each.sha256} for each in sets],
        "readers": [
            asdict(each)
            | {
                "rates": [
                    asdict(rate) | {"exact_ci95": rate.exact_ci95, "folded_ci95": rate.folded_ci95}
                    for rate in each.rates
                ]
            }
            for each in results
        ],
        "rounds": {name: [asdict(each) for each in some] for name, some in rounds.items()},
        "not_measured": list(missing),
    }


def picture(results: Sequence[Result], path: Path) -> None:
    """Solve rate against images a second, a point a reader, and the rates set by set below, as a PNG."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, (above, below) = plt.subplots(2, 1, figsize=(11, 9), height_ratios=(1, 1.2))
    for each in results:
        (point,) = above.plot(each.images_per_s, 100 * each.mean_folded, "o", markersize=9)
        above.annotate(each.name, (each.images_per_s, 100 * each.mean_folded), (7, 5), textcoords="offset points")
        rates = [100 * rate.folded / rate.n for rate in each.rates]
        spans = [(100 * rate.folded_ci95[0], 100 * rate.folded_ci95[1]) for rate in each.rates]
        errors = [[r - low for r, (low, _) in zip(rates, spans, strict=True)]]
        errors.append([high - r for r, (_, high) in zip(rates, spans, strict=True)])
        below.errorbar(
            range(len(rates)), rates, yerr=errors, fmt="o-", lw=1, capsize=2, label=each.name, color=point.get_color()
        )
    above.set(xscale="log", xlabel="images a second, one core", ylabel="solved, case folded, %", ylim=(0, 105))
    below.set(ylabel="solved, case folded, %", ylim=(0, 105))
    below.set_xticks(range(len(results[0].rates)), [rate.name for rate in results[0].rates], rotation=20)
    below.legend(fontsize=8)
    for axes in (above, below):
        axes.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)
