"""`manyheads check`: what to know of the data before training."""

from __future__ import annotations

from typing import Annotated

import typer

from manyheads.cli import options
from manyheads.cli.output import show


def check(
    data: options.Data,
    text: options.Text = None,
    label: options.Label = None,
    pair: options.Pair = None,
    valid: options.Valid = "0.1",
    test: options.Test = None,
    seed: options.Seed = 0,
    encoding: options.Encoding = None,
    model: Annotated[
        str | None, typer.Option(help="Also count the tokens of this model's tokenizer.")
    ] = None,
    max_tokens: Annotated[
        int | None, typer.Option(help="Say how much this maximum length would cut.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 on errors.")] = False,
    as_json: options.Json = False,
) -> None:
    """Report what is wrong or noteworthy in the data, with row numbers and remedies."""
    from manyheads.data import check, read
    from manyheads.data.report import Severity

    dataset = read(
        data,
        text=text,
        label=label,
        pair=pair,
        valid=options.share_or_source(valid),
        test=options.share_or_source(test),
        seed=seed,
        encoding=encoding,
    )
    tokenizer = None
    if model is not None or max_tokens is not None:
        from manyheads.hub.source import locate
        from manyheads.text import Tokenizer

        tokenizer = Tokenizer.from_folder(locate(model or options.DEFAULT_MODEL))
    report = check(dataset, tokenizer=tokenizer, max_tokens=max_tokens)
    show(report.text(), report.to_json(), as_json)
    if strict and any(finding.severity is Severity.ERROR for finding in report.findings):
        raise typer.Exit(1)
