"""From texts to a file of their vectors, shard by shard."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from manyheads.bulk.encoders import Encoder, Progress
from manyheads.bulk.outputs import Output
from manyheads.bulk.work import Shard, Work, opened
from manyheads.client.wire import number_among_all, require_texts
from manyheads.errors import ConfigError, DataError, TextError

# Sums in another order differ less than this, other models more.
_SAME = 1e-3


@dataclass(frozen=True)
class Encoded:
    """What was written: so many vectors (N, E).

    Attributes:
        rows: N, one for each text.
        dimensions: E.
        resumed: How many of them were there already.
        truncated: How many texts were longer than the model reads.
    """

    rows: int
    dimensions: int
    resumed: int
    truncated: int


def encode(
    texts: Sequence[str],
    encoder: Encoder,
    output: Output,
    *,
    shard_rows: int = 8192,
    facts: Mapping[str, Any] | None = None,
    resuming: Callable[[int], None] = lambda _: None,
    progress: Progress = lambda _: None,
) -> Encoded:
    """Write the vectors of texts to a file, which is there when all of it is.

    Whoever was stopped in between, by whatever, goes on by the same call: vectors wait in a folder
    beside the file, which is gone in the end. `facts` are said there beside those of the encoder.
    `resuming` is told how many vectors are there already, `progress` of further ones.

    Raises `ConfigError` where the work that waits was begun with other texts, facts or settings, or
    another process is at it; `DataError` without texts; `TextError`, and what the encoder raises.
    """
    if not texts:
        raise DataError("no texts to make vectors of; give at least one")
    require_texts(texts)
    begun = {
        "rows": len(texts),
        "texts": _digest_of(texts),
        "shard_rows": shard_rows,
        **(facts or {}),
        **encoder.facts,
    }
    with opened(output.path, len(texts), shard_rows) as work:
        work.begin(begun)
        widths = [shard.width() for shard in work.shards]
        missing = [shard for shard, width in zip(work.shards, widths, strict=True) if width is None]
        done = len(texts) - sum(map(len, missing))
        if done:
            resuming(done)
            _require_same(encoder, texts, work)
        for shard in missing:
            vectors_NE, truncated = _made(encoder, texts, shard, progress)
            shard.write(vectors_NE, truncated)
        dimensions = _width_of(work)
        counting = _Counting(work.shards)
        output.write((len(texts), dimensions), counting.parts())
        work.remove()
    return Encoded(len(texts), dimensions, done, counting.truncated)


def _made(
    encoder: Encoder, texts: Sequence[str], shard: Shard, progress: Progress
) -> tuple[np.ndarray, Sequence[int]]:
    """Return the vectors of a shard; an error names its text by its number among all."""
    left = len(shard)

    def advance(count: int) -> None:
        nonlocal left
        count = min(count, left)  # of texts in windows, each window is told
        left -= count
        progress(count)

    try:
        made = encoder.encode(texts[shard.rows], advance)
    except TextError as error:
        number_among_all(error, shard.start, len(shard))
        raise
    advance(left)
    return made


def _require_same(encoder: Encoder, texts: Sequence[str], work: Work) -> None:
    """Raise `ConfigError` where the vectors that are there come from another model.

    A service may have another one under the same name by now. So a text is asked for once more.
    """
    shard = next(shard for shard in work.shards if shard.width() is not None)
    (made_E,), _ = encoder.encode([texts[shard.start]])
    there_E = shard.read()[0][0]
    if made_E.shape == there_E.shape and np.allclose(made_E, there_E, 0, _SAME * _largest(there_E)):
        return
    raise ConfigError(
        f"the model makes another vector of text {shard.start + 1} than stands in {work.folder}; "
        f"bring back the model that was there, or delete that folder to begin anew"
    )


def _width_of(work: Work) -> int:
    """Return how many numbers all vectors have; raises `ConfigError` where they have not as many.

    A service may have exchanged its model in the middle.
    """
    widths = sorted({shard.width() or 0 for shard in work.shards})
    if len(widths) > 1:
        raise ConfigError(
            f"vectors of {' and '.join(map(str, widths))} numbers are in {work.folder}, so the "
            "model was exchanged meanwhile; delete that folder to begin anew"
        )
    return widths[0]


def _largest(vector_E: np.ndarray) -> float:
    return float(np.abs(vector_E).max())


def _digest_of(texts: Sequence[str]) -> str:
    """Return a checksum of texts, which says where each begins."""
    digest = hashlib.sha256()
    for text in texts:
        content = text.encode()
        digest.update(len(content).to_bytes(8, "little"))
        digest.update(content)
    return digest.hexdigest()


class _Counting:
    """Reads the vectors of all shards, one by one, and counts the texts that were cut."""

    def __init__(self, shards: Sequence[Shard]) -> None:
        self._shards = shards
        self.truncated = 0

    def parts(self) -> Iterator[np.ndarray]:
        """Yield the vectors (N, E) of each shard."""
        for shard in self._shards:
            vectors_NE, truncated = shard.read()
            self.truncated += int(np.count_nonzero(truncated))
            yield vectors_NE
