"""Byte-level BPE from its parts: a list of tokens, merges, and how text is split before merging."""

from __future__ import annotations

from collections.abc import Sequence

from tokenizers import AddedToken, Regex, decoders, models, normalizers, pre_tokenizers, processors
from tokenizers import Tokenizer as Core

_LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_QWEN2 = _LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")

# How text is split, by the names that llama.cpp gives: a pattern, or the usual one of GPT-2 with
# each digit for itself or not.
SPLITTINGS: dict[str, tuple[str | None, bool]] = {
    "default": (None, False),
    "gpt-2": (None, False),
    "smollm": (None, True),
    "llama-bpe": (_LLAMA3, False),
    "qwen2": (_QWEN2, False),
}
# Where files that do not say so mean that a text begins with a token of its own.
FRAMED = frozenset({"llama-bpe"})
# Where a word that is a token is never put together by merges.
_WHOLE_WORDS = frozenset({"llama-bpe"})


def byte_pair_core(
    tokens: Sequence[str],
    merges: Sequence[str],
    special: Sequence[str],
    splitting: str,
    first: str | None = None,
) -> Core:
    """Return a tokenizer of the ``tokenizers`` library.

    Args:
        tokens: The token of each id, in the byte alphabet of GPT-2.
        merges: Pairs of tokens with a space between them, the most important first.
        special: Tokens that stand for themselves wherever they occur, and are no text.
        splitting: A key of `SPLITTINGS`.
        first: The special token that every text begins with, if any.
    """
    pairs: list[tuple[str, str]] = []
    for merge in merges:
        left, _, right = merge.partition(" ")
        pairs.append((left, right))
    vocabulary = {token: number for number, token in enumerate(tokens)}
    core = Core(models.BPE(vocabulary, pairs, ignore_merges=splitting in _WHOLE_WORDS))
    pattern, single_digits = SPLITTINGS[splitting]
    steps: list[pre_tokenizers.PreTokenizer] = []
    if single_digits:
        steps.append(pre_tokenizers.Digits(individual_digits=True))
    if pattern is not None:
        steps.append(pre_tokenizers.Split(Regex(pattern), "isolated"))
    steps.append(pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=pattern is None))
    core.pre_tokenizer = pre_tokenizers.Sequence(steps)
    if splitting == "qwen2":
        core.normalizer = normalizers.NFC()
    core.decoder = decoders.ByteLevel()
    if first is not None:
        core.post_processor = processors.TemplateProcessing(
            single=f"{first} $A",
            pair=f"{first} $A {first} $B",
            special_tokens=[(first, vocabulary[first])],
        )
    core.add_special_tokens(
        [AddedToken(token, special=True, normalized=False) for token in special]
    )
    return core
