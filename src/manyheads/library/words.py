"""Search by words: BM25 (Robertson and Zaragoza 2009) over indexes that are put together.

An index keeps how often each word stands in each passage, and no scores: these depend on all
passages that there are. So several indexes are searched as one, and passages that are gone count
for nothing, without any of them being made anew.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import pyarrow as pa

from manyheads.text.words import words_of

_SATURATION = 1.5  # k1: how soon more of one word says nothing more
_LENGTH = 0.75  # b: how much words in long passages count for less
_SCHEMA = pa.schema(
    {
        "word": pa.large_string(),
        "passages": pa.large_list(pa.int32()),
        "counts": pa.large_list(pa.int32()),
    }
)


@dataclass(frozen=True, eq=False)
class WordIndex:
    """In which of N passages each word stands, and how often there.

    Attributes:
        table: A row for each word, in their order: `word`, `passages`, `counts`.
        lengths_N: How many words each passage has.
    """

    table: pa.Table
    lengths_N: np.ndarray

    @classmethod
    def build(cls, texts: Sequence[str]) -> Self:
        """Index passages by their words."""
        numbers: dict[str, int] = {}
        read = [[numbers.setdefault(word, len(numbers)) for word in words_of(t)] for t in texts]
        lengths_N = np.array([len(words) for words in read], np.int32)
        flat = np.fromiter((word for words in read for word in words), np.int64, lengths_N.sum())
        passages = np.repeat(np.arange(len(texts)), lengths_N)
        pairs, counts = np.unique(flat * len(texts) + passages, return_counts=True)
        words, passages = np.divmod(pairs, max(1, len(texts)))
        return cls(_table(list(numbers), words, passages, counts), lengths_N)

    @classmethod
    def joined(cls, indexes: Sequence[WordIndex], kept: Sequence[np.ndarray]) -> Self:
        """Return the index of the passages of several that are kept, (N) of each, in this order."""
        numbers: dict[str, int] = {}
        words, passages, counts, before = [], [], [], 0
        for index, kept_N in zip(indexes, kept, strict=True):
            own = [numbers.setdefault(word, len(numbers)) for word in index._words.to_pylist()]
            stays_P = kept_N[index._flat("passages")]
            places_N = before + np.cumsum(kept_N) - 1
            words.append(np.repeat(np.array(own, np.int64), index._lengths())[stays_P])
            passages.append(places_N[index._flat("passages")[stays_P]])
            counts.append(index._flat("counts")[stays_P])
            before += int(kept_N.sum())
        table = _table(list(numbers), *map(np.concatenate, (words, passages, counts)))
        lengths = [one.lengths_N[kept_N] for one, kept_N in zip(indexes, kept, strict=True)]
        return cls(table, np.concatenate(lengths))

    def passages_with(self, word: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the passages in which a word stands, and how often it does: (P), (P)."""
        row = bisect_left(self._words, word, key=lambda one: one.as_py())
        if row == len(self._words) or self._words[row].as_py() != word:
            return np.empty(0, np.int32), np.empty(0, np.int32)
        passages, counts = (
            _only_chunk(self.table[name])[row].values.to_numpy() for name in ("passages", "counts")
        )
        return passages, counts

    @cached_property
    def _words(self) -> pa.Array:
        return _only_chunk(self.table["word"])

    def _flat(self, name: str) -> np.ndarray:
        values: np.ndarray = _only_chunk(self.table[name]).flatten().to_numpy()
        return values

    def _lengths(self) -> np.ndarray:
        """Return in how many passages each word stands (W)."""
        return np.diff(_only_chunk(self.table["passages"]).offsets.to_numpy())


def bm25(query: str, indexes: Sequence[WordIndex], alive: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return the score of each passage of each index, (N) of each; 0 without a word of the query.

    The scores are those of one index of all passages that are alive, (N) of each index:

        Σ  ln(1 + (n - n_word + ½) / (n_word + ½)) · count / (count + k1 (1 - b + b length / mean))
    """
    scores = [np.zeros(len(index.lengths_N), np.float32) for index in indexes]
    passages = sum(int(alive_N.sum()) for alive_N in alive)
    total = sum(
        int(index.lengths_N[alive_N].sum()) for index, alive_N in zip(indexes, alive, strict=True)
    )
    for word in words_of(query):
        found = [
            _living(index, alive_N, word) for index, alive_N in zip(indexes, alive, strict=True)
        ]
        with_it = sum(len(rows) for rows, _ in found)
        rarity = np.log1p((passages - with_it + 0.5) / (with_it + 0.5))
        for score_N, index, (rows, counts) in zip(scores, indexes, found, strict=True):
            length = index.lengths_N[rows] * passages / max(1, total)
            room = _SATURATION * (1 - _LENGTH + _LENGTH * length)
            score_N[rows] += (rarity * counts / (counts + room)).astype(np.float32)
    return scores


def best(scores_N: np.ndarray, n: int, above: float = -np.inf) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of the `n` largest scores above a limit, and these; of equals the first."""
    kept = np.argpartition(-scores_N, n - 1)[:n] if n < len(scores_N) else np.arange(len(scores_N))
    kept = np.sort(kept[scores_N[kept] > above])
    rows = kept[np.argsort(-scores_N[kept], kind="stable")]
    return rows, scores_N[rows]


def _living(index: WordIndex, alive_N: np.ndarray, word: str) -> tuple[np.ndarray, np.ndarray]:
    rows, counts = index.passages_with(word)
    stays = alive_N[rows]
    return rows[stays], counts[stays]


def _table(
    words: Sequence[str], word_P: np.ndarray, passage_P: np.ndarray, count_P: np.ndarray
) -> pa.Table:
    """Return the table of P pairs of a word, by its number, and a passage, in any order.

    Words that stand nowhere have no row.
    """
    there, word_P = np.unique(word_P, return_inverse=True)
    order_W = np.array(sorted(range(len(there)), key=lambda one: words[there[one]]), np.int64)
    rank_W = np.empty(len(there), np.int64)
    rank_W[order_W] = np.arange(len(there))
    rank_P = rank_W[word_P]
    order_P = np.lexsort((passage_P, rank_P))
    offsets = np.concatenate(([0], np.cumsum(np.bincount(rank_P, minlength=len(there)))))
    lists = [
        pa.LargeListArray.from_arrays(offsets.astype(np.int64), one[order_P].astype(np.int32))
        for one in (passage_P, count_P)
    ]
    named = pa.array([words[there[one]] for one in order_W], pa.large_string())
    return pa.Table.from_arrays([named, *lists], schema=_SCHEMA)


def _only_chunk(column: pa.ChunkedArray) -> pa.Array:
    """Return a column as the one array that it is, without copying it."""
    return column.chunk(0) if column.num_chunks else pa.array([], column.type)
