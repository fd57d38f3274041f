"""The same inputs, ragged for us and as the original wants them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import torch
import transformers
from torch import Tensor

from manyheads.core.layout import Layout
from manyheads.core.pooling import encode_images_pooled, encode_pooled
from manyheads.core.spec import Pooling
from manyheads.core.transformer import Transformer

VOCABULARY = 60
FIRST_WORD = 5  # smaller ids are special tokens


@dataclass(frozen=True)
class Batch:
    """Texts, ragged for us and padded for the original."""

    ids: Tensor
    segments: Tensor | None
    layout: Layout
    padded: dict[str, Tensor]

    @classmethod
    def random(cls, config: transformers.PreTrainedConfig, lengths: tuple[int, ...]) -> Self:
        """Random words, and random segments where the original knows more than one."""
        layout = Layout(lengths)
        ids_T = torch.randint(FIRST_WORD, VOCABULARY, (layout.tokens,))
        mask = torch.zeros(len(layout) * layout.longest, dtype=torch.long)
        mask[layout.slots] = 1
        ids = torch.full_like(mask, config.pad_token_id)
        ids[layout.slots] = ids_T
        grid = {"input_ids": ids, "attention_mask": mask}
        segments_T = None
        if getattr(config, "type_vocab_size", 0) > 1:
            segments_T = torch.randint(0, config.type_vocab_size, (layout.tokens,))
            grid["token_type_ids"] = torch.zeros_like(mask)
            grid["token_type_ids"][layout.slots] = segments_T
        if isinstance(config, transformers.LongformerConfig):
            grid["global_attention_mask"] = torch.zeros_like(mask)
            grid["global_attention_mask"][:: layout.longest] = 1
        return cls(
            ids_T,
            segments_T,
            layout,
            {name: rows.view(len(layout), layout.longest) for name, rows in grid.items()},
        )

    def copies(self, count: int, other: Self) -> Self:
        """This batch so many times, and for us alone `other` behind it."""
        segments = None
        if self.segments is not None and other.segments is not None:
            segments = torch.cat((self.segments.repeat(count), other.segments))
        return type(self)(
            torch.cat((self.ids.repeat(count), other.ids)),
            segments,
            Layout(self.layout.lengths * count + other.layout.lengths),
            {name: rows.repeat(count, 1) for name, rows in self.padded.items()},
        )

    def encode(self, transformer: Transformer) -> Tensor:
        """Our hidden states (T, D)."""
        return transformer.encode(self.ids, self.layout, self.segments)

    def pooled(self, transformer: Transformer, pooling: Pooling) -> Tensor:
        """Our pooled sequences (B, D)."""
        return encode_pooled(transformer, self.ids, self.layout, self.segments, pooling)

    def hidden_of(self, original: transformers.PreTrainedModel) -> Tensor:
        """The original's hidden states without its padding: (T, D)."""
        hidden_BLD = original.base_model(**self.padded).last_hidden_state
        lengths = self.padded["attention_mask"].sum(dim=1).tolist()
        return hidden_BLD.flatten(0, 1)[Layout(lengths).slots]

    def logits_of(self, original: transformers.PreTrainedModel) -> Tensor:
        """The original's logits (B, C)."""
        return original(**self.padded).logits


@dataclass(frozen=True)
class Apart(Batch):
    """Texts that the original reads one by one, because padding changes what it computes.

    BigBird takes the end of the padding for the end of the text, and draws its blocks by it.
    """

    def hidden_of(self, original: transformers.PreTrainedModel) -> Tensor:
        """The original's hidden states (T, D)."""
        if self._is_short(original):
            return super().hidden_of(original)
        hidden = [one.last_hidden_state[0] for one in self._answers(original.base_model)]
        return torch.cat(hidden)

    def logits_of(self, original: transformers.PreTrainedModel) -> Tensor:
        """The original's logits (B, C)."""
        if self._is_short(original):
            return super().logits_of(original)
        return torch.cat([one.logits for one in self._answers(original)])

    def _is_short(self, original: transformers.PreTrainedModel) -> bool:
        config = original.config
        reach = (5 + 2 * config.num_random_blocks) * config.block_size
        return self.padded["input_ids"].shape[1] <= reach

    def _answers(self, original: transformers.PreTrainedModel) -> Iterator[Any]:
        for row, length in enumerate(self.padded["attention_mask"].sum(dim=1).tolist()):
            # After a short text the original goes on without blocks.
            original.base_model.set_attention_type(original.config.attention_type)
            yield original(
                **{name: rows[row : row + 1, :length] for name, rows in self.padded.items()}
            )


@dataclass(frozen=True)
class Images:
    """Images; the lengths of their sequences follow from their size."""

    pixels: Tensor
    seen: Tensor  # by the original
    layout: Layout

    @classmethod
    def random(cls, config: transformers.PreTrainedConfig, lengths: tuple[int, ...]) -> Self:
        """As many random images as there are lengths."""
        (height, width), (down, across) = config.image_size, config.patch_size
        pixels = torch.randn(len(lengths), config.num_channels, height, width)
        tokens = (height // down) * (width // across) + 1
        return cls(pixels, pixels, Layout([tokens] * len(lengths)))

    def copies(self, count: int, other: Self) -> Self:
        """These images so many times, and for us alone `other` behind them."""
        seen = self.pixels.repeat(count, 1, 1, 1)
        layout = Layout(self.layout.lengths * count + other.layout.lengths)
        return type(self)(torch.cat((seen, other.pixels)), seen, layout)

    def encode(self, transformer: Transformer) -> Tensor:
        """Our hidden states (T, D)."""
        hidden_TD, layout = transformer.encode_images(self.pixels)
        assert layout.lengths == self.layout.lengths
        return hidden_TD

    def pooled(self, transformer: Transformer, pooling: Pooling) -> Tensor:
        """Our pooled images (N, D)."""
        return encode_images_pooled(transformer, self.pixels, pooling)

    def hidden_of(self, original: transformers.PreTrainedModel) -> Tensor:
        """The original's hidden states (T, D)."""
        return original.base_model(self.seen).last_hidden_state.flatten(0, 1)

    def logits_of(self, original: transformers.PreTrainedModel) -> Tensor:
        """The original's logits (N, C)."""
        return original(self.seen).logits
