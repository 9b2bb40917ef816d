"""The commands that judge: ``audit`` a design, and ``report`` on one again from its trials."""

import math
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from captcha_solver.cli.output import DONE, NOT_ALL, complain, show_table
from captcha_solver.errors import OptionError

if TYPE_CHECKING:
    from captcha_solver.audit.report import Report

FORMATS = ("table", "json", "markdown")
FAIL_HELP = (
    "Exit 1 if more is read within the labels of --budgets: by one attack, or by all of them together if the surest "
    "answer is taken (not: if any of their answers is right)."
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
@click.option("--improve", is_flag=True, help="Draw what the advice amounts to, and attack that too.")
@click.option("--price-core-hour", default=0.05, show_default=True, type=click.FloatRange(min=0))
@click.option("--price-label", default=0.002, show_default=True, type=click.FloatRange(min=0))
@click.option("--price-attempt", default=0.0, show_default=True, type=click.FloatRange(min=0))
@click.option("--fail-above", type=click.FloatRange(0, 1), metavar="RATE", help=FAIL_HELP)
@click.option("--queue", metavar="URL", help="Have a service do it (see make serve), and fetch the report.")
@click.option("--key", envvar="CAPTCHA_API_KEY", show_envvar=True, help="An API key of that service.")
@click.option("--format", "form", type=click.Choice(FORMATS), default="table", show_default=True)
def audit(subject: str, out: Path, **how: Any) -> int:
    """Attack a design with growing budgets and report how robust it is.

    Goes on where an interrupted audit of the same folder stopped. Writes report.html, report.json, trials.jsonl and
    badge.svg into FOLDER.
    """
    from captcha_solver.audit.campaign import Campaign
    from captcha_solver.audit.subjects.subject import open_subject
    from captcha_solver.audit_settings import AuditSettings, Prices, parse_budgets

    command = _split(how["command"]) if how["command"] else None
    settings = AuditSettings(
        budgets=parse_budgets(how["budgets"]),
        minutes=how["minutes"],
        tested=how["tested"],
        seed=how["seed"],
        fold_case=not how["exact_case"],
        prices=Prices(how["price_core_hour"], how["price_label"], how["price_attempt"]),
    )
    if how["queue"]:
        from captcha_solver.cli.queued_audit import Place, QueueRequest, audit_queued

        request = QueueRequest(subject, command, settings, how["improve"])
        report = audit_queued(request, Place(how["queue"], how["key"]), out)
    else:
        report = Campaign(open_subject(subject, command=command), settings, out, _tell, improve=how["improve"]).run()
    _show(report, how["form"])
    complain(f"the report is {out / 'report.html'}", kind="note")
    return _judged(report, how["fail_above"])


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


def _tell(stage: str, done: int, total: int, left_s: float) -> None:
    """Where the audit is: all the time on a terminal, else a line for each stage that is over."""
    left = f"about {math.ceil(left_s / 60)} min to go"
    if sys.stderr.isatty():
        click.echo(f"\r\x1b[K{stage}: {done} of {total}, {left}" if done < total else "\r\x1b[K", nl=False, err=True)
    elif done == total > 0:
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
