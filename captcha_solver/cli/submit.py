"""The command ``submit``: a service reads folders; run again, the command resumes the same jobs."""

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from captcha_solver.arithmetic.expressions import truth_of
from captcha_solver.charset import parse_charset
from captcha_solver.cli.options import takes, text_options, with_options
from captcha_solver.cli.output import (
    BROKEN,
    DONE,
    NOT_ALL,
    complain,
    interval,
    percent,
    printable,
    row_writer,
    warn_each,
)
from captcha_solver.cli.read import FIELDS, show_scores, solution_row
from captcha_solver.client.address import is_local
from captcha_solver.client.delivery import Watch, deliver, send
from captcha_solver.client.parcels import MIB, Parcel, ParcelLimits, Survey, parcels, survey
from captcha_solver.client.patience import Patience
from captcha_solver.client.records import JobState, ServedModel, SubmitOptions
from captcha_solver.client.service import ServiceClient
from captcha_solver.decoding.decode import parse_length
from captcha_solver.errors import DatasetError, OptionError
from captcha_solver.folders.labels_csv import LabelUse
from captcha_solver.score import SetScore, score_trials
from captcha_solver.terminal import counting_bar
from captcha_solver.types import Trial
from captcha_solver.voting import VoteFit, parse_views

CommandT = TypeVar("CommandT", bound=Callable[..., Any])
HERE = "http://127.0.0.1:8000"
PLAIN = ParcelLimits()


@dataclass(frozen=True, slots=True)
class SubmitRequest:
    """How the images are to be read, as the command line has it."""

    model: str | None
    charset: str | None
    length: str | None
    fold_case: bool
    views: str
    answer: str | None
    infer: bool

    def __post_init__(self) -> None:
        if self.charset is not None:
            parse_charset(self.charset)
        if self.length is not None:
            parse_length(self.length)
        parse_views(self.views, VoteFit())

    def options(self, offered: Sequence[ServedModel]) -> SubmitOptions:
        """What jobs are made with: a model as it is now, so that another one of the same name makes another job."""
        fit = [model for model in offered if model.name == self.model or (self.model is None and model.usual)]
        if not fit:
            names = ", ".join(model.name for model in offered)
            raise OptionError(f"expected a model of the service ({names}), received {self.model!r}")
        return SubmitOptions(fit[0], self.charset, self.length, self.fold_case, self.views, self.answer, self.infer)


@dataclass(frozen=True, slots=True)
class SubmitCommand:
    """What the command line asks for besides the folders."""

    url: str
    key: str | None
    wait: bool
    model: str | None
    charset: str | None
    length: str | None
    views: str
    answer: str | None
    fold_case: bool
    infer: bool
    form: str
    part_images: int
    part_mib: int
    retry_for: float


def submitting_options(command: CommandT) -> CommandT:
    """Where the service is, how the images are to be read, how they are sent, and how answers are shown."""
    options = (
        click.option("--url", default=HERE, show_default=True, help="Where the service is."),
        click.option("--key", envvar="CAPTCHA_API_KEY", show_envvar=True, help="An API key of the service."),
        click.option("--wait", is_flag=True, help="Wait for the answers and show them."),
        click.option("--model", metavar="NAME", help="A model of the service; else the one that it takes itself."),
        *text_options(),
        click.option("--fold-case", is_flag=True, help="Count upper and lower case as the same letter."),
        click.option("--infer", is_flag=True,
                     help="Infer length and characters of the texts from the first answers of each job."),
        click.option("--format", "form", type=click.Choice(["table", "jsonl", "csv"]), default="table",
                     show_default=True),
        click.option("--part-images", type=click.IntRange(min=1), default=PLAIN.images, show_default=True,
                     metavar="N", help="Most images of one job; a larger folder becomes several."),
        click.option("--part-mib", type=click.IntRange(min=1), default=PLAIN.total_bytes // MIB, show_default=True,
                     metavar="N", help="Most MiB of one job."),
        click.option("--retry-for", type=click.FloatRange(min=0), default=300.0, show_default=True,
                     metavar="SECONDS", help="How long a request is tried again while the service is busy or away."),
    )  # fmt: skip
    return with_options(*options)(command)


@click.command()
@click.argument("folders", nargs=-1, required=True, metavar="FOLDER...")
@submitting_options
@click.pass_context
@takes(SubmitCommand)
def submit(context: click.Context, /, folders: tuple[str, ...], options: SubmitCommand) -> int:
    """Have a service read the images of folders (see make serve).

    Where a folder has a labels.csv, the answers are scored. Without --wait it prints the ids of the jobs and ends.
    Run again, the same command resumes the same jobs; so Ctrl-C stops only the waiting.
    """
    asked = SubmitRequest(
        options.model,
        options.charset,
        options.length,
        options.fold_case,
        options.views,
        options.answer,
        options.infer,
    )
    limits = ParcelLimits(options.part_images, options.part_mib * MIB)
    surveys, problems = _surveys(folders, limits)
    warn_each(problems, kind="warning" if surveys else "error")
    if not surveys:
        return BROKEN
    cut = [parcel for each in surveys for parcel in parcels(each, limits)]
    jobs: list[str] = []
    again = _command(context)
    patience = Patience(options.retry_for, lambda text: complain(text, kind="note"))
    try:
        with ServiceClient(options.url, options.key, patience) as service:
            _warn_of_plain_text(options.url, options.key)
            reading = asked.options(service.models())
            if options.wait:
                problems += _wait(service, cut, reading, options.form, jobs)
            else:
                problems += _leave(service, cut, reading, jobs)
                complain(f"to wait for the answers and see them: {again}", kind="note")
    except KeyboardInterrupt:
        raise KeyboardInterrupt(_farewell(jobs, len(cut), again)) from None
    return NOT_ALL if problems else DONE


def _surveys(folders: Sequence[str], limits: ParcelLimits) -> tuple[list[Survey], list[str]]:
    """The folders that can be sent, and what is wrong with them or with the others."""
    surveys: list[Survey] = []
    problems: list[str] = []
    for folder in dict.fromkeys(folders):
        try:
            found = survey(Path(folder), limits)
        except DatasetError as error:
            problems.append(str(error))
            continue
        surveys.append(found)
        problems += [f"{folder}: {problem}" for problem in found.problems]
        warn_each([f"{folder}: {note}" for note in found.notes], kind="note")
    return surveys, problems


def _leave(service: ServiceClient, cut: Sequence[Parcel], options: SubmitOptions, jobs: list[str]) -> list[str]:
    """Send all, and print the ids of the jobs; what could not be sent."""
    problems = [
        f"{printable(str(parcel.folder / entry.file))}: {entry.failure}"
        for parcel in cut
        for entry in parcel.entries
        if entry.failure
    ]
    warn_each(problems)
    with counting_bar("sending", sum(len(parcel.entries) for parcel in cut)) as done:
        watch = Watch(_going_on, lambda job: jobs.append(job.id), done)
        for parcel, job in send(service, cut, options, watch):
            done(len(parcel.entries))
            if job:
                click.echo(job.id)
    return problems


def _wait(
    service: ServiceClient, cut: Sequence[Parcel], options: SubmitOptions, form: str, jobs: list[str]
) -> list[str]:
    """Send all, show each answer and then the scores; what could not be read."""
    problems: list[str] = []
    trials: dict[Path, list[Trial]] = {parcel.folder: [] for parcel in cut}
    with row_writer(form, FIELDS) as write, counting_bar("reading", sum(len(parcel.entries) for parcel in cut)) as done:
        watch = Watch(_going_on, lambda job: jobs.append(job.id), done)
        for delivered in deliver(service, cut, options, watch):
            folder = delivered.parcel.folder
            for entry, solution in delivered.solutions(options.model):
                file = printable(str(folder / entry.file))
                write(solution_row(file, solution))
                if solution.failure:
                    problems.append(f"{file}: {solution.failure}")
                if entry.label is not None:
                    truth = truth_of(entry.label, options.answer)
                    trials[folder].append(Trial(entry.file, truth, options.model.name, solution))
    warn_each(problems)
    _score(cut, trials, options, form)
    return problems


def _score(cut: Sequence[Parcel], trials: dict[Path, list[Trial]], options: SubmitOptions, form: str) -> None:
    """The scores of labelled folders, as ``score`` shows them; on stderr where stdout is for programs."""
    scores: list[SetScore] = []
    for folder, own in trials.items():
        if not own:
            continue
        name = folder.name or folder.resolve().name
        name = str(folder) if name in {score.name for score in scores} else name
        unlabelled = sum(len(parcel.entries) for parcel in cut if parcel.folder == folder) - len(own)
        warn_each([f"{name}: {note}" for note in LabelUse(0, 0, unlabelled).told], kind="note")
        scores.append(score_trials(name, own, fold_case=options.fold_case))
    if scores and form == "table":
        show_scores(scores, options.model.name, options.model.sha256)
    elif scores:
        for score in scores:
            share = f"{percent(score.accuracy)}, 95 % interval {interval(score.ci95)}"
            complain(f"{score.name}: {score.solved} of {score.n} solved ({share}), cer {score.cer:.3f}", kind="note")


def _going_on(job: JobState) -> None:
    complain(f"resuming job {job.id} ({job.status}, {job.done} of {job.total} done)", kind="note")


def _warn_of_plain_text(url: str, key: str | None) -> None:
    if key and url.lower().startswith("http:") and not is_local(url):
        complain("the key and the images go to another machine as plain text: use https", kind="warning")


def _farewell(jobs: Sequence[str], parts: int, again: str) -> str:
    """What is said to those who press Ctrl-C: what runs without them, and how to come back to it."""
    if not jobs:
        return f"interrupted before a job was made; to try again: {again}"
    what = f"job {jobs[-1]} runs" if parts == 1 else f"{len(jobs)} of {parts} jobs are made and run"
    return f"interrupted; {what} without this client; to wait again: {again}"


def _command(context: click.Context) -> str:
    """The command line that resumes the same jobs and waits; without the key, which is nobody's to read."""
    words = ["captcha-solver", "submit", *context.params["folders"]]
    for parameter in context.command.params:
        name = parameter.name or ""
        by_hand = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if name in {"folders", "wait"} or not by_hand:
            continue
        value = "KEY" if name == "key" else context.params[name]
        words += [parameter.opts[0]] if value is True else [parameter.opts[0], str(value)]
    return shlex.join([*words, "--wait"])
