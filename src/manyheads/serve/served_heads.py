"""A model of many heads that is served: texts in, what all heads say of them out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from manyheads.errors import ManyHeadsError, TextError
from manyheads.serve.items import Operation
from manyheads.serve.model import Asking, Result, visiting
from manyheads.serve.predictors import ServedPredictor
from manyheads.serve.reading import Cut


class ServedHeads(ServedPredictor):
    """Many heads that answer in one pass of their body."""

    @visiting
    async def said(
        self, texts: Sequence[str], asking: Asking, pairs: Sequence[str] | None = None
    ) -> list[Result[dict[str, Any]]]:
        """Return by the names of the `heads` what each says; see `ServedPredictor.said`.

        With pairs, heads that learnt from pairs answer too. Texts are cut as each head learnt it;
        to cut them otherwise cannot be asked for, but `error` refuses what is too long.
        """
        if pairs is not None and len(pairs) != len(texts):
            raise TextError(f"{len(texts)} texts have {len(pairs)} pairs; give one for each")
        cut = asking.cut if asking.cut is Cut.ERROR else None
        encoded = await self.reader.read(texts, pairs, cut)
        operation = Operation("predict", (("paired", pairs is not None),))
        answers = await self._ask(encoded, operation, asking, texts, pairs or ())
        return [
            Result(one, read.tokens, read.dropped)
            if isinstance(one, ManyHeadsError)
            else Result({"heads": one.said["heads"]}, read.tokens, one.said["truncated"])
            for one, read in zip(answers, encoded, strict=True)
        ]
