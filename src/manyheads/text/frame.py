"""Frames: which special tokens a tokenizer has, and which stand around a text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tokenizers import processors


@dataclass(frozen=True)
class Frame:
    """The special token of each role, in the order of their ids, and what stands around a text.

    Attributes:
        special: Tokens by role: pad, unk, cls, sep, mask, bos, eos.
        single: The roles around one text, ``"text"`` in its place.
        pair: The roles around two texts, ``"text"`` and ``"second"`` in their places.
    """

    special: Mapping[str, str]
    single: tuple[str, ...] = ("text",)
    pair: tuple[str, ...] = field(default=("text", "second"))

    @property
    def tokens(self) -> list[str]:
        """The special tokens in the order of their ids."""
        return list(self.special.values())

    def template(self) -> processors.TemplateProcessing:
        """Return what puts the frame around texts; all that follows the first text is segment 1."""
        roles = {"text": "$A", "second": "$B", **self.special}
        used = sorted({*self.single, *self.pair} - {"text", "second"})
        second, pair = False, []
        for position, role in enumerate(self.pair):
            pair.append(f"{roles[role]}:{int(second)}")
            second |= "second" in self.pair[position + 1 : position + 2]
        return processors.TemplateProcessing(
            single=" ".join(f"{roles[role]}:0" for role in self.single),
            pair=" ".join(pair),
            special_tokens=[(self.special[role], self.tokens.index(roles[role])) for role in used],
        )


# [CLS] text [SEP] second [SEP] (Devlin et al. 2019): for models that read.
FRAMED = Frame(
    {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"},
    ("cls", "text", "sep"),
    ("cls", "text", "sep", "second", "sep"),
)
_WRITTEN = {"pad": "<pad>", "unk": "<unk>", "eos": "</s>"}
# text </s>: for models that read and write.
ENDED = Frame(_WRITTEN, ("text", "eos"), ("text", "eos", "second", "eos"))
# Nothing around a text: for models that go on writing it.
OPEN = Frame(_WRITTEN)
