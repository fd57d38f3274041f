"""`manyheads rerank`: documents in the order in which they answer a query."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Annotated

import typer

from manyheads.cli import options, tables
from manyheads.cli.opening import device_of
from manyheads.cli.output import notice, show
from manyheads.errors import DataError

Model = Annotated[
    str, typer.Argument(metavar="MODEL", help="A cross-encoder, or a trained classifier of pairs.")
]
Query = Annotated[str, typer.Argument(metavar="QUERY", help="What the documents are to answer.")]
Documents = Annotated[
    list[str] | None,
    typer.Argument(metavar="TEXT", help="Documents; without any, lines of stdin."),
]
File = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="A table with a column of documents; - for JSON Lines."),
]
Text = Annotated[str | None, typer.Option(metavar="COL", help="Its column, if not 'text'.")]
Top = Annotated[int | None, typer.Option("--top", metavar="N", help="Only the first ones.")]


def rerank(
    model: Model,
    query: Query,
    documents: Documents = None,
    file: File = None,
    text: Text = None,
    top: Top = None,
    encoding: options.Encoding = None,
    device: options.Device = None,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Order documents by how well they answer a query.

    \b
    Examples:
      manyheads rerank MODEL "How many people live in Berlin?" "Berlin has 3.7 million." "Go north."
      manyheads rerank MODEL "How many people live in Berlin?" --file found.csv --top 3
      cat found.txt | manyheads rerank MODEL "How many people live in Berlin?" --json

    Each line is the relevance, the number of the document from 1 on, and the document.
    """
    if documents and file is not None:
        raise DataError("documents and --file are both given; give one of them")
    given = _documents(documents, file, text, encoding, quiet)
    from manyheads.predict import Reranker

    ranked = Reranker.open(model, device=device_of(device)).rank(query, given, top)
    lines = [f"{one.score:.4f}\t{one.index + 1}\t{' '.join(one.text.split())}" for one in ranked]
    show("\n".join(lines), {"query": query, "ranks": [asdict(one) for one in ranked]}, as_json)


def _documents(
    documents: list[str] | None,
    file: str | None,
    text: str | None,
    encoding: str | None,
    quiet: bool,
) -> list[str]:
    if file is not None:
        return tables.texts_of(tables.read_any(file, encoding, (text,)), text)
    if documents:
        return documents
    if sys.stdin.isatty():
        notice("reading documents from the keyboard, one per line; Ctrl-D ends them", quiet)
    return tables.read_lines()
