"""The command that compares: ``leaderboard`` attacks a panel of designs alike and writes a page.

Tested in ``tests/audit/leaderboard/test_run.py``.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import click

from captcha_solver.cli.output import DONE, NOT_ALL, complain, show_table
from captcha_solver.terminal import is_watched, status_line

HEADERS = ("design", "best attack", "labels", "rate", "95 % interval", "to 1 %", "to 50 %", "caveats")
PANEL_HELP = "The designs and the budget; else the panel.toml in the --out folder."
MINUTES_HELP = "Leave out what does not fit; a design with parts left out is resumed the next time."


@click.command()
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER")
@click.option("--panel", "file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help=PANEL_HELP)
@click.option("--only", metavar="NAME,...", help="Attack these designs of the panel alone.")
@click.option("--minutes-each", type=click.FloatRange(min=0, min_open=True), metavar="M", help=MINUTES_HELP)
@click.option("--seed", type=click.IntRange(min=0), metavar="S", help="Another than the panel's.")
def leaderboard(out: Path, file: Path | None, only: str | None, minutes_each: float | None, seed: int | None) -> int:
    """Attack each design of a panel in the same way and write a page that compares them.

    Resumes where it was interrupted. Writes index.html and one JSON file a design into FOLDER, and keeps the audits
    themselves in its folder audits. Exits 1 if a design of the panel has no result.
    """
    from captcha_solver.audit.leaderboard.page import row_texts
    from captcha_solver.audit.leaderboard.panel import read_panel
    from captcha_solver.audit.leaderboard.run import run_panel, write_page

    panel = read_panel(file or out / "panel.toml")
    settings = replace(panel.settings, minutes=minutes_each, seed=panel.settings.seed if seed is None else seed)
    panel = replace(panel, settings=settings)
    with status_line() as say:
        run_panel(panel, out, [name.strip() for name in only.split(",")] if only else (), partial(_tell, say))
    standings, missing = write_page(panel, out)
    show_table(HEADERS, [row_texts(row) for row in standings], right=("labels", "rate", "to 1 %", "to 50 %"))
    for name, why in missing.items():
        complain(f"{name} is not on the board: {why}", kind="warning")
    complain(f"the page is {out / 'index.html'}", kind="note")
    return NOT_ALL if missing else DONE


def _tell(say: Callable[[str], None], design: str, stage: str, done: int, total: int, left_s: float) -> None:
    """Where it is: all the time on a terminal, else a line a stage."""
    where = f"{design}, {stage}: {done} of {total}, about {left_s / 60:.0f} min for what is left of it"
    say(where)
    if not is_watched() and done == 0:
        complain(where, kind="note")
