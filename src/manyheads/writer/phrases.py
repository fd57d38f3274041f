"""Phrases as tokens: the same letters are other tokens at a word's beginning and inside a word."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from manyheads.errors import GenerationError
from manyheads.generate.phrases import Phrase
from manyheads.text import Tokenizer
from manyheads.text.sentences import is_spaced

# Behind one of these a tokenizer shows how it splits what goes on without a space.
_ANCHORS = ("\n", "(", '"', "-", ":")


def banned_variants(tokenizer: Tokenizer, phrase: str) -> tuple[Phrase, ...]:
    """Return all token sequences that spell a phrase: after a space, and without one before it.

    Raises `GenerationError` for a phrase that the tokenizer cannot spell.
    """
    phrase = phrase.strip()
    variants = dict.fromkeys(_variants(tokenizer, phrase))
    return tuple(_spelled(tokenizer, phrase, variant) for variant in variants)


def required_variant(tokenizer: Tokenizer, phrase: str) -> Phrase:
    """Return the tokens of a phrase as it stands in a text: behind a space if it is a word.

    Raises `GenerationError` for a phrase that the tokenizer cannot spell.
    """
    phrase = phrase.strip()
    spaced, inside = f" {phrase}", phrase
    tokens = _behind(tokenizer, spaced if is_spaced(phrase) else inside)
    return _spelled(tokenizer, phrase, tokens)


def exact(tokenizer: Tokenizer, text: str) -> Phrase:
    """Return the tokens of a text, without the special tokens that would frame it.

    Raises `GenerationError` for a text that the tokenizer cannot spell.
    """
    return _spelled(tokenizer, text, _tokens(tokenizer, text))


def _variants(tokenizer: Tokenizer, phrase: str) -> Iterator[Phrase]:
    yield _tokens(tokenizer, phrase)
    yield _behind(tokenizer, phrase)
    yield _behind(tokenizer, f" {phrase}")


def _behind(tokenizer: Tokenizer, text: str) -> Phrase:
    """Return the tokens of a text that stands behind another one."""
    for anchor in _ANCHORS:
        before, whole = _tokens(tokenizer, anchor), _tokens(tokenizer, anchor + text)
        known = tokenizer.unk_id not in before
        if before and known and len(whole) > len(before) and whole[: len(before)] == before:
            return whole[len(before) :]
    return _tokens(tokenizer, text)


def _tokens(tokenizer: Tokenizer, text: str) -> Phrase:
    (encoded,) = tokenizer.encode([text], frame=False)
    return tuple(encoded.pieces[0].ids)


def _spelled(tokenizer: Tokenizer, phrase: str, tokens: Sequence[int]) -> Phrase:
    if not tokens or tokenizer.unk_id in tokens:
        raise GenerationError(
            f"the tokenizer of this model cannot spell {phrase!r}; choose other words"
        )
    return tuple(tokens)
