"""`manyheads score`: how probable texts are, or outputs for their texts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Annotated

import typer

from manyheads.cli import answers, options, tables
from manyheads.cli.output import notice
from manyheads.cli.unfold import unfolded
from manyheads.cli.writing import Model, Texts
from manyheads.errors import DataError

Target = Annotated[
    str | None,
    typer.Option(metavar="COL", help="The table's column of outputs, to be scored for its texts."),
]


@unfolded
def score(
    model: Model,
    texts: Texts,
    target: Target = None,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Say how probable texts are: log-probability and perplexity.

    \b
    Examples:
      manyheads score --model MODEL "The capital is Paris." "The capital is Rome."
      manyheads score --model MODEL < lines.txt
      manyheads score --model MODEL --file pairs.tsv --text source --target translation

    Each line is the log-probability, the perplexity of a token, and the text. With --target it is
    that column whose probability is said, given the texts.
    """
    texts.check(as_json)
    if target is not None and texts.file is None:
        raise DataError("--target names a column; it needs --file")
    read = texts.read(quiet, target)
    outputs = None if target is None else _column(read, target)
    generator = model.open(quiet)
    total: list[tuple[float, int]] = []

    def answering(some: Sequence[str], names: Sequence[str]) -> Iterator[answers.Answer]:
        beside = None if outputs is None else [outputs[i] for i in read.filled]
        for number, one in enumerate(generator.score(some, beside, names=names)):
            text = some[number] if beside is None else beside[number]
            total.append((one.log_prob, len(one.tokens)))
            yield answers.Answer(
                lines=[f"{one.log_prob:.4f}\t{one.perplexity:.4f}\t{' '.join(text.split())}"],
                columns={"log_prob": one.log_prob, "perplexity": one.perplexity},
                details={"tokens": list(one.tokens), "log_probs": list(one.log_probs)},
            )

    columns = {"log_prob": None, "perplexity": None}
    answers.answer(read, answering, columns, out=texts.out, quiet=quiet, as_json=as_json)
    tokens = sum(count for _, count in total)
    if len(total) > 1 and tokens:
        mean = math.fsum(log_prob for log_prob, _ in total) / tokens
        notice(f"perplexity of all {tokens:,} tokens: {math.exp(-mean):.4f}", quiet)


def _column(read: answers.Read, name: str) -> list[str]:
    if read.table is None:
        raise AssertionError("--target needs a table, which was looked at before")
    return tables.texts_of(read.table, name)
