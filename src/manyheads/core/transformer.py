"""The Transformer: encoder, decoder, or both, built from a `Spec`.

encode      ids ─ embed ─ encoder ─→ hidden       (encode_images: images ─ embed ─ …)
decode      ids ─ embed ─ decoder ─→ hidden ─ logits ─→ a score for each token
                             ↑
remember    hidden of an encoder ─→ memory
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from manyheads.core.attention import CrossAttention
from manyheads.core.block import Block
from manyheads.core.cache import Cache, Memory
from manyheads.core.dropout import Dropout
from manyheads.core.embed import Embedding
from manyheads.core.layout import Layout
from manyheads.core.loss import cross_entropies, total_cross_entropy
from manyheads.core.norm import make_norm
from manyheads.core.output import Output
from manyheads.core.position import make_position_bias
from manyheads.core.spec import Spec, StackSpec


class Stack(nn.Module):
    """Blocks, and what they share: a position bias and the norm at the end."""

    def __init__(self, spec: StackSpec, width: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block(block, width) for block in spec.blocks)
        self.norm = make_norm(spec.norm, width)
        self.dropout = Dropout(spec.dropout)
        self.position_bias = make_position_bias(spec.position_bias, spec.blocks[0].attention.heads)

    def bias(self, longest: int) -> Tensor | None:
        """Return the score bias (H, L, L) of all positions up to the longest sequence."""
        if self.position_bias is None:
            return None
        bias: Tensor = self.position_bias(longest, longest)
        return bias


class Encoder(Stack):
    """A stack of blocks over a ragged batch: (T, D) → (T, D), one vector for each token."""

    def forward(self, hidden_TD: Tensor, layout: Layout, rows: Tensor | None = None) -> Tensor:
        """Return the hidden states (T, D) after the last block and the final norm.

        Where only the tokens at `rows` are wanted, the last block computes no others.
        """
        bias_HLL = self.bias(layout.longest)
        *blocks, last = self.blocks
        for block in blocks:
            hidden_TD = block(hidden_TD, layout, bias_HLL)
        hidden_TD = last(hidden_TD, layout, bias_HLL, rows)
        return self.dropout(self.norm(hidden_TD))


class Decoder(Stack):
    """A stack of blocks that goes on from a cache and reads a memory: (T, D) → (T, D)."""

    def forward(
        self,
        hidden_TD: Tensor,
        layout: Layout,
        memory: Memory | None = None,
        readers: Layout | None = None,
        cache: Cache | None = None,
    ) -> Tensor:
        """Return the hidden states (T, D) after the last block and the final norm."""
        longest = layout.keys.longest
        bias_HLL = self.bias(longest) if cache is None else cache.bias(longest, self.bias)
        for number, block in enumerate(self.blocks):

            def read(cross: CrossAttention, x_TD: Tensor, number: int = number) -> Tensor:
                assert memory is not None
                return cross(x_TD, readers or layout, memory, number)

            past = None if cache is None else cache.layers[number]
            hidden_TD = block(hidden_TD, layout, bias_HLL, None, past, read)
        if cache is not None:
            cache.advance(layout)
        return self.dropout(self.norm(hidden_TD))

    def remember(self, hidden_SD: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Return each layer's keys and values (S, G, K) of an encoder's output (S, D)."""
        crossing = [block.cross for block in self.blocks]
        return [
            cross.remember(hidden_SD) for cross in crossing if isinstance(cross, CrossAttention)
        ]


class Transformer(nn.Module):
    """The function that a `Spec` describes, with its weights."""

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        self.spec = spec
        self.embed = Embedding(spec.embed, spec.width)
        self.encoder = Encoder(spec.encoder, spec.width) if spec.encoder else None
        self.target = Embedding(spec.target, spec.width, spec.two_tables) if spec.target else None
        self.decoder = Decoder(spec.decoder, spec.width) if spec.decoder else None
        written = spec.target or spec.embed
        self.output = (
            Output(spec.output, written.vocabulary, spec.width, written.width)
            if spec.output
            else None
        )

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device

    @property
    def can_write(self) -> bool:
        """Whether it scores what comes next: it has a decoder, and an output for tokens."""
        return self.decoder is not None and self.output is not None

    @property
    def table(self) -> nn.Embedding:
        """The token vectors that `embed` looks up."""
        tokens = self.embed.tokens
        assert tokens is not None
        return tokens

    @property
    def target_table(self) -> nn.Embedding:
        """The token vectors that a tied output projects by: the decoder's own, if it has any."""
        own = None if self.target is None else self.target.tokens
        return own or self.table

    def encode(
        self,
        ids_T: Tensor,
        layout: Layout,
        segments_T: Tensor | None = None,
        rows: Tensor | None = None,
    ) -> Tensor:
        """Return one vector for each token, (T, D), of ids (T) laid end to end as `layout` says.

        With `rows`, the vectors of those tokens alone; the last layer then computes no others. A
        sequence's vectors depend on that sequence alone, never on its batch. Which tokens are
        global, where a model knows such, `layout.global_tokens` may say.
        Raises `LayoutError` for ids outside the vocabulary or sequences beyond the positions.
        """
        assert self.encoder is not None, "this model has no encoder"
        return self.encoder(self.embed(ids_T, layout, segments_T), layout, rows)

    forward = encode

    def encode_images(self, images_NCHW: Tensor) -> tuple[Tensor, Layout]:
        """Return one vector for each token of N images, (T, D), and where each image's tokens lie.

        An image is only another sequence: a class token, then its patches (Vision Transformer).
        Raises `LayoutError` for images of another size than the model's.
        """
        assert self.encoder is not None, "this model has no encoder"
        hidden_TD, layout = self.embed.of_images(images_NCHW)
        return self.encoder(hidden_TD, layout), layout

    def remember(self, hidden_SD: Tensor, layout: Layout, lasts: bool = False) -> Memory:
        """Return what a decoder reads of an encoder's output, (S, D), in all its layers.

        `lasts` says that it will be read step after step.
        """
        assert self.decoder is not None, "this model has no decoder"
        return Memory(self.decoder.remember(hidden_SD), layout, lasts)

    def decode(
        self,
        ids_T: Tensor,
        layout: Layout,
        memory: Memory | None = None,
        readers: Layout | None = None,
        cache: Cache | None = None,
    ) -> Tensor:
        """Return one vector for each token, (T, D), that depends on what stands before it.

        With `cache`, sequences go on from what it holds of them, and it takes in the new tokens.
        `memory` is what `remember` made of the sources; `readers` says how many tokens in a row
        read each of its sources, where that is not one sequence for each source.
        Raises `LayoutError` for ids outside the vocabulary or sequences beyond the positions.
        """
        assert self.decoder is not None, "this model has no decoder"
        if self.target is None:
            hidden_TD = self.embed(ids_T, layout)
        else:
            hidden_TD = self.target(ids_T, layout, table=self.table)
        return self.decoder(hidden_TD, layout, memory, readers, cache)

    def logits(self, hidden_TD: Tensor) -> Tensor:
        """Return a score for each token of the vocabulary, (T, V)."""
        logits_TV: Tensor = self._output(hidden_TD, self.target_table.weight)
        return logits_TV

    def token_loss(self, hidden_TD: Tensor, targets_T: Tensor, smoothing: float = 0.0) -> Tensor:
        """Return the summed cross entropy of the logits with the tokens that should be there."""
        weight, bias = self._output.projection(self.target_table.weight)
        features_TD = self._output.features(hidden_TD)
        return total_cross_entropy(features_TD, weight, bias, targets_T, smoothing)

    def token_losses(self, hidden_TD: Tensor, targets_T: Tensor) -> tuple[Tensor, Tensor]:
        """Return each token's cross entropy in nats, (T), and whether it was the best guess, (T).

        No gradient flows.
        """
        return cross_entropies(self.logits, hidden_TD, targets_T, len(self.target_table.weight))

    @property
    def _output(self) -> Output:
        assert self.output is not None, "this model has no output projection"
        return self.output
