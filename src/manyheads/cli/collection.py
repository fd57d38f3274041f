"""A table of texts whose vectors are compared: what `duplicates` and `topics` both read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from manyheads.cli import options, tables
from manyheads.cli.opening import busy, opened_as
from manyheads.cli.output import notice
from manyheads.errors import DataError

if TYPE_CHECKING:
    from manyheads.predict import Embedder


@dataclass(frozen=True)
class Collection:
    """A table, its column of texts, and the model that makes their vectors."""

    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="A table with a column of texts, or a text file with one on each line; - for JSON "
            "Lines from stdin.",
            show_default=False,
        ),
    ]
    text: Annotated[
        str | None, typer.Option(metavar="COL", help="The column of texts, if not 'text'.")
    ] = None
    model: Annotated[
        str,
        typer.Option(metavar="REF", help="Makes the vectors: folder, package:NAME/PATH or Hub id."),
    ] = options.MINILM
    encoding: options.Encoding = None
    device: options.Device = None

    def read(self, quiet: bool) -> tuple[list[int], list[str]]:
        """Return the texts and the rows that they stand in; empty ones are left out, and said.

        Raises `DataError` for a table without texts.
        """
        table = tables.read_any(self.file, self.encoding, (self.text,))
        texts = tables.texts_of(table, self.text)
        filled = [(row, text) for row, text in zip(table.rows, texts, strict=True) if text.strip()]
        if not filled:
            raise DataError(f"{table.source}: holds no texts")
        if len(filled) < len(texts):
            notice(f"{len(texts) - len(filled):,} of {len(texts):,} rows have no text", quiet)
        rows, kept = zip(*filled, strict=True)
        return list(rows), list(kept)

    @contextmanager
    def embedding(
        self, texts: int, quiet: bool
    ) -> Iterator[tuple[Embedder, Callable[[int], None]]]:
        """Open the model, and show a bar over so many texts; raises `ConfigError`."""
        with busy("opening the model", quiet):
            from manyheads.predict import Embedder
            from manyheads.train.progress import Reporter

            otherwise = "makes no vectors; choose a folder of sentence-transformers"
            embedder = opened_as(Embedder, self.model, self.device, otherwise)
        with Reporter(quiet).rows("encoding", texts) as advance:
            yield embedder, advance
