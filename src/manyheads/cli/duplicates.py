"""`manyheads duplicates`: texts of a table or a library that say the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from manyheads.cli import options
from manyheads.cli.collection import Collection
from manyheads.cli.output import show
from manyheads.cli.unfold import unfolded

if TYPE_CHECKING:
    from manyheads.similar import Duplicates

_SHOWN = 100  # characters of a text

Threshold = Annotated[
    float, typer.Option(min=0.0, max=1.0, help="The least cosine of texts that say the same.")
]


@unfolded
def duplicates(
    collection: Collection,
    threshold: Threshold = 0.9,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Find texts of a table or a library that say the same, be it in other words.

    \b
    Examples:
      manyheads duplicates tickets.csv --text message
      manyheads duplicates tickets.csv --text message --threshold 0.95 --json
      manyheads duplicates papers-library

    Each group has a line for every text: its row or its document, and the text. All but the first
    of each group are redundant.
    """
    from manyheads.similar import duplicates

    with collection.compared(quiet) as compared:
        names, texts = compared.names, compared.texts
        found = duplicates(texts, compared.vectors, threshold, progress=compared.progress)
    document = {
        "texts": len(texts),
        "threshold": threshold,
        "groups": [[names[place] for place in group] for group in found.groups],
        "pairs": [
            {"first": names[first], "second": names[second], "similarity": float(near)}
            for (first, second), near in zip(found.pairs, found.similarities, strict=True)
        ],
        "redundant": [names[place] for place in found.redundant],
    }
    show(_lines(names, texts, found), document, as_json)


def _lines(names: list[int] | list[str], texts: list[str], found: Duplicates) -> str:
    from manyheads.data.dataset import shorten

    groups = [
        "\n".join(f"{names[place]}\t{shorten(texts[place], _SHOWN)}" for place in group)
        for group in found.groups
    ]
    said = (
        f"{len(found.groups):,} groups; {len(found.redundant):,} of {len(texts):,} texts are "
        "redundant"
    )
    return "\n\n".join([*groups, said])
