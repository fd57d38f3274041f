"""`manyheads check`: what to know and to mend in labelled text before training."""

from __future__ import annotations

from typing import Annotated

import typer

from manyheads.cli import options
from manyheads.cli.learning import busy, share_or_source
from manyheads.cli.output import show

Reference = Annotated[
    str | None,
    typer.Option("--model", metavar="REF", help="Also count tokens, by this model's tokenizer."),
]
MaxTokens = Annotated[
    int | None,
    typer.Option(help="Say how much a limit of so many tokens would cut."),
]
Strict = Annotated[bool, typer.Option("--strict", help="Exit with 1 where there are errors.")]


def check(
    data: options.Data,
    text: options.Text = None,
    label: options.Label = None,
    pair: options.Pair = None,
    valid: options.Valid = "0.1",
    test: options.Test = None,
    seed: options.Seed = 0,
    encoding: options.Encoding = None,
    model: Reference = None,
    max_tokens: MaxTokens = None,
    strict: Strict = False,
    as_json: options.Json = False,
) -> None:
    """Say what to mend in labelled text before training.

    Finds rows that are empty, double, contradicting or in two splits, gaps and imbalance of labels,
    a mix of languages, and what a maximum length would cut; with row numbers and remedies.
    """
    with busy("reading", quiet=False):
        from manyheads import data as tables

        dataset = tables.read(
            data,
            text=text,
            label=label,
            pair=pair,
            valid=share_or_source(valid),
            test=share_or_source(test),
            seed=seed,
            encoding=encoding,
        )
        tokenizer = None
        if model is not None or max_tokens is not None:
            from manyheads.hub import locate
            from manyheads.text import Tokenizer

            tokenizer = Tokenizer.from_folder(locate(model or options.MINILM))
        report = tables.check(dataset, tokenizer=tokenizer, max_tokens=max_tokens)
    show(report.text(), report.to_json(), as_json)
    if strict and report.worst is tables.Severity.ERROR:
        raise typer.Exit(1)
