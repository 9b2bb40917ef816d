"""The options of a command as one typed record, so that mypy sees what the command does with them.

Tested in ``tests/cli/test_main.py``.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from typing import Any, TypeVar

import click

from captcha_solver.arithmetic.expressions import ANSWERS
from captcha_solver.models.runtimes import AUTO, RUNTIMES
from captcha_solver.voting import USUAL

CommandT = TypeVar("CommandT", bound=Callable[..., Any])


def takes(kind: type) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Decorate a command: the options named as the fields of the dataclass ``kind`` come as one, ``options``."""
    names = [each.name for each in fields(kind)]

    def decorate(command: Callable[..., int]) -> Callable[..., int]:
        @wraps(command)
        def call(*arguments: Any, **given: Any) -> int:
            options = kind(**{name: given.pop(name) for name in names})
            return command(*arguments, options=options, **given)

        return call

    return decorate


def with_options(*options: Callable[[CommandT], CommandT]) -> Callable[[CommandT], CommandT]:
    """Decorate a command with options, in their order."""

    def decorate(command: CommandT) -> CommandT:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


@dataclass(frozen=True, slots=True)
class ReadingOptions:
    """How images are to be read, as the command line has it."""

    model: str
    runtime: str
    charset: str | None
    length: str | None
    views: str
    answer: str | None


def charset_option(help_text: str) -> Callable[[CommandT], CommandT]:
    """--charset, given once: several alphabets are one charset, joined by ``+``."""
    return click.option("--charset", metavar="CHARSET", multiple=True, callback=_only_one, help=help_text)


def _only_one(context: click.Context, option: click.Parameter, given: tuple[str, ...]) -> str | None:
    if len(given) > 1:
        raise click.UsageError(f"expected one --charset, received {len(given)}: join them, as in {'+'.join(given)}")
    return given[0] if given else None


def answer_option() -> Callable[[CommandT], CommandT]:
    """--answer: for images of small sums."""
    told = "The texts are sums, as 3+4=?: answer with the expression in one form, or with its result."
    return click.option("--answer", type=click.Choice(ANSWERS), help=told)


def text_options() -> tuple[Callable[[CommandT], CommandT], ...]:
    """--charset, --length, --views and --answer: what all commands take that have images read."""
    views = "In how many views (1-7) an image is read; auto: in all where the first reading is unsure."
    return (
        charset_option("What may be in the texts: digits, lower+digits, cyrillic, a-z0-9, ... or the characters."),
        click.option("--length", metavar="N|A-B", help="How long the texts are, if known: 4, or 4-6."),
        click.option("--views", default=USUAL, show_default=True, metavar="auto|N", help=views),
        answer_option(),
    )  # fmt: skip


def reading_options(command: CommandT) -> CommandT:
    """--model, --runtime and ``text_options``: what both reading commands take."""
    options = (
        click.option("--model", default="sliding", show_default=True, metavar="NAME|PATH",
                     help="sliding, segmented, digits, or the folder of a bundle."),
        click.option("--runtime", type=click.Choice([AUTO, *RUNTIMES]), default=AUTO, show_default=True,
                     help="What runs the network; auto: the quickest on a CPU that the bundle has."),
    )  # fmt: skip
    return with_options(*options, *text_options())(command)
