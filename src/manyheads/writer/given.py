"""Outputs that are there already, as tokens behind their texts: to be scored and aligned."""

from __future__ import annotations

from collections.abc import Sequence

from manyheads.errors import GenerationError
from manyheads.generate import Given
from manyheads.writer.settle import Settler


def given_alone(settler: Settler, texts: Sequence[str]) -> list[Given]:
    """Return texts behind their own first token.

    Raises `GenerationError` for a model that reads a source.
    """
    if settler.reads:
        raise GenerationError(
            "a model that reads a source scores outputs for their sources; give both"
        )
    encoded = settler.model.require_tokenizer().encode(texts)
    return [Given(ids[:1], ids[1:]) for ids in (list(one.pieces[0].ids) for one in encoded)]


def given_outputs(
    settler: Settler, texts: Sequence[str], outputs: Sequence[str], names: Sequence[str]
) -> list[Given]:
    """Return outputs behind their texts; raises `GenerationError` where they are not as many."""
    if len(outputs) != len(texts):
        raise GenerationError(
            f"{len(texts)} texts stand beside {len(outputs)} outputs; give one each"
        )
    prompts = settler.prompts(texts, names)
    if settler.reads:
        targets = settler.model.writing_tokenizer.encode(outputs)
        return [
            Given(one.tokens, _target(settler, list(target.pieces[0].ids)), one.source)
            for one, target in zip(prompts, targets, strict=True)
        ]
    tokenizer = settler.model.require_tokenizer()
    wholes = tokenizer.encode([a + b for a, b in zip(texts, outputs, strict=True)])
    parts = tokenizer.encode(outputs, frame=False)
    return [
        Given(one.tokens, _behind(one.tokens, whole.pieces[0].ids, part.pieces[0].ids))
        for one, whole, part in zip(prompts, wholes, parts, strict=True)
    ]


def _target(settler: Settler, ids: list[int]) -> list[int]:
    """Return a framed output as the model would have written it."""
    if settler.languages.begins((*settler.starts, *settler.begun)):
        ids = [*settler.begun, *settler.languages.written(ids)]
    ends = settler.writing.ends
    return ids if not ends or (ids and ids[-1] in ends) else [*ids, min(ends)]


def _behind(prompt: Sequence[int], whole: Sequence[int], alone: Sequence[int]) -> list[int]:
    """Return the tokens of an output behind its prompt: as both are split together, if that can be.

    A token that reached over the border would belong to neither.
    """
    together = list(whole[: len(prompt)]) == list(prompt)
    return list(whole[len(prompt) :]) if together else list(alone)
