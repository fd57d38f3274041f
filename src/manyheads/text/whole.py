"""Tokenizers that cut nothing up and merge nothing: every character, or every word, is a token."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers
from tokenizers import Tokenizer as Core

from manyheads.errors import RecipeError
from manyheads.text.frame import Frame


@dataclass(frozen=True)
class Characters:
    """Every character is a token, spaces and line ends included.

    Attributes:
        lowercase: Whether capitals are read as small letters.
    """

    lowercase: bool = False

    def _empty(self, frame: Frame) -> Core:
        core = Core(models.WordLevel({}, unk_token=frame.special["unk"]))
        lower = [normalizers.Lowercase()] if self.lowercase else []
        core.normalizer = normalizers.Sequence(lower)
        core.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
        core.decoder = decoders.Fuse()
        return core

    def _learn(self, texts: Sequence[str], core: Core, frame: Frame) -> models.Model:
        return _listed(sorted(set().union(*texts)), frame)


@dataclass(frozen=True)
class Words:
    """Every word is a token, and words are what stands between spaces.

    For texts that were split into words by others, rare ones perhaps replaced by ``<unk>``.

    Attributes:
        vocabulary: How many tokens to keep, special tokens included, the commonest words first;
            None for all of them.
        lowercase: Whether capitals are read as small letters.
    """

    vocabulary: int | None = None
    lowercase: bool = False

    def __post_init__(self) -> None:
        if self.vocabulary is not None and self.vocabulary < 8:
            raise RecipeError(
                f"vocabulary={self.vocabulary} has no room for any words; choose at least 8"
            )

    def _empty(self, frame: Frame) -> Core:
        core = Core(models.WordLevel({}, unk_token=frame.special["unk"]))
        lower = [normalizers.Lowercase()] if self.lowercase else []
        core.normalizer = normalizers.Sequence(lower)
        core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        return core

    def _learn(self, texts: Sequence[str], core: Core, frame: Frame) -> models.Model:
        counts = Counter(word for text in texts for word in text.split())
        ranked = sorted(counts.keys() - set(frame.tokens), key=lambda word: (-counts[word], word))
        room = None if self.vocabulary is None else self.vocabulary - len(frame.tokens)
        return _listed(ranked[:room], frame)


def _listed(tokens: Sequence[str], frame: Frame) -> models.Model:
    """Return a vocabulary of the frame's tokens and these, in this order."""
    distinct = dict.fromkeys([*frame.tokens, *tokens])
    vocabulary = {token: number for number, token in enumerate(distinct)}
    return models.WordLevel(vocabulary, unk_token=frame.special["unk"])
