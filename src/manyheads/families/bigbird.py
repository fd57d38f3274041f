"""BigBird (Zaheer et al. 2020): BERT that attends by blocks where texts are long."""

from __future__ import annotations

import math
from dataclasses import replace

from manyheads.core.mask import Blocks, Full, Reach
from manyheads.core.spec import BlockSpec, HeadSpec, LearnedPositions, Spec
from manyheads.errors import ConfigError
from manyheads.families.bert import (
    TOKEN_HEAD_RULES,
    bert_like_spec,
    body_rules,
    classifier_dropout,
    token_head_spec,
)
from manyheads.families.bert import to_config as bert_config
from manyheads.families.family import Config, Family, HeadFormat, activation_of
from manyheads.families.rules import Rename, Rules

_DEFAULTS: Config = {"vocab_size": 50358, "hidden_act": "gelu_new", "max_position_embeddings": 4096}


def to_spec(config: Config) -> Spec:
    """Read a BigBird configuration."""
    config = _DEFAULTS | config
    spec = bert_like_spec(config, LearnedPositions(config["max_position_embeddings"]))
    assert spec.encoder is not None
    blocks = tuple(
        _with_reach(block, _reach(config, layer, block.attention.heads), config)
        for layer, block in enumerate(spec.encoder.blocks)
    )
    scale = math.sqrt(spec.width) if config.get("rescale_embeddings", False) else 1.0
    return replace(
        spec,
        embed=replace(spec.embed, scale=scale, norm_last=True),
        encoder=replace(spec.encoder, blocks=blocks),
    )


def _reach(config: Config, layer: int, heads: int) -> Reach:
    """Return what a layer's tokens see: the number of the layer is the seed of its blocks."""
    kind = config.get("attention_type", "block_sparse")
    if kind not in ("block_sparse", "original_full"):
        raise ConfigError(
            f"attention_type={kind!r} is not known; use 'block_sparse' or 'original_full'"
        )
    if kind == "original_full":
        return Full()
    return Blocks(
        size=config.get("block_size", 64),
        random=config.get("num_random_blocks", 3),
        heads=heads,
        positions=config["max_position_embeddings"],
        seed=layer,
    )


def _with_reach(block: BlockSpec, reach: Reach, config: Config) -> BlockSpec:
    bias = config.get("use_bias", True)
    return replace(block, attention=replace(block.attention, reach=reach, bias=bias))


def to_config(spec: Spec) -> Config:
    """Write the configuration that `to_spec` reads back to the same spec."""
    assert spec.encoder is not None
    attention = spec.encoder.blocks[0].attention
    config = bert_config(spec) | {
        "use_bias": attention.bias,
        "rescale_embeddings": spec.embed.scale != 1.0,
    }
    if not isinstance(attention.reach, Blocks):
        return config | {"attention_type": "original_full"}
    return config | {
        "attention_type": "block_sparse",
        "block_size": attention.reach.size,
        "num_random_blocks": attention.reach.random,
    }


def head_spec(config: Config) -> HeadSpec:
    """First token, dropout, dense, the body's activation, dropout, projection."""
    return HeadSpec(
        width=config.get("hidden_size", 768),
        activation=activation_of(config.get("hidden_act", "gelu_new")),
        pooled_dropout=classifier_dropout(config),
        dropout=classifier_dropout(config),
    )


BIG_BIRD = Family(
    name="big_bird",
    architecture="BigBirdModel",
    prefix="bert.",
    to_spec=to_spec,
    to_config=to_config,
    rules=body_rules("bert."),
    sequence_head=HeadFormat(
        architecture="BigBirdForSequenceClassification",
        to_spec=head_spec,
        rules=Rules(Rename("classifier.dense", "dense"), Rename("classifier.out_proj", "out")),
        unread=("bert.pooler",),
    ),
    token_head=HeadFormat(
        architecture="BigBirdForTokenClassification",
        to_spec=token_head_spec,
        rules=TOKEN_HEAD_RULES,
        unread=("bert.pooler",),
    ),
)
