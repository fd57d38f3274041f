"""`manyheads index`: documents into a library, or a library brought up to date."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from manyheads.cli import options
from manyheads.cli.opening import busy, device_of
from manyheads.cli.output import Interrupted, notice, show

if TYPE_CHECKING:
    from manyheads.library import Library, Update

_SHOWN = 20  # problems

Source = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="A folder of .txt, .md, .html and .pdf files, with all folders in it; one such file; "
        "or a table: CSV, TSV, JSONL, Parquet (.gz too).",
        show_default=False,
    ),
]
Out = Annotated[
    Path, typer.Option(metavar="LIBRARY", help="The library: a new folder, or one that is there.")
]
Model = Annotated[
    str | None,
    typer.Option(
        metavar="REF",
        help="Makes the vectors of a new library: folder, package:NAME/PATH or Hub id; "
        f"{options.MINILM} if unset.",
    ),
]
Text = Annotated[
    str | None, typer.Option(metavar="COL", help="Of a table, the column of texts, if not 'text'.")
]
Title = Annotated[str | None, typer.Option(metavar="COL", help="Of a table, the column of titles.")]
Id = Annotated[
    str | None,
    typer.Option(metavar="COL", help="Of a table, what tells documents apart, if not their rows."),
]
Tokens = Annotated[
    int | None, typer.Option(min=1, help="Of a new library: tokens in a passage, 128 if unset.")
]
Overlap = Annotated[
    int | None, typer.Option(min=0, help="Tokens that two passages share at most, 32 if unset.")
]

Add = Annotated[
    bool, typer.Option("--add", help="Keep documents of this source that it does not have now.")
]


def index(
    source: Source,
    out: Out,
    model: Model = None,
    text: Text = None,
    title: Title = None,
    id: Id = None,
    tokens: Tokens = None,
    overlap: Overlap = None,
    add: Add = False,
    encoding: options.Encoding = None,
    device: options.Device = None,
    half: options.Half = False,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Make a library of documents, to be searched and asked; again, to bring it up to date.

    The library then holds what the source holds now: new documents are added, changed ones
    replaced, vanished ones removed (unless --add). Only passages that are new are embedded, and
    only they are indexed. Whatever stops this, the library is as it was, and the same command
    goes on.

    \b
    Examples:
      manyheads index ~/papers --out papers-library
      manyheads index articles.jsonl --text body --title headline --id url --out articles-library
    """
    from manyheads.data.formats.files import require_path
    from manyheads.errors import ManyHeadsError
    from manyheads.train.progress import Reporter

    require_path(Path(source).expanduser())  # before a library is made for it
    with busy("opening the model", quiet):
        library = _opened(out, model, tokens, overlap, device, half)
    reporter = Reporter(quiet)
    try:
        take = library.add if add else library.update
        update = take(
            source,
            text=text,
            title=title,
            id=id,
            encoding=encoding,
            bar=lambda total: reporter.rows("embedding", total),
        )
    except KeyboardInterrupt:
        raise Interrupted("the same command goes on with what is embedded") from None
    except ManyHeadsError:
        _leave_nothing_empty(out)
        raise
    _complain(update, quiet)
    document = {
        "library": str(out),
        "documents": len(library),
        "passages": library.passages,
        **asdict(update),
    }
    show(_line(out, library, update), document, as_json)


def _opened(
    out: Path,
    model: str | None,
    tokens: int | None,
    overlap: int | None,
    device: str | None,
    half: bool,
) -> Library:
    """Open the library, or create it; raises `ConfigError` for settings that it has not."""
    from manyheads.errors import ConfigError
    from manyheads.library import Library, Passages
    from manyheads.library.store import MANIFEST

    chosen = device_of(device)
    if (out / MANIFEST).exists():
        if tokens is not None or overlap is not None:
            raise ConfigError(
                f"{out} is there already, and its passages are cut; leave out --tokens and "
                "--overlap, or make another library"
            )
        return Library.open(out, embedder=model, device=chosen, half=half)
    usual = Passages()
    passages = Passages(
        usual.tokens if tokens is None else tokens, usual.overlap if overlap is None else overlap
    )
    return Library.create(
        out, embedder=model or options.MINILM, passages=passages, device=chosen, half=half
    )


def _leave_nothing_empty(out: Path) -> None:
    """Remove a library that holds nothing, so that the corrected command makes it as it says."""
    from manyheads.library.store import MANIFEST

    if [one.name for one in out.iterdir()] == [MANIFEST]:
        (out / MANIFEST).unlink()
        out.rmdir()


def _complain(update: Update, quiet: bool) -> None:
    for problem in update.problems[:_SHOWN]:
        notice(f"left out: {problem}", quiet)
    if len(update.problems) > _SHOWN:
        notice(f"left out: {len(update.problems) - _SHOWN:,} more", quiet)


def _line(out: Path, library: Library, update: Update) -> str:
    """Return for a person what there is now, and what was done."""
    counts = {
        "added": update.added,
        "changed": update.changed,
        "removed": update.removed,
        "unchanged": update.unchanged,
        "left out": len(update.problems),
    }
    done = ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)
    return (
        f"{len(library):,} documents, {library.passages:,} passages in {out} "
        f"({done or 'nothing there'}; {update.embedded:,} passages embedded)"
    )
