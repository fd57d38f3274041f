"""What a model writes for sources that were read, and how good it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from manyheads.core.transformer import Transformer
from manyheads.generate import Request, Settings, Writer, generate
from manyheads.tasks.language.scores import TokenScores
from manyheads.tasks.metrics import Scores
from manyheads.tasks.task import Run
from manyheads.tasks.writing.samples import Pair, PairReader
from manyheads.tasks.writing.scores import TextScores


def write(
    transformer: Transformer, reader: PairReader, pairs: Sequence[Pair], search: Settings, run: Run
) -> list[str]:
    """Return what the model writes for the source of each pair, as long as targets may be."""
    limit = min(search.max_tokens, reader.target.truncation.max_tokens)
    search = replace(
        search,
        max_tokens=limit,
        min_tokens=min(search.min_tokens, limit),
        prefix=search.prefix or reader.bounds.prefix,
    )
    requests = [Request((pair.start,), pair.read, search) for pair in pairs]
    writer = Writer(transformer, frozenset({reader.bounds.end}), reader.target.tokenizer.decode)
    with run.watched("writing", len(requests)) as advance:
        outputs = generate(writer, requests, progress=advance)
    return [reader.target.tokenizer.decode(output.best.tokens) for output in outputs]


@dataclass(frozen=True)
class WrittenScores(Scores):
    """Scores of what a model writes, and of how it foretells the tokens of the references."""

    texts: TextScores
    tokens: TokenScores

    @property
    def signatures(self) -> Mapping[str, str]:
        """How the scores of texts were made."""
        return self.texts.signatures

    def numbers(self) -> dict[str, float]:
        """Return every score by its name."""
        return {**self.texts.numbers(), **self.tokens.numbers()}

    def to_json(self) -> dict[str, Any]:
        """Return the scores as JSON."""
        return {**self.texts.to_json(), **self.tokens.to_json()}
