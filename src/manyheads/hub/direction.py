"""One direction of a model for several languages: from which it reads, and in which it writes."""

from __future__ import annotations

from dataclasses import replace

from manyheads.hub.load import Pretrained
from manyheads.text.languages import Languages


def directed(model: Pretrained, source: str | None, target: str | None) -> Pretrained:
    """Return a model that reads and writes these languages unless it is told otherwise.

    Its tokenizers put the languages around texts, and its configuration says with which an output
    begins, so that it is saved as a model of this direction. Raises `GenerationError` for a code
    that the tokenizer does not know.
    """
    languages = Languages(model.require_tokenizer())
    reads = languages.reading(source, target)
    if target is None or target in languages.leading:
        return replace(model, tokenizer=reads)
    writes, token = languages.writing(target)
    stands_first = languages.begins(writes.frame[0])
    name = "forced_bos_token_id" if stands_first else "decoder_start_token_id"
    # What its folder said of writing was said of another direction.
    return replace(
        model,
        tokenizer=reads,
        target_tokenizer=writes,
        config={**model.config, name: token},
        folder=None,
    )


def names_languages(model: Pretrained) -> bool:
    """Whether texts must name their languages, and none was chosen yet."""
    return model.target_tokenizer is None and Languages(model.require_tokenizer()).frames
