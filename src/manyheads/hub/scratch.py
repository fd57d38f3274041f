"""A small encoder with fresh weights and a tokenizer of its own, for text no model has seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from manyheads.core.transformer import Transformer, initialize
from manyheads.errors import ConfigError
from manyheads.families import family_of
from manyheads.hub.load import Pretrained
from manyheads.text import BytePair, Unigram, WordPiece, learn_tokenizer


@runtime_checkable
class Blueprint(Protocol):
    """How to build a model from nothing but the texts that it will learn from."""

    def build_for(self, columns: Mapping[str, Sequence[str]], seed: int = 0) -> Pretrained:
        """Learn the tokenizer from columns of texts and draw the weights."""


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
    tokenizer: BytePair | WordPiece | Unigram = field(default_factory=BytePair)

    def build_for(self, columns: Mapping[str, Sequence[str]], seed: int = 0) -> Pretrained:
        """Learn the tokenizer from texts and second texts, and draw the weights."""
        return self.build([*columns["text"], *columns.get("pair", ())], seed)

    def build(self, texts: Sequence[str], seed: int = 0) -> Pretrained:
        """Learn the tokenizer from `texts` and draw the weights.

        Raises `ConfigError` for sizes that do not fit each other.
        """
        for name in ("layers", "width", "heads", "feedforward", "max_tokens"):
            size = getattr(self, name)
            if size is not None and size < 1:
                raise ConfigError(f"{name}={size} is below 1; choose at least 1")
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"dropout={self.dropout} is outside 0 to 1; choose such as 0.1")
        if self.width % (2 * self.heads):
            raise ConfigError(
                f"width={self.width} is not a multiple of 2 · heads={2 * self.heads}; rotary "
                "positions turn pairs within each head"
            )
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
