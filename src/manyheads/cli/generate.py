"""`manyheads generate`: what a model writes, after a text or when it is asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from manyheads.cli import answers, options
from manyheads.cli.output import notice, write
from manyheads.cli.unfold import unfolded
from manyheads.cli.writing import Model, Search, Texts

if TYPE_CHECKING:
    from manyheads.writer import Generator, Wording

Ask = Annotated[
    bool,
    typer.Option(
        "--ask", help="Ask a model that was taught to chat; it does not go on with texts."
    ),
]


@unfolded
def generate(
    model: Model,
    texts: Texts,
    search: Search,
    ask: Ask = False,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Write with a language model or an encoder-decoder.

    \b
    Examples:
      manyheads generate --model MODEL "The capital of France is"
      manyheads generate --model MODEL --ask "Who was Leonhard Euler?"
      manyheads generate --model MODEL --sample --temperature 0.7 --nbest 3 "Once upon a time"
      manyheads generate --model MODEL --beam 4 --max-tokens 60 < prompts.txt > outputs.txt

    A language model goes on with a text. One output is shown as it is written; of several, each is
    one line, with the line breaks in it written as \\n, which --json and tables keep.
    """
    texts.check(as_json)
    wording = search.wording()
    if ask and wording.instruction is None:
        wording = replace(wording, instruction="")
    read = texts.read(quiet)
    generator = model.open(quiet)
    if read.alone and read.filled and wording.n_best == 1 and texts.out is None and not as_json:
        _stream(generator, read.texts[0], wording, quiet)
        return

    def answering(some: Sequence[str], names: Sequence[str]) -> Iterator[answers.Answer]:
        for outputs in generator.in_turn(some, wording, names):
            yield answers.of_outputs(outputs, "output", wording, one_line=not read.alone)

    columns = answers.of_blank("output", wording)
    answers.answer(read, answering, columns, out=texts.out, quiet=quiet, as_json=as_json)


def _stream(generator: Generator, text: str, wording: Wording, quiet: bool) -> None:
    """Show an output as it is written."""
    written = answers.show_stream(generator.stream(text, wording))
    write("\n")
    if written.truncated:
        notice(f"{written.truncated:,} tokens of the text were cut", quiet)
    if written.finish.value == "length" and wording.max_tokens is None:
        notice(f"ended after {len(written.tokens)} tokens; --max-tokens allows more", quiet)
