"""`manyheads check`: what to know and to mend in labelled or parallel text before training."""

from __future__ import annotations

from typing import Annotated

import typer

from manyheads.cli import options, rows
from manyheads.cli.opening import busy
from manyheads.cli.output import show
from manyheads.cli.unfold import unfolded

Reference = Annotated[
    str | None,
    typer.Option("--model", metavar="REF", help="Also count tokens, by this model's tokenizer."),
]
MaxTokens = Annotated[
    int | None,
    typer.Option(help="Say how much a limit of so many tokens would cut."),
]
Strict = Annotated[bool, typer.Option("--strict", help="Exit with 1 where there are errors.")]


@unfolded
def check(
    labelled: rows.Labelled,
    held_out: rows.HeldOut,
    model: Reference = None,
    max_tokens: MaxTokens = None,
    strict: Strict = False,
    as_json: options.Json = False,
) -> None:
    """Say what to mend in labelled or parallel text before training.

    Finds rows that are empty, double, contradicting or in two splits, gaps and imbalance of labels,
    pairs that are copies or do not fit, a mix of languages, and what a maximum length would cut;
    with row numbers and remedies.
    """
    with busy("reading", quiet=False):
        from manyheads import data as tables

        dataset = labelled.read(held_out, keep_empty=True)
        tokenizer = None
        if model is not None or max_tokens is not None:
            from manyheads.hub import locate
            from manyheads.text import Tokenizer

            tokenizer = Tokenizer.from_folder(locate(model or options.MINILM))
        reports = {
            head: tables.check(one, tokenizer=tokenizer, max_tokens=max_tokens)
            for head, one in dataset.sets().items()
        }
    texts = [f"{head}\n{one.text()}" if head else one.text() for head, one in reports.items()]
    found = {head: one.to_json() for head, one in reports.items()}
    show("\n\n".join(texts), found.get("") or {"heads": found}, as_json)
    if strict and any(one.worst is tables.Severity.ERROR for one in reports.values()):
        raise typer.Exit(1)
