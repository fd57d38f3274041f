"""Parts of a library put together now and then, so that they stay few.

Each part is more than twice as large as all behind it together. So a document that is added costs
what the small parts behind cost, a library of N passages has at most log₂ N parts, and each passage
is written at most log₂ N times (O'Neil et al. 1996 keep indexes on disk so).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from manyheads.library.meaning import VectorIndex
from manyheads.library.part import Part
from manyheads.library.words import WordIndex

_WORN = 0.25  # of a part's passages: so many are gone that it is made anew


def settled(parts: Sequence[Part]) -> list[Part]:
    """Return the parts with those at the end joined that are too small to stay alone.

    Documents are in the same order; a part of which nothing is left is none any more.
    """
    left = [part for part in parts if part.present.any()]
    for place, part in enumerate(left):
        behind = sum(len(one.passages) for one in left[place + 1 :])
        if _is_worn(part) or (behind and 2 * behind >= len(part.passages)):
            return [*left[:place], joined(left[place:])]
    return left


def joined(parts: Sequence[Part]) -> Part:
    """Return one part of several, without the documents that are gone.

    From a first part with a graph of neighbours that is hardly worn they stay in it, gone as
    before: so its graph is extended by what is new, and not made anew.
    """
    first, meaning = parts[0], parts[0].meaning
    stays, gone = [one.present for one in parts], frozenset[int]()
    if meaning.has_graph and not _is_worn(first):
        stays[0], gone = np.ones(len(first.documents), bool), first.gone
        fresh = parts[1:]
    else:
        meaning, fresh = VectorIndex(meaning.vectors[:0], meaning.similarity), parts
    kept = [stay_D[one.owners] for one, stay_D in zip(parts, stays, strict=True)]
    vectors = [
        one.meaning.vectors[kept_N] for one, kept_N in zip(fresh, kept[-len(fresh) :], strict=True)
    ]
    return Part(
        pa.concat_tables(
            one.documents.filter(pa.array(stay_D)) for one, stay_D in zip(parts, stays, strict=True)
        ),
        _passages(parts, stays, kept),
        WordIndex.joined([one.words for one in parts], kept),
        meaning.extended(np.concatenate(vectors)),
        gone,
    )


def _passages(
    parts: Sequence[Part], stays: Sequence[np.ndarray], kept: Sequence[np.ndarray]
) -> pa.Table:
    """Return the passages that are kept, with the rows that their documents have together."""
    tables, before = [], 0
    for part, stay_D, kept_N in zip(parts, stays, kept, strict=True):
        places_D = before + np.cumsum(stay_D) - 1
        table = part.passages.filter(pa.array(kept_N))
        rows = pa.array(places_D[part.owners[kept_N]], pa.int64())
        tables.append(table.set_column(0, table.schema.field("document"), rows))
        before += int(stay_D.sum())
    return pa.concat_tables(tables)


def _is_worn(part: Part) -> bool:
    return int(part.alive.sum()) < (1 - _WORN) * len(part.alive)
