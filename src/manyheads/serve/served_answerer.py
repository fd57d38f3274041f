"""A model that is served: questions with their contexts in, answers out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any

from manyheads.errors import ConfigError, ManyHeadsError
from manyheads.serve.items import Operation
from manyheads.serve.model import AskedModel, Asking, Result, visiting
from manyheads.serve.reading import Cut


@dataclass(frozen=True)
class Deciding:
    """What is an answer: with at most `longest` tokens, and perhaps none where it may `refuse`.

    What is None is as the model was trained. Beside the answer there are the `top` candidates.
    """

    top: int = 5
    refuse: bool | None = None
    longest: int | None = None


class ServedAnswerer(AskedModel):
    """A model that finds answers in contexts."""

    @visiting
    async def answer(
        self,
        questions: Sequence[str],
        contexts: Sequence[str],
        asking: Asking,
        deciding: Deciding,
    ) -> list[Result[dict[str, Any]]]:
        """Return the answer to each question in its context, as JSON.

        Raises `ConfigError` for contexts that are to be cut, `TextError`, and what `Batcher.ask`
        raises.
        """
        if asking.cut in (Cut.HEAD, Cut.TAIL):
            raise ConfigError(
                f"truncate={asking.cut.value}: contexts are read in windows, not cut; leave it "
                "out, or say error"
            )
        cut = None if asking.cut is Cut.WINDOWS else asking.cut
        encoded = await self.reader.read(questions, contexts, cut)
        settings = tuple(zip(("top", "refuse", "longest"), astuple(deciding), strict=True))
        operation = Operation("answer", settings)
        answers = await self._ask(encoded, operation, asking, questions, contexts)
        return [
            Result(one, read.tokens, read.dropped)
            if isinstance(one, ManyHeadsError)
            else Result(one.said["answer"], read.tokens, one.said["truncated"])
            for one, read in zip(answers, encoded, strict=True)
        ]
