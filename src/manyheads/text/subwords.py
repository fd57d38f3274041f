"""Subword regularisation: a text in other pieces each time it is read.

Some of what a tokenizer joins is left out at random, so that a model sees a word whole today and in
parts tomorrow, and learns what its parts mean. The ``tokenizers`` library can do so for byte pairs,
but not from a seed; a run could then not be repeated, nor resumed.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable
from random import Random
from typing import Protocol

from manyheads.errors import RecipeError
from manyheads.text.splitting import BestPath, LongestMatch, Merges
from manyheads.text.tokenizer import Tokenizer
from manyheads.text.truncate import Truncation


class Pieces(Protocol):
    """How words fall into the pieces of a vocabulary."""

    def drawn(
        self, word: str, usual: tuple[int, ...], share: float, random: Random
    ) -> Iterable[int]:
        """Return the pieces of a word when a share of what joins them is left out."""


class SubwordSampler:
    """Reads texts with a tokenizer of which a share of the merges or pieces is left out.

    Byte pairs lose merges (Provilkov, Emelianenko & Voita 2020), WordPiece loses pieces (Hiraoka
    2022), and so does Unigram, whose best path then goes through what is left.

    Raises `RecipeError` for a tokenizer of another kind.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._core = tokenizer.core
        self._special, self._unknown = tokenizer.special_ids, tokenizer.unk_id
        self._pieces = _pieces_of(tokenizer)
        self._usual: dict[str, tuple[int, ...]] = {}  # ids of words of which nothing is left out
        self._before, self._after = tokenizer.frame

    def read(
        self, text: str, usual: array[int], share: float, random: Random, truncation: Truncation
    ) -> array[int]:
        """Return the ids of a text in its frame, parts left out with the probability `share`.

        `usual` are the ids of the text when nothing is left out. They are kept where a special
        token stands in the text, which has no parts.
        """
        frame = len(self._before) + len(self._after)
        inside = usual[len(self._before) : len(usual) - len(self._after)]
        if not self._special.isdisjoint(inside):
            return usual
        ids = self._sampled(text, share, random)
        ((spans,),) = truncation.cuts((len(ids),), truncation.max_tokens - frame)
        kept = [number for start, end in spans for number in ids[start:end]]
        return array("i", [*self._before, *kept, *self._after])

    def _sampled(self, text: str, share: float, random: Random) -> list[int]:
        if self._core.normalizer is not None:
            text = self._core.normalizer.normalize_str(text)
        ids: list[int] = []
        for word, _ in self._core.pre_tokenizer.pre_tokenize_str(text):
            usual = self._usual.get(word)
            if usual is None:
                usual = self._usual[word] = tuple(t.id for t in self._core.model.tokenize(word))
            if self._unknown in usual:  # a word that cannot be spelled
                ids += usual
            else:
                ids += self._pieces.drawn(word, usual, share, random)
        return ids


def has_parts(tokenizer: Tokenizer) -> bool:
    """Say whether a tokenizer reads words in parts: one of whole words or characters does not."""
    return bool(json.loads(tokenizer.core.to_str())["model"]["type"] != "WordLevel")


def _pieces_of(tokenizer: Tokenizer) -> Pieces:
    model = json.loads(tokenizer.core.to_str())["model"]
    kind = model["type"]
    if tokenizer.core.pre_tokenizer is not None:
        if kind == "BPE" and not (
            model.get("byte_fallback") or model.get("continuing_subword_prefix")
        ):
            return Merges(model["vocab"], model["merges"])
        if kind == "Unigram" and not model.get("byte_fallback"):
            return BestPath(dict(model["vocab"]))
        if kind == "WordPiece":
            return LongestMatch(model["vocab"], model["continuing_subword_prefix"])
    raise RecipeError(
        "subword_dropout needs a tokenizer of byte-level BPE, Unigram or WordPiece that splits "
        f"texts into words; this one is {kind} of another kind: set subword_dropout=0"
    )
