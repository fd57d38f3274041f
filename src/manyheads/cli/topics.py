"""`manyheads topics`: what the texts of a table or a library are about."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from manyheads.cli import options, tables
from manyheads.cli.collection import Collection
from manyheads.cli.output import notice, show
from manyheads.cli.unfold import unfolded
from manyheads.errors import DataError

Number = Annotated[
    int | None, typer.Option("-n", min=1, help="Topics; as many as stand apart best if unset.")
]
Out = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="A page with a map of the texts: topics.html."),
]
Seed = Annotated[int, typer.Option(min=0, help="What chance is drawn from.")]


@unfolded
def topics(
    collection: Collection,
    n: Number = None,
    out: Out = None,
    seed: Seed = 0,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Find what the texts of a table or a library are about: topics with words and examples.

    \b
    Examples:
      manyheads topics reviews.csv --text review --out topics.html
      manyheads topics reviews.csv --text review -n 12 --json
      manyheads topics papers-library --out topics.html

    The same texts and the same seed give the same topics. What is near no topic is an outlier.
    """
    if out is not None:
        if out.suffix.lower() not in (".html", ".htm"):
            raise DataError(f"--out {out}: the page is HTML; name it {out.with_suffix('.html')}")
        tables.require_place(out)
    from manyheads.similar import topics

    with collection.compared(quiet) as compared:
        names, texts = compared.names, compared.texts
        found = topics(texts, compared.vectors, n, seed=seed, progress=compared.progress)
    if out is not None:
        found.write_page(out, title=f"Topics of {Path(collection.source).name}")
        notice(f"the map is in {out}", quiet)
    document = {
        "texts": len(texts),
        "reason": found.reason,
        "topics": [
            {
                "topic": one.number,
                "size": one.size,
                "words": one.words,
                "examples": [{"row": names[row], "text": texts[row]} for row in one.examples],
            }
            for one in found.topics
        ],
        "outliers": [names[row] for row in found.outliers],
        "rows": dict(zip(map(str, names), found.labels.tolist(), strict=True)),
    }
    show(found, document, as_json)
