"""Texts whose vectors are compared: what `duplicates` and `topics` both read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from manyheads.cli import options, tables
from manyheads.cli.opening import busy, opened_as
from manyheads.cli.output import notice
from manyheads.errors import ConfigError, DataError

if TYPE_CHECKING:
    from manyheads.similar.vectors import Vectors


@dataclass(frozen=True)
class Compared:
    """Texts with the rows or documents that they are, what makes their vectors, and a bar."""

    names: list[int] | list[str]
    texts: list[str]
    vectors: Vectors
    progress: Callable[[int], None]


@dataclass(frozen=True)
class Collection:
    """A table, its column of texts, and the model that makes their vectors; or a library."""

    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A table with a column of texts, a text file with one on each line, or a library, "
            "whose documents have their vectors; - for JSON Lines from stdin.",
            show_default=False,
        ),
    ]
    text: Annotated[
        str | None, typer.Option(metavar="COL", help="The column of texts, if not 'text'.")
    ] = None
    model: Annotated[
        str | None,
        typer.Option(
            metavar="REF",
            help="Makes the vectors of a table: folder, package:NAME/PATH or Hub id; "
            f"{options.MINILM} if unset.",
        ),
    ] = None
    encoding: options.Encoding = None
    device: options.Device = None

    @contextmanager
    def compared(self, quiet: bool) -> Iterator[Compared]:
        """Read the texts, and show a bar over them; raises `ConfigError`, `DataError`."""
        if Path(self.source).is_dir():
            yield self._of_library()
            return
        rows, texts = self._of_table(quiet)
        with busy("opening the model", quiet):
            from manyheads.predict import Embedder
            from manyheads.train.progress import Reporter

            otherwise = "makes no vectors; choose a folder of sentence-transformers"
            model = self.model or options.MINILM
            embedder = opened_as(Embedder, model, self.device, otherwise)
        with Reporter(quiet).rows("encoding", len(texts)) as advance:
            yield Compared(rows, texts, embedder, advance)

    def _of_library(self) -> Compared:
        for name in ("text", "model", "encoding", "device"):
            if getattr(self, name) is not None:
                raise ConfigError(f"--{name} is for tables; a library has its texts and vectors")
        from manyheads.library import Library

        found = Library.open(self.source).collected()
        if not found.texts:
            raise DataError(f"{self.source}: holds no documents")
        several = len(set(found.sources)) > 1
        pairs = zip(found.sources, found.ids, strict=True)
        names = [f"{source}: {name}" if several else name for source, name in pairs]
        return Compared(names, found.texts, found.vectors, lambda _: None)

    def _of_table(self, quiet: bool) -> tuple[list[int], list[str]]:
        """Return the texts and the rows that they stand in; empty ones are left out, and said.

        Raises `DataError` for a table without texts.
        """
        table = tables.read_any(self.source, self.encoding, (self.text,))
        texts = tables.texts_of(table, self.text)
        filled = [(row, text) for row, text in zip(table.rows, texts, strict=True) if text.strip()]
        if not filled:
            raise DataError(f"{table.source}: holds no texts")
        if len(filled) < len(texts):
            notice(f"{len(texts) - len(filled):,} of {len(texts):,} rows have no text", quiet)
        rows, kept = zip(*filled, strict=True)
        return list(rows), list(kept)
