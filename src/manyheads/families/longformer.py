"""Longformer (Beltagy, Peters & Cohan 2020): RoBERTa with a window and a few global tokens.

A configuration does not say which tokens are global; as in the published classifier it is the first
one, unless a batch says otherwise (`Layout.global_tokens`).
"""

from __future__ import annotations

from dataclasses import replace

from manyheads.core.mask import GlobalWindow
from manyheads.core.spec import Activation, BlockSpec, HeadSpec, LearnedPositions, Spec
from manyheads.errors import ConfigError
from manyheads.families.bert import (
    SPAN_HEAD_RULES,
    TOKEN_HEAD_RULES,
    bert_like_spec,
    body_rules,
    span_head_spec,
    token_head_spec,
)
from manyheads.families.family import Config, Family, HeadFormat, layers_of
from manyheads.families.roberta import to_config as roberta_config
from manyheads.families.rules import Fuse, Rename, Rules


def to_spec(config: Config) -> Spec:
    """Read a Longformer configuration."""
    count = config.get("max_position_embeddings", 512)
    spec = bert_like_spec(config, LearnedPositions(count, config.get("pad_token_id", 1) + 1))
    assert spec.encoder is not None
    blocks = tuple(
        _with_window(block, window)
        for block, window in zip(spec.encoder.blocks, _windows(config), strict=True)
    )
    return replace(spec, encoder=replace(spec.encoder, blocks=blocks))


def _windows(config: Config) -> list[int]:
    """Return each layer's window: both of its sides together."""
    layers = layers_of(config, "num_hidden_layers", 12)
    windows = config.get("attention_window", 512)
    windows = [windows] * layers if isinstance(windows, int) else list(windows)
    if len(windows) != layers:
        raise ConfigError(
            f"attention_window has {len(windows)} numbers for {layers} layers; give one each"
        )
    for window in windows:
        if window < 2 or window % 2:
            raise ConfigError(
                f"attention_window={window} cannot be halved; it must be even and 2 or more"
            )
    return windows


def _with_window(block: BlockSpec, window: int) -> BlockSpec:
    reach = GlobalWindow(window // 2, window // 2)
    return replace(block, attention=replace(block.attention, reach=reach, global_projections=True))


def to_config(spec: Spec) -> Config:
    """Write the configuration that `to_spec` reads back to the same spec."""
    assert spec.encoder is not None
    windows = []
    for block in spec.encoder.blocks:
        assert isinstance(block.attention.reach, GlobalWindow)
        windows.append(2 * block.attention.reach.left)
    return roberta_config(spec) | {"attention_window": windows}


def head_spec(config: Config) -> HeadSpec:
    """First token, dropout, dense, tanh, dropout, projection."""
    dropout = config.get("hidden_dropout_prob", 0.1)
    return HeadSpec(
        width=config.get("hidden_size", 768),
        activation=Activation.TANH,
        pooled_dropout=dropout,
        dropout=dropout,
    )


_THEIRS = "longformer.encoder.layer.{i}.attention.self"
_OURS = "encoder.blocks.{i}.attention.global_heads"

LONGFORMER = Family(
    name="longformer",
    architecture="LongformerModel",
    prefix="longformer.",
    to_spec=to_spec,
    to_config=to_config,
    rules=body_rules("longformer.")
    + Rules(
        Rename(f"{_THEIRS}.query_global", f"{_OURS}.q"),
        Fuse((f"{_THEIRS}.key_global", f"{_THEIRS}.value_global"), f"{_OURS}.kv"),
    ),
    sequence_head=HeadFormat(
        architecture="LongformerForSequenceClassification",
        to_spec=head_spec,
        rules=Rules(Rename("classifier.dense", "dense"), Rename("classifier.out_proj", "out")),
    ),
    span_head=HeadFormat(
        architecture="LongformerForQuestionAnswering",
        to_spec=span_head_spec,
        rules=SPAN_HEAD_RULES,
    ),
    token_head=HeadFormat(
        architecture="LongformerForTokenClassification",
        to_spec=token_head_spec,
        rules=TOKEN_HEAD_RULES,
    ),
)
