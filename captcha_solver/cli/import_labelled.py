"""The command ``import``: labelled images in other people's layouts become a folder with ``labels.csv``."""

from pathlib import Path

import click

from captcha_solver.cli.output import DONE, NOT_ALL, show_table, warn_each
from captcha_solver.errors import OptionError
from captcha_solver.labels.finding import KINDS, How
from captcha_solver.labels.importing import import_folder

MOST_SHOWN = 10


@click.command("import")
@click.argument("source", type=click.Path(path_type=Path), metavar="SOURCE")
@click.option(
    "--labels",
    "kind",
    type=click.Choice(KINDS),
    help="Where the labels are: in the file names, or in a table of that kind. Without it they are looked for.",
)
@click.option(
    "--pattern",
    metavar="REGEX",
    help="For labels in file names: a pattern with a group (?P<label>...), as '(?P<label>[a-z]+)_'.",
)
@click.option(
    "--columns", metavar="FILE,LABEL", help="The table's columns for the file and the label: names, or numbers from 1."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="A new or empty folder; without it SOURCE-labelled, in the current folder.",
)
def import_labelled(source: Path, kind: str | None, pattern: str | None, columns: str | None, out: Path | None) -> int:
    """Make a folder with labels.csv of SOURCE: a folder, a zip or a table of labelled images.

    The label may be in the file name (abcd_123.jpg), in a table with any column names (CSV, TSV, JSON, text), one a
    line in the order of the files, or in a text file beside each image. SOURCE stays as it is.
    """
    folder = out or Path(f"{source.stem if source.is_file() else source.resolve().name}-labelled")
    imported = import_folder(source, folder, How(kind, pattern, _columns(columns)))
    shown = imported.pairs[:MOST_SHOWN]
    show_table(("file", "label"), shown)
    click.echo(f"{len(imported.pairs):,} images in {folder}; labels: {imported.labels.told}")
    warn_each(imported.left_out)
    return NOT_ALL if imported.left_out else DONE


def _columns(text: str | None) -> tuple[str, str] | None:
    if text is None:
        return None
    file, comma, label = text.partition(",")
    if not (file.strip() and comma and label.strip()):
        raise OptionError(f"--columns: expected two columns such as file,label or 1,3, received {text!r}")
    return file.strip(), label.strip()
