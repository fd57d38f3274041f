"""The command line: results to standard output, progress to standard error, one line when wrong.

Each command is a file; all that is slow to import is imported inside the commands, so that
`manyheads --help` answers at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import typer
from typer.exceptions import TyperException
from typer.main import get_command

from manyheads._version import __version__
from manyheads.cli.check import check
from manyheads.cli.evaluate import evaluate
from manyheads.cli.find_lr import find_lr
from manyheads.cli.info import info
from manyheads.cli.predict import predict
from manyheads.cli.train import train
from manyheads.errors import ManyHeadsError

EXAMPLES = """
Examples:

  manyheads check reviews.csv --text review --label rating

  manyheads train reviews.csv --text review --label rating --out reviews-model

  manyheads predict reviews-model "Worked within a day, no side effects."

  manyheads predict reviews-model --file new.csv --text review --out answers.csv
"""

app = typer.Typer(
    name="manyheads",
    help="Understand, train, shrink and serve Transformers.\n" + EXAMPLES,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for command in (check, train, evaluate, predict, find_lr, info):
    app.command()(command)


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 findings, 2 something to mend, 130 interrupted."""
    try:
        status = get_command(app).main(
            None if arguments is None else list(arguments), "manyheads", standalone_mode=False
        )
    except TyperException as error:
        status = _complain(error.format_message())
    except ManyHeadsError as error:
        status = _complain(str(error))
    except KeyboardInterrupt:
        _complain("interrupted; a training run with --out goes on with --resume")
        status = 130
    except BrokenPipeError:
        # Whoever read our output has seen enough; Python must not complain on the way out.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 0
    sys.exit(status)


def _complain(message: str) -> int:
    """Write the one line that says what is wrong; return the exit code for it."""
    line = " ".join(message.split())
    sys.stderr.write(f"manyheads: {line}\n".encode(errors="backslashreplace").decode())
    return 2
