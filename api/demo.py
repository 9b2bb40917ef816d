"""``make demo``: draw several designs, have a service of its own read them, show figures and a contact sheet.

Tested in ``tests/cli/test_demo.py``.
"""

import socket
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from api.auth import new_key
from api.serve import Running, service
from captcha_solver.cli.demo import (
    DESIGNS,
    ROUTES,
    DemoResult,
    demo_options,
    drawings,
    save_sheet,
    show_results,
    solve_directly,
)
from captcha_solver.cli.main import run
from captcha_solver.cli.output import DONE, complain
from captcha_solver.client.delivery import Watch, deliver
from captcha_solver.client.parcels import ParcelLimits, parcels, survey
from captcha_solver.client.patience import Patience
from captcha_solver.client.records import ServedModel, SubmitOptions
from captcha_solver.client.service import ServiceClient
from captcha_solver.dataset import writable_folder, write_folder
from captcha_solver.errors import SetupError
from captcha_solver.terminal import counting_bar
from captcha_solver.types import Sample, Trial
from workers.redis_server import find_server
from workers.settings import Settings, read_settings

WORKERS = 2
RETRY_FOR_S = 60.0
KEPT_S = 600  # the answers, in a Redis that is not ours


@click.command()
@demo_options
def demo(count: int, seed: int, out: Path) -> int:
    """Draw several built-in designs, have a service read them by both routes, and save a contact sheet."""
    writable_folder(out)
    url = read_settings().redis_url
    try:
        url or find_server()
    except SetupError as error:
        complain(f"{error}; this time without a service: python -m captcha_solver.cli.demo", kind="note")
        return solve_directly(count, seed, out)
    click.echo(f"starting a service: Redis, {WORKERS} workers and the API ...", err=True)
    settings = Settings(
        redis_url=url,
        port=free_port(),
        workers=WORKERS,
        audit_workers=0,
        api_keys=(new_key(),),
        models=ROUTES,
        ttl_s=KEPT_S,
    )
    with service(settings, quiet=True) as running:
        results, models = read_by(running, _drawn(count, seed))
    show_results(results, {route: model.sha256 for route, model in models.items()}, seed)
    save_sheet(results, out)
    return DONE


def read_by(running: Running, samples: Sequence[Sample]) -> tuple[list[DemoResult], dict[str, ServedModel]]:
    """Each design with the answers of the service, as ``captcha-solver submit`` gets them, and the models it has."""
    patience = Patience(RETRY_FOR_S, lambda text: complain(text, kind="note"))
    with ServiceClient(running.url, running.key, patience) as asked, tempfile.TemporaryDirectory() as home:
        models = {model.name: model for model in asked.models()}
        folder = Path(home) / "drawn"
        write_folder(samples, folder)
        with counting_bar("reading, over REST", len(samples) * len(ROUTES)) as done:
            trials = {route: _trials(asked, folder, models[route], done) for route in ROUTES}
    by_design: dict[str, list[Sample]] = {}
    for sample in samples:
        by_design.setdefault(sample.design, []).append(sample)
    results = [
        DemoResult(design, own, {route: [trials[route][f"{sample.id}.png"] for sample in own] for route in ROUTES})
        for design, own in by_design.items()
    ]
    return results, models


def _trials(asked: ServiceClient, folder: Path, model: ServedModel, done: Callable[[int], None]) -> dict[str, Trial]:
    """File -> what came of it."""
    watch = Watch(found=lambda job: None, sent=lambda job: None, done=done)
    cut = parcels(survey(folder, ParcelLimits()), ParcelLimits())
    return {
        entry.file: Trial(entry.file, entry.label or "", model.name, solution)
        for delivered in deliver(asked, cut, SubmitOptions(model, fold_case=True), watch)
        for entry, solution in delivered.solutions(model)
    }


def _drawn(count: int, seed: int) -> list[Sample]:
    with counting_bar("drawing", len(DESIGNS) * count) as done:
        samples: list[Sample] = []
        for drawing in drawings(count, seed):
            samples += drawing
            done(count)
    return samples


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(run(demo, "python -m api.demo", sys.argv[1:]))
