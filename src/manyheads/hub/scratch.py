"""Small models with fresh weights and a tokenizer of their own, for text no model has seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

import torch

from manyheads.core.initialize import initialize, initialize_by_fan
from manyheads.core.spec import Spec
from manyheads.core.transformer import Transformer
from manyheads.errors import ConfigError
from manyheads.families import family_of
from manyheads.hub.load import Pretrained
from manyheads.text import ENDED, OPEN, Algorithm, BytePair, Tokenizer, learn_tokenizer


@runtime_checkable
class Blueprint(Protocol):
    """How to build a model from nothing but the texts, or images, that it will learn from."""

    def build_for(self, columns: Mapping[str, Sequence[Any]], seed: int = 0) -> Pretrained:
        """Learn the tokenizer from columns of texts, or look at images, and draw the weights."""


@dataclass(frozen=True)
class Scratch:
    """How to build an encoder from nothing: its sizes, and how its tokenizer is learnt.

    The architecture is ModernBERT's, the strongest of the families at equal size, with mean
    pooling; the folder that comes out of training opens in `transformers` as any other.
    """

    layers: int = 4
    width: int = 256
    heads: int = 4
    feedforward: int | None = None  # 1.5 times the width, as in ModernBERT
    max_tokens: int = 512
    dropout: float = 0.1
    tokenizer: Algorithm = field(default_factory=BytePair)

    def build_for(self, columns: Mapping[str, Sequence[Any]], seed: int = 0) -> Pretrained:
        """Learn the tokenizer from texts and second texts, and draw the weights."""
        return self.build([*columns["text"], *columns.get("pair", ())], seed)

    def build(self, texts: Sequence[str], seed: int = 0) -> Pretrained:
        """Learn the tokenizer from `texts` and draw the weights.

        Raises `ConfigError` for sizes that do not fit each other.
        """
        check_sizes(self, ("layers", "width", "heads", "feedforward", "max_tokens"))
        check_dropout(self.dropout)
        _check_rotary(self.width, self.heads)
        tokenizer = learn_tokenizer(texts, self.tokenizer, max_tokens=self.max_tokens)
        config = self._config(tokenizer.vocabulary_size) | {
            "pad_token_id": tokenizer.pad_id,
            "cls_token_id": tokenizer.cls_id,
            "sep_token_id": tokenizer.sep_id,
            "bos_token_id": tokenizer.cls_id,
            "eos_token_id": tokenizer.sep_id,
        }
        family = family_of(config)
        transformer = Transformer(family.to_spec(config))
        initialize(transformer, seed=seed)
        return Pretrained(transformer.eval(), tokenizer, family, config)

    def _config(self, vocabulary: int) -> dict[str, object]:
        return {
            "model_type": "modernbert",
            "vocab_size": vocabulary,
            "hidden_size": self.width,
            "intermediate_size": self.feedforward or self.width * 3 // 2,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "max_position_embeddings": self.max_tokens,
            "layer_types": ["full_attention"] * self.layers,
            "classifier_pooling": "mean",
            "embedding_dropout": self.dropout,
            "attention_dropout": self.dropout,
            "mlp_dropout": self.dropout,
            "classifier_dropout": self.dropout,
        }


@dataclass(frozen=True)
class ScratchSeq2Seq:
    """How to build an encoder-decoder from nothing.

    Both sides share one vocabulary, unless `target_tokenizer` gives the target its own.

    The architecture is that of Vaswani et al. 2017, with sinusoidal positions, and a table of token
    vectors that both sides and the output share. It is PEGASUS's, whose norms stand before the
    sub-layers, which learn sooner in this way (Xiong et al. 2020). With two vocabularies it is
    Marian's, the only one that is published with two: its norms stand after the residuals, so that
    a warm-up belongs to it, as in the schedule ``inverse_square_root``.
    """

    layers: int = 3
    decoder_layers: int | None = None  # as many as the encoder has
    width: int = 256
    heads: int = 4
    feedforward: int | None = None  # four times the width
    max_tokens: int = 512
    dropout: float = 0.1
    tokenizer: Algorithm = field(default_factory=lambda: BytePair(lowercase=False))
    target_tokenizer: Algorithm | None = None

    def build_for(self, columns: Mapping[str, Sequence[Any]], seed: int = 0) -> Pretrained:
        """Learn from sources and targets."""
        return self.build(columns["text"], columns.get("target", ()), seed)

    def build(self, sources: Sequence[str], targets: Sequence[str], seed: int = 0) -> Pretrained:
        """Learn the tokenizers from the texts of both sides and draw the weights.

        Raises `ConfigError` for sizes that do not fit each other.
        """
        sizes = ("layers", "decoder_layers", "width", "heads", "feedforward", "max_tokens")
        check_sizes(self, sizes)
        check_dropout(self.dropout)
        if self.target_tokenizer is None:
            tokenizer, other = self._learn([*sources, *targets], self.tokenizer), None
        else:
            tokenizer = self._learn(sources, self.tokenizer)
            other = self._learn(targets, self.target_tokenizer)
        config = self._config(tokenizer, other or tokenizer)
        family = family_of(config)
        transformer = Transformer(family.to_spec(config))
        initialize_by_fan(transformer, seed=seed)
        return Pretrained(transformer.eval(), tokenizer, family, config, target_tokenizer=other)

    def _learn(self, texts: Sequence[str], algorithm: Algorithm) -> Tokenizer:
        return learn_tokenizer(texts, algorithm, frame=ENDED, max_tokens=self.max_tokens)

    def _config(self, tokenizer: Tokenizer, target: Tokenizer) -> dict[str, object]:
        feedforward = self.feedforward or 4 * self.width
        shared = target is tokenizer
        return {
            "model_type": "pegasus" if shared else "marian",
            "normalize_before": shared,  # other converters ask for it
            "normalize_embedding": False,
            "vocab_size": tokenizer.vocabulary_size,
            "d_model": self.width,
            "encoder_layers": self.layers,
            "decoder_layers": self.decoder_layers or self.layers,
            "encoder_attention_heads": self.heads,
            "decoder_attention_heads": self.heads,
            "encoder_ffn_dim": feedforward,
            "decoder_ffn_dim": feedforward,
            "max_position_embeddings": self.max_tokens,
            "activation_function": "relu",
            "scale_embedding": True,
            "dropout": self.dropout,
            "attention_dropout": 0.0,
            "activation_dropout": 0.0,
            "share_encoder_decoder_embeddings": shared,
            "decoder_vocab_size": target.vocabulary_size,
            "tie_word_embeddings": True,
            # Both vocabularies begin with the same special tokens.
            "pad_token_id": target.pad_id,
            "eos_token_id": target.eos_id,
            "forced_eos_token_id": target.eos_id,
            "decoder_start_token_id": target.pad_id,
        }


@dataclass(frozen=True)
class ScratchDecoder:
    """How to build a decoder from nothing, which goes on writing a text.

    The architecture is Llama's: rotary positions, RMS norms before each sub-layer, gated
    feed-forward layers; the output shares the table of token vectors. `dropout` acts on token
    vectors and on what each sub-layer adds. Every character is a token with
    ``tokenizer=Characters()``, every word with ``Words()``.
    """

    layers: int = 4
    width: int = 256
    heads: int = 4
    feedforward: int | None = None  # 8/3 of the width, in steps of 32 (Shazeer 2020)
    max_tokens: int = 512
    dropout: float = 0.1
    tokenizer: Algorithm = field(default_factory=lambda: BytePair(lowercase=False))

    def build_for(self, columns: Mapping[str, Sequence[Any]], seed: int = 0) -> Pretrained:
        """Learn the tokenizer from texts and draw the weights."""
        return self.build(columns["text"], seed)

    def build(self, texts: Sequence[str], seed: int = 0) -> Pretrained:
        """Learn the tokenizer from `texts` and draw the weights.

        Raises `ConfigError` for sizes that do not fit each other.
        """
        check_sizes(self, ("layers", "width", "heads", "feedforward", "max_tokens"))
        check_dropout(self.dropout)
        _check_rotary(self.width, self.heads)
        tokenizer = learn_tokenizer(texts, self.tokenizer, frame=OPEN)
        config = self._config(tokenizer)
        family = family_of(config)
        transformer = Transformer(self._with_dropout(family.to_spec(config)))
        initialize(transformer, seed=seed)
        _shrink_residuals(transformer)
        return Pretrained(transformer.eval(), tokenizer, family, config)

    def _config(self, tokenizer: Tokenizer) -> dict[str, object]:
        return {
            "model_type": "llama",
            "vocab_size": tokenizer.vocabulary_size,
            "hidden_size": self.width,
            "intermediate_size": self.feedforward or -(-self.width * 8 // 3 // 32) * 32,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.heads,
            "max_position_embeddings": self.max_tokens,
            "rms_norm_eps": 1e-5,
            "tie_word_embeddings": True,
            "pad_token_id": tokenizer.pad_id,
            "bos_token_id": None,
            "eos_token_id": tokenizer.eos_id,
        }

    def _with_dropout(self, spec: Spec) -> Spec:
        """Return the spec with dropout, of which this family's configuration does not speak."""
        assert spec.decoder is not None
        blocks = tuple(
            replace(
                block,
                attention=replace(block.attention, out_dropout=self.dropout),
                feedforward=replace(block.feedforward, out_dropout=self.dropout),
            )
            for block in spec.decoder.blocks
        )
        return replace(
            spec,
            embed=replace(spec.embed, dropout=self.dropout),
            decoder=replace(spec.decoder, blocks=blocks),
        )


def _shrink_residuals(transformer: Transformer) -> None:
    """Divide what sub-layers add by the root of their number (Radford et al. 2019, section 2.3)."""
    assert transformer.decoder is not None
    blocks = transformer.decoder.blocks
    with torch.no_grad():
        for block in blocks:
            for layer in (block.attention.out, block.feedforward.down):
                layer.weight.div_((2 * len(blocks)) ** 0.5)


def check_sizes(blueprint: object, names: Sequence[str]) -> None:
    """Raise `ConfigError` for a size below 1."""
    for name in names:
        size = getattr(blueprint, name)
        if size is not None and size < 1:
            raise ConfigError(f"{name}={size} is below 1; choose at least 1")


def check_dropout(dropout: float) -> None:
    """Raise `ConfigError` for a dropout that is no share."""
    if not 0 <= dropout < 1:
        raise ConfigError(f"dropout={dropout} is outside 0 to 1; choose such as 0.1")


def _check_rotary(width: int, heads: int) -> None:
    if width % (2 * heads):
        raise ConfigError(
            f"width={width} is not a multiple of 2 · heads={2 * heads}; rotary positions turn "
            "pairs within each head"
        )
