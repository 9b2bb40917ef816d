"""Run a training as asked for on the command line: sources and a route in, the path of a bundle out.

Tested in ``tests/training/test_loop.py``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

from captcha_solver.errors import OptionError
from captcha_solver.models.bundle import Bundle, load_bundle, shipped_bundles
from captcha_solver.training.loop import train
from captcha_solver.training.task import TrainSettings

DEFAULT_MINUTES = 30.0
ENDLESS = 10**9


@dataclass(frozen=True, slots=True)
class TrainRequest:
    """What to train: folders, or designs by name or path; ``labels`` limits how many of a folder are used.

    ``network`` and ``teacher`` are the sliding route's; a teacher is a larger model to learn from as well.
    ``asked`` holds those fields of ``TrainSettings`` that were asked for; the others are the route's own.
    """

    sources: tuple[str, ...]
    out: Path
    route: str
    start_from: str | None
    labels: int | None
    asked: Mapping[str, Any]
    network: str | None = None
    teacher: str | None = None


def run(request: TrainRequest) -> Path:
    """Train, or go on with a training that was interrupted; the bundle's folder."""
    if request.route not in TASKS:
        raise OptionError(f"expected a route out of {', '.join(TASKS)}, received {request.route!r}")
    if not request.sources:
        raise OptionError("expected a folder or a design to train on, received none")
    if request.labels is not None and request.labels < 1:
        raise OptionError(f"expected labels above 0, received {request.labels}")
    if request.route != "sliding" and request.asked.get("recipe") is not None:
        raise OptionError(f"expected a recipe for the route sliding alone, received one for {request.route}")
    start = None if request.start_from is None else _bundle(request.start_from)
    return TASKS[request.route](request, start).path


def _bundle(name: str) -> Bundle:
    return load_bundle(shipped_bundles().get(name, Path(name)))


def _settings(request: TrainRequest, own: Mapping[str, Any] | None = None) -> TrainSettings:
    """What was asked for over the route's ``own`` defaults, over the general ones.

    Steps that were asked for are all taken: no default of minutes ends them, and no patience, unless asked for too.
    """
    budget: dict[str, Any] = {"minutes": DEFAULT_MINUTES} | dict(own or {})
    if "max_steps" in request.asked:
        budget |= {"minutes": None, "patience": ENDLESS}
    return TrainSettings(**{**budget, **request.asked})


def _digits(request: TrainRequest, start: Bundle | None) -> Bundle:
    from captcha_solver.training.tasks.digits import digits_task, fit_threshold

    if len(request.sources) != 1:
        raise OptionError(f"expected one folder of digits, received {len(request.sources)} sources")
    settings = _settings(request)
    task = digits_task(Path(request.sources[0]), batch=settings.batch, workers=settings.workers)
    return fit_threshold(task, train(task, request.out, settings, start_from=start))


def _glyphs(request: TrainRequest, start: Bundle | None) -> Bundle:
    from captcha_solver.training.tasks.glyphs import GlyphTask

    settings = _settings(request)
    task = GlyphTask.from_sources(
        request.sources, labels=request.labels, batch=settings.batch, workers=settings.workers, start=start
    )
    return train(task, request.out, settings, start_from=start)


def _sliding(request: TrainRequest, start: Bundle | None) -> Bundle:
    from captcha_solver.training.recipes.few import FEW_SETTINGS, finetune, is_few
    from captcha_solver.training.sources import parse_source
    from captcha_solver.training.tasks.distil import DistilTask
    from captcha_solver.training.tasks.sliding import SlidingTask

    few = start is not None and is_few([parse_source(each) for each in request.sources], request.labels)
    settings = _settings(request, FEW_SETTINGS if few else {})
    task = SlidingTask.from_sources(
        request.sources,
        labels=request.labels,
        batch=settings.batch,
        workers=settings.workers,
        start=start,
        network=request.network,
        recipe=settings.recipe,
    )
    if request.teacher is not None:
        if settings.recipe.in_torch:
            raise OptionError(f"a teacher takes the place of {', '.join(settings.recipe.in_torch)}: leave one out")
        given = {field.name: getattr(task, field.name) for field in fields(task)}
        return train(DistilTask(**given, teacher=_bundle(request.teacher)), request.out, settings, start_from=start)
    if few and start is not None:
        return finetune(task, request.out, settings, start)
    return train(task, request.out, settings, start_from=start)


def _locator(request: TrainRequest, start: Bundle | None) -> Bundle:
    from captcha_solver.training.tasks.locator import LOCATOR_SETTINGS, LocatorTask, finish_locator

    settings = _settings(request, LOCATOR_SETTINGS)
    task = LocatorTask.from_sources(request.sources, batch=settings.batch, workers=settings.workers)
    return train(task, request.out, settings, start_from=start, end=partial(finish_locator, task))


TASKS: dict[str, Callable[[TrainRequest, Bundle | None], Bundle]] = {
    "sliding": _sliding,
    "segmented": _glyphs,
    "digits": _digits,
    "locator": _locator,
}
