"""BPE-dropout: a text in other pieces each time it is read (Provilkov, Emelianenko & Voita 2020).

Merges are left out at random, so that a model sees a word whole today and in parts tomorrow, and
learns what its parts mean. The ``tokenizers`` library can do so too, but not from a seed; a run
could then not be repeated, nor resumed.
"""

from __future__ import annotations

import json
from array import array
from itertools import count, pairwise
from random import Random

from manyheads.errors import RecipeError
from manyheads.text.tokenizer import Tokenizer
from manyheads.text.truncate import Truncation

_LONGEST = 64  # symbols of a word that is worth the effort


class SubwordSampler:
    """Reads texts with a byte-pair tokenizer whose merges are left out at random.

    Raises `RecipeError` for a tokenizer of another kind.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        core = tokenizer.core
        model = json.loads(core.to_str())["model"]
        plain = not (model.get("byte_fallback") or model.get("continuing_subword_prefix"))
        if model["type"] != "BPE" or not plain or core.pre_tokenizer is None:
            raise RecipeError(
                f"subword_dropout needs a byte-level BPE tokenizer; this one is {model['type']}"
                f"{'' if plain else ' of another kind'}: set subword_dropout=0"
            )
        self._core = core
        self._special, self._unknown = tokenizer.special_ids, tokenizer.unk_id
        self._ids: dict[str, int] = model["vocab"]
        merges = (one if isinstance(one, list) else one.split(" ") for one in model["merges"])
        self._ranks = {(left, right): rank for rank, (left, right) in enumerate(merges)}
        self._usual: dict[str, tuple[int, ...]] = {}  # ids of words of which nothing is left out
        self._before, self._after = tokenizer.frame

    def read(
        self, text: str, usual: array[int], share: float, random: Random, truncation: Truncation
    ) -> array[int]:
        """Return the ids of a text in its frame, each merge left out with the probability `share`.

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
            kept = self._kept(len(word) - len(usual), share, random)
            if kept is None or len(word) > _LONGEST or self._unknown in usual:
                ids += usual
            else:
                ids += (self._ids[one] for one in self._merged(list(word), kept, share, random))
        return ids

    @staticmethod
    def _kept(merges: int, share: float, random: Random) -> int | None:
        """Return how many of a word's usual merges happen before the first that does not.

        None where all of them happen: then it matters little that others were left out, and most
        words need no more work than this.
        """
        for merge in range(merges):
            if random.random() < share:
                return merge
        return None

    def _merged(self, symbols: list[str], kept: int, share: float, random: Random) -> list[str]:
        """Merge neighbours, the most important first, of those that are not left out this time.

        The best of the first `kept` rounds are not left out, that of the round after them is.
        """
        ranks, draw = self._ranks, random.random
        for step in count():
            pairs = enumerate(pairwise(symbols))
            ranked = sorted((ranks[pair], at) for at, pair in pairs if pair in ranks)
            if step == kept:
                del ranked[:1]
            at = next((at for _, at in ranked if step < kept or draw() >= share), None)
            if at is None:
                break
            symbols[at : at + 2] = [symbols[at] + symbols[at + 1]]
        return symbols
