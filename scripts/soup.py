"""Average two sliding bundles, the later trained on from the earlier: what it learnt, with less of the old forgotten.

    python -m scripts.soup EARLIER LATER --share 0.5 --out BUNDLE SOURCE...

Wortsman et al. 2022, "Robust fine-tuning of zero-shot models". The sources give the held-out images that the average is
calibrated and quantised with.
"""

from pathlib import Path
from typing import Any

import click
import numpy as np

from captcha_solver.errors import BundleError, CaptchaSolverError
from captcha_solver.models.bundle import Bundle, load_bundle
from captcha_solver.models.runtimes import load_keras
from captcha_solver.quiet import sieved_stderr
from captcha_solver.recognizers import bundle_path, read_settings
from captcha_solver.sliding.strip import SlideSettings
from captcha_solver.training.finishing.finish import finish
from captcha_solver.training.tasks.sliding import SlidingTask


def average(earlier: Bundle, later: Bundle, share: float) -> Any:
    """The network of ``later`` with each weight ``share`` of the way from ``earlier`` to it."""
    first, second = ((each.kind, each.charset, read_settings(each, SlideSettings)) for each in (earlier, later))
    if first != second:
        raise BundleError(f"expected bundles of one kind, charset and settings, received {earlier.path}, {later.path}")
    before, model = load_keras(earlier).get_weights(), load_keras(later)
    after = model.get_weights()
    if [w.shape for w in before] != [w.shape for w in after]:
        raise BundleError(f"expected networks of one shape, received {earlier.path} and {later.path}")
    model.set_weights([np.asarray((1 - share) * a + share * b) for a, b in zip(before, after, strict=True)])
    return model


@click.command()
@click.argument("earlier")
@click.argument("later")
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option("--share", default=0.5, show_default=True, type=click.FloatRange(0, 1), help="Of the later one.")
@click.option("--out", required=True, type=click.Path(path_type=Path), metavar="BUNDLE")
def main(earlier: str, later: str, sources: tuple[str, ...], share: float, out: Path) -> None:
    """Write the average of two bundles."""
    try:
        first, second = load_bundle(bundle_path(earlier)), load_bundle(bundle_path(later))
        task = SlidingTask.from_sources(sources, labels=None, batch=64, workers=0, start=second)
        report = {"average_of": [first.sha256, second.sha256], "share": share, "later": second.card.get("training")}
        bundle = finish(task, out, average(first, second, share), report=report)
    except CaptchaSolverError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"bundle written to {bundle.path}; int8: {bundle.card['int8']}")


if __name__ == "__main__":
    with sieved_stderr():
        main()
