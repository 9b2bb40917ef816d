"""The command line. Exit codes: 0 done, 1 not all of it, 2 usage, 3 broken input."""

import sys
from collections.abc import Sequence
from importlib import import_module

import click

from captcha_solver import __version__
from captcha_solver.cli.output import BROKEN, DONE, INTERRUPTED, USAGE, complain
from captcha_solver.errors import CaptchaSolverError, OptionError
from captcha_solver.quiet import sieved_stderr

COMMANDS = {  # name -> the module that has it, loaded when it is asked for: reading an image must not wait for drawing
    "solve": "captcha_solver.cli.read",
    "score": "captcha_solver.cli.read",
    "submit": "captcha_solver.cli.submit",
    "audit": "captcha_solver.cli.audit",
    "report": "captcha_solver.cli.audit",
    "leaderboard": "captcha_solver.cli.leaderboard",
    "draw": "captcha_solver.cli.make",
    "import": "captcha_solver.cli.import_labelled",
    "train": "captcha_solver.cli.make",
    "adapt": "captcha_solver.cli.make",
    "designs": "captcha_solver.cli.make",
    "models": "captcha_solver.cli.make",
    "doctor": "captcha_solver.cli.make",
}
CALLED = {"import": "import_labelled"}  # where a command's name is no name in Python


class Commands(click.Group):
    """A group whose commands are those of ``COMMANDS``."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        called = CALLED.get(cmd_name, cmd_name)
        command: click.Command = getattr(import_module(COMMANDS[cmd_name]), called)
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="captcha-solver")
@click.option("--debug", is_flag=True, expose_value=False, help="Show where an unexpected error came from.")
def cli() -> None:
    """Tells the owner of a text-CAPTCHA design how strong that design is.

    Exit codes: 0 done; 1 finished, but something could not be read or did not hold; 2 usage;
    3 broken input or set-up.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    return run(cli, "captcha-solver", sys.argv[1:] if arguments is None else arguments)


def run(program: click.Command, name: str, arguments: Sequence[str]) -> int:
    """The exit code of ``program``; whatever goes wrong ends as one line on stderr, not as a traceback."""
    with sieved_stderr():
        return _run(program, name, arguments)


def _run(program: click.Command, name: str, arguments: Sequence[str]) -> int:
    try:
        code = program.main(args=list(arguments), prog_name=name, standalone_mode=False)
    except click.UsageError as error:
        error.show()
        return USAGE
    except OptionError as error:
        complain(str(error))
        return USAGE
    except (CaptchaSolverError, click.ClickException) as error:
        complain(str(error))
        return BROKEN
    except (click.Abort, KeyboardInterrupt) as error:
        complain(str(error.__cause__ or error) or "interrupted", kind="stopped")
        return INTERRUPTED
    except OSError as error:
        complain(str(error))
        return BROKEN
    except Exception as error:  # a mistake of ours: still no wall of text, unless it is asked for
        if "--debug" in arguments:
            raise
        complain(f"{type(error).__name__}: {error} (--debug, before the command, shows where)", kind="unexpected")
        return BROKEN
    return code if isinstance(code, int) else DONE


if __name__ == "__main__":
    sys.exit(main())
