"""The commands that judge: ``audit`` a design, and ``report`` on one again from its trials."""

import math
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from captcha_solver.audit_settings import AuditSettings, Prices, parse_budgets
from captcha_solver.cli.options import answer_option, takes
from captcha_solver.cli.output import DONE, NOT_ALL, complain, show_table
from captcha_solver.errors import OptionError
from captcha_solver.terminal import is_watched, status_line

if TYPE_CHECKING:
    from captcha_solver.audit.report import Report

FORMATS = ("table", "json", "markdown")
FAIL_HELP = (
    "Exit 1 if more is read within the labels of --budgets: by one attack, or by all of them together if the surest "
    "answer is taken (not: if any of their answers is right)."
)


@dataclass(frozen=True, slots=True)
class AuditOptions:
    """How to audit, and how to show what was found."""

    budgets: str
    minutes: float | None
    tested: int
    seed: int
    command: str | None
    exact_case: bool
    answer: str | None
    infer: bool
    improve: bool
    price_core_hour: float
    price_label: float
    price_attempt: float
    fail_above: float | None
    queue: str | None
    key: str | None
    form: str

    def settings(self) -> AuditSettings:
        """What is asked of the audit; ``OptionError`` where it makes no sense."""
        return AuditSettings(
            budgets=parse_budgets(self.budgets),
            minutes=self.minutes,
            tested=self.tested,
            seed=self.seed,
            fold_case=not self.exact_case,
            prices=Prices(self.price_core_hour, self.price_label, self.price_attempt),
            answer=self.answer,
            infer=self.infer,
        )


@click.command()
@click.argument("subject", metavar="FOLDER|DESIGN|MODULE:FUNCTION")
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER")
@click.option(
    "--budgets", default="0,20,50,100,200,500,1000,5000", show_default=True, metavar="N,N,...", help="Labels."
)
@click.option(
    "--minutes", type=click.FloatRange(min=0, min_open=True), metavar="M", help="Leave out what does not fit."
)
@click.option(
    "--tested", default=500, show_default=True, type=click.IntRange(min=1), metavar="N", help="Images to test on."
)
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0), metavar="S")
@click.option("--command", metavar="'PROGRAM ...'", help="A program that draws: takes {count}, {out}, {seed}.")
@click.option("--exact-case", is_flag=True, help="Upper and lower case are different letters.")
@answer_option()
@click.option("--infer", is_flag=True, help="Models infer length and characters of the texts from their own answers.")
@click.option("--improve", is_flag=True, help="Draw what the advice amounts to, and attack that too.")
@click.option("--price-core-hour", default=0.05, show_default=True, type=click.FloatRange(min=0))
@click.option("--price-label", default=0.002, show_default=True, type=click.FloatRange(min=0))
@click.option("--price-attempt", default=0.0, show_default=True, type=click.FloatRange(min=0))
@click.option("--fail-above", type=click.FloatRange(0, 1), metavar="RATE", help=FAIL_HELP)
@click.option("--queue", metavar="URL", help="Have a service do it (see make serve), and fetch the report.")
@click.option("--key", envvar="CAPTCHA_API_KEY", show_envvar=True, help="An API key of that service.")
@click.option("--format", "form", type=click.Choice(FORMATS), default="table", show_default=True)
@takes(AuditOptions)
def audit(subject: str, out: Path, options: AuditOptions) -> int:
    """Attack a design with growing budgets and report how robust it is.

    Resumes an interrupted audit of the same folder. Writes report.html, report.json, trials.jsonl and
    badge.svg into FOLDER.
    """
    from captcha_solver.audit.campaign import Campaign
    from captcha_solver.audit.subjects.subject import open_subject

    command = _split(options.command) if options.command else None
    settings = options.settings()
    if options.queue:
        from captcha_solver.cli.queued_audit import Place, QueueRequest, audit_queued

        request = QueueRequest(subject, command, settings, options.improve)
        report = audit_queued(request, Place(options.queue, options.key), out)
    else:
        with status_line() as say:
            opened = open_subject(subject, command=command)
            campaign = Campaign(opened, settings, out, partial(_tell, say), improve=options.improve)
            report = campaign.run()
    _show(report, options.form)
    complain(f"the report is {out / 'report.html'}", kind="note")
    return _judged(report, options.fail_above)


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--fail-above", type=click.FloatRange(0, 1), metavar="RATE", help=FAIL_HELP)
@click.option("--format", "form", type=click.Choice(FORMATS), default="table", show_default=True)
def report(folder: Path, fail_above: float | None, form: str) -> int:
    """Compute the report of an audit again from its trials, and show it."""
    from captcha_solver.audit.writing import rewrite_report

    found = rewrite_report(folder)
    _show(found, form)
    return _judged(found, fail_above)


def _split(command: str) -> list[str]:
    """The words of a command, as a shell would part them."""
    try:
        return shlex.split(command)
    except ValueError as error:
        raise OptionError(f"expected a command, received {command!r}: {error}") from error


def _judged(report: "Report", fail_above: float | None) -> int:
    """The exit code: whether more is read, within the budget, than is allowed."""
    if fail_above is None:
        return DONE
    best = report.within_budget
    if best is None:
        complain("no attack was finished within the budget: whether too much is read is not known")
        return NOT_ALL
    return NOT_ALL if best.rate > fail_above else DONE


def _tell(say: Callable[[str], None], stage: str, done: int, total: int, left_s: float) -> None:
    """Where the audit is: all the time on a terminal, else a line for each stage that is over."""
    left = f"about {math.ceil(left_s / 60)} min to go"
    say(f"{stage}: {done} of {total}, {left}")
    if not is_watched() and done == total > 0:
        complain(f"{stage}: {total} done, {left}", kind="note")


def _show(report: "Report", form: str) -> None:
    from captcha_solver.audit.pages import page

    if form == "json":
        click.echo(report.to_json(2, ascii_only=True))
        return
    if form == "markdown":
        click.echo(page.markdown(report), nl=False)
        return
    headers = ("attack", "labels", "solved", "n", "rate", "95 % interval")
    rows = [
        (
            row.name,
            page.labels(row.labels),
            str(row.solved),
            str(row.n),
            page.percent(row.rate),
            f"{page.percent(row.ci95[0])} to {page.percent(row.ci95[1])}",
        )
        for row in report.attacks
    ]
    show_table(headers, rows, right=headers[1:])
    click.echo(page.verdict(report))
    for flag in report.flags:
        complain(flag, kind="warning")
