"""Fit when further views are read, and how sure their vote is, on drawn images; compare ways to vote.

    python -m captcha_solver.training.finishing.fit_views BUNDLE [DESIGN...] [--count N] [--write]

Give designs that the bundle was not trained on: on others it is surer than it should be.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from captcha_solver.designs.drawing.draw import draw_batch
from captcha_solver.designs.load import load_design
from captcha_solver.errors import CaptchaSolverError
from captcha_solver.models.bundle import load_bundle
from captcha_solver.models.save import amend_bundle
from captcha_solver.quiet import sieved_stderr
from captcha_solver.recognizers import bundle_path
from captcha_solver.solver import CHUNK, Solver, load_solver
from captcha_solver.statistics import calibration_error
from captcha_solver.texts import same_text
from captcha_solver.types import Rgb
from captcha_solver.views import VIEWS
from captcha_solver.voting import VoteFit

DESIGNS = ("ledger", "mosaic", "phantom", "gauntlet", "wild")
THRESHOLDS = (0.0, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 1.0)
NEAR = 0.002  # of the best accuracy: the lowest threshold that comes so near is taken, for it costs least
SEED = 987_654_326  # no training seed draws from this stream
FEWEST = 50  # images that the calibration is fitted on: where fewer are voted on, on all
STEPS = 100  # of Newton's method
RIDGE, FARTHEST = 0.05, 50.0  # of the regression: how firmly, and log-odds beyond which nothing changes
BEGIN = np.array([1.0, 0.0])

Weigh = Callable[[float], float]
SUPPORT = "mean probability in all views"
RULES: dict[str, Weigh] = {  # of further ways to vote, by the readings' own confidences alone
    "sum of confidences": lambda confidence: confidence,
    "one vote a view": lambda confidence: 1 + 1e-3 * confidence,
    "sum of squares": lambda confidence: confidence**2,
    "sum of roots": lambda confidence: confidence**0.5,
}
SUREST = "the surest view"


@dataclass(frozen=True, slots=True)
class Looked:
    """One drawn image: its text, and what was read in each view, how surely, and how far all views support it."""

    text: str
    readings: tuple[tuple[str, float, float], ...]

    def right(self, text: str) -> bool:
        return same_text(self.text, text, fold_case=True)


def look(solver: Solver, images: Sequence[Rgb], texts: Sequence[str]) -> list[Looked]:
    """What ``solver``, which reads all views, reads in each view of each image."""
    looked = []
    for start in range(0, len(images), CHUNK):
        seen = solver.views_of(images[start : start + CHUNK])
        for text, views in zip(texts[start : start + CHUNK], seen, strict=True):
            found = ((each.reading.text, each.reading.confidence, each.support) for each in views)
            looked.append(Looked(text, tuple(found)))
    return looked


def drawn(design: str, count: int) -> tuple[list[Rgb], list[str]]:
    """New images of a design with their texts."""
    drawings = draw_batch(load_design(design), [None] * count, np.random.default_rng(SEED))
    return [each.image for each in drawings], [each.text for each in drawings]


def voted(readings: Sequence[tuple[str, float, float]], rule: str = SUPPORT) -> tuple[str, float]:
    """The text that ``rule`` chooses, and its support or its share of the vote."""
    if rule in (SUPPORT, SUREST):
        text, sure, support = max(readings, key=lambda each: each[2 if rule == SUPPORT else 1])
        return text, support if rule == SUPPORT else sure
    sums: dict[str, float] = defaultdict(float)
    for text, confidence, _ in readings:
        if text:
            sums[text] += RULES[rule](confidence)
    if not sums:
        return readings[0][:2]
    best = max(sums, key=sums.__getitem__)
    return best, sums[best] / len(readings)


def accuracy(looked: Sequence[Looked], rule: str, below: float) -> tuple[float, float]:
    """Share right where images less sure than ``below`` are voted on by ``rule``, and the views an image."""
    right = views = 0
    for each in looked:
        first = each.readings[0]
        unsure = not first[0] or first[1] < below
        right += each.right(voted(each.readings, rule)[0] if unsure else first[0])
        views += len(each.readings) if unsure else 1
    return right / len(looked), views / len(looked)


def fitted(groups: Sequence[Sequence[Looked]]) -> VoteFit:
    """The lowest threshold near the best mean accuracy, and Platt's two numbers on the images that are voted on."""
    means = [float(np.mean([accuracy(group, SUPPORT, below)[0] for group in groups])) for below in THRESHOLDS]
    below = next(t for t, mean in zip(THRESHOLDS, means, strict=True) if mean >= max(means) - NEAR)
    looked = [each for group in groups for each in group]
    unsure = [each for each in looked if not each.readings[0][0] or each.readings[0][1] < below]
    shares, right = shares_of(unsure if len(unsure) >= FEWEST else looked)
    slope, offset = platt(shares, right) if right.any() and not right.all() else (1.0, 0.0)
    return VoteFit(below, max(slope, 0.1), offset)


def shares_of(looked: Sequence[Looked]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The share of the vote of each image's answer, and whether that is right."""
    answers = [voted(each.readings) for each in looked]
    right = [each.right(text) for each, (text, _) in zip(looked, answers, strict=True)]
    return np.array([share for _, share in answers], np.float64), np.array(right, bool)


def platt(shares: NDArray[np.float64], right: NDArray[np.bool_]) -> tuple[float, float]:
    """Slope and offset of the logistic regression of ``right`` on the log-odds of ``shares`` (Platt 1999).

    A weak ridge about slope 1 and offset 0 holds them where a share tells all that is right from all that is wrong.
    """
    clipped = np.clip(shares, 1e-4, 1 - 1e-4)
    x = np.stack([np.log(clipped / (1 - clipped)), np.ones(len(shares))], axis=1)
    weights = BEGIN
    for _ in range(STEPS):
        p = 1 / (1 + np.exp(-np.clip(x @ weights, -FARTHEST, FARTHEST)))
        gradient = x.T @ (p - right) + RIDGE * (weights - BEGIN)
        curvature = (x * (p * (1 - p))[:, None]).T @ x + RIDGE * np.eye(2)
        weights = weights - np.linalg.solve(curvature, gradient)
    return float(weights[0]), float(weights[1])


def tables(groups: Sequence[Sequence[Looked]], fit: VoteFit) -> str:
    """Markdown: views alone, rules, thresholds, calibration."""
    views = ["| view | read alone, % |", "|---|---:|"]
    for place, name in enumerate(VIEWS):
        alone = np.mean([np.mean([e.right(e.readings[place][0]) for e in group]) for group in groups])
        views.append(f"| {name} | {100 * alone:.1f} |")
    by_rule = {rule: np.mean([accuracy(group, rule, 1.1)[0] for group in groups]) for rule in (SUPPORT, *RULES, SUREST)}
    rules = ["| rule | read, % |", "|---|---:|", *(f"| {rule} | {100 * read:.1f} |" for rule, read in by_rule.items())]
    thresholds = ["| further views below | read, % | views an image |", "|---:|---:|---:|"]
    for below in THRESHOLDS:
        read, count = np.mean([accuracy(group, SUPPORT, below) for group in groups], axis=0)
        thresholds.append(f"| {below:g} | {100 * read:.1f} | {count:.1f} |")
    shares, right = shares_of([each for group in groups for each in group])
    sure = np.array([fit.confidence(float(share)) for share in shares])
    before, after = calibration_error(shares, right), calibration_error(sure, right)
    said = f"below {fit.below:g}, slope {fit.slope:.2f}, offset {fit.offset:.2f}; "
    said += f"expected calibration error of the vote {before:.3f}, fitted {after:.3f}"
    return "\n\n".join("\n".join(part) for part in (views, rules, thresholds, [said]))


@click.command()
@click.argument("model")
@click.argument("designs", nargs=-1)
@click.option("--count", default=400, show_default=True, type=click.IntRange(min=2), help="Images of each design.")
@click.option("--write", is_flag=True, help="Store what was fitted in the bundle.")
def main(model: str, designs: tuple[str, ...], count: int, write: bool) -> None:
    """Print how views read DESIGNS, and fit MODEL's threshold and calibration on them."""
    try:
        solver = load_solver(model, views=len(VIEWS))
        groups = [look(solver, *drawn(name, count)) for name in designs or DESIGNS]
        fit = fitted(groups)
        click.echo(tables(groups, fit))
        if write:
            path = Path(bundle_path(model))
            said = {"designs": list(designs or DESIGNS), "images": sum(map(len, groups))}
            amend_bundle(load_bundle(path), views=fit, card={"views": said})
    except CaptchaSolverError as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    with sieved_stderr():
        main()
