"""Hard negatives: for each text the nearest of those that it does not belong to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from manyheads.core.similarity import nearest, unit_length
from manyheads.data import Dataset, Split
from manyheads.errors import DataError, RecipeError
from manyheads.predict import Embedder
from manyheads.tasks.similarity.samples import numbered
from manyheads.tasks.similarity.scores import Search


def mine_negatives(
    data: Dataset,
    embedder: Embedder,
    *,
    count: int = 1,
    ranks: range = range(100),
    margin: float = 0.05,
) -> Dataset:
    """Return the data with a hard negative beside each training pair, found by an embedder.

    All pairs of the training split are searched exactly with each text. Of those that do not stand
    beside it anywhere, the nearest `count` with a rank in `ranks`, from 0 on, become negatives, a
    row each. Some of the nearest belong to the text although nobody said so: a negative's cosine
    must stay below that of the row's own pair by the share `margin` of it (Moreira et al. 2024,
    TopK-PercPos), and a later start of `ranks` leaves out more. Rows for which none is left are
    left out, and counted in the notes. Other splits stay as they are; what is mined for `Reranking`
    is read with ``valid=0``, or with a validation split of its own kind.

    Raises `DataError` for data without pairs, with scores or negatives, or where no row is left,
    `RecipeError` for settings out of range.
    """
    train = data.train
    _require_pairs(train)
    if count < 1 or not ranks or ranks.start < 0 or ranks.step != 1 or not 0 <= margin < 1:
        raise RecipeError(
            f"count={count}, ranks={ranks}, margin={margin}: choose a count from 1 on, ranks such "
            "as range(10, 100), and a share from 0 to below 1"
        )
    rows, negatives = [], []
    for row, found in enumerate(_found(train, embedder, ranks, margin)):
        rows += [row] * len(found[:count])
        negatives += found[:count]
    if not rows:
        raise DataError(
            f"{train.source}: no text has a negative among ranks {ranks.start} to {ranks.stop} "
            f"below a margin of {margin}; widen ranks or lower margin"
        )
    mined = train.take(rows)
    columns = {**mined.columns, "negative": [train.columns["pair"][other] for other in negatives]}
    note = f"train: {len(rows):,} negatives mined"
    if left_out := len(train) - len(set(rows)):
        note += f", {left_out:,} pairs without any left out"
    return replace(
        data,
        train=replace(mined, columns=columns),
        names={**data.names, "negative": "mined"},
        notes=(*data.notes, note),
    )


def _found(train: Split, embedder: Embedder, ranks: range, margin: float) -> Iterator[list[int]]:
    """Yield for each row where the texts stand that may be its negatives, the nearest first."""
    texts, pairs = train.columns["text"], train.columns["pair"]
    numbers = numbered([texts, pairs])
    search, prompts = Search.of(numbers), embedder.sentences.prompts
    places = [row for _, row in search.documents]
    queries = unit_length(embedder([texts[row] for row in search.queries], prompt=prompts.query))
    documents = unit_length(embedder([pairs[row] for row in places], prompt=prompts.document))
    # What belongs to a text has no rank, and is often among the nearest.
    depth = ranks.stop + max(map(len, search.relevant)) + 1
    found, cosines = nearest(
        lambda some: queries[some] @ documents.T, len(queries), len(documents), depth
    )
    document_of = {numbers[1][row]: document for document, row in enumerate(places)}
    for row, query in enumerate(search.asked):
        own = float(queries[query] @ documents[document_of[numbers[1][row]]])
        same = document_of.get(numbers[0][row])
        others = [
            (document, cosine)
            for document, cosine in zip(found[query], cosines[query], strict=True)
            if document not in search.relevant[query] and document != same
        ]
        limit = own - margin * abs(own)
        yield [places[d] for d, cosine in others[ranks.start : ranks.stop] if cosine <= limit]


def _require_pairs(train: Split) -> None:
    """Raise `DataError` where a split is not one of pairs alone."""
    if "pair" not in train.columns:
        raise DataError(f"{train.source} has no pairs; read it with pair='…'")
    for role in ("label", "negative"):
        if role in train.columns:
            raise DataError(f"{train.source} has a column {role} already; mine pairs without it")
