"""BART (Lewis et al. 2020) and mBART (Liu et al. 2020): learnt positions, and a norm over the sum
of token and position.

BART puts its norms after the residuals; mBART before the sub-layers, and one at the end of each
side. What all kin of the encoder-decoder of Vaswani et al. 2017 share is here too: Marian, PEGASUS
and M2M-100 begin with it.
"""

from __future__ import annotations

import math
from dataclasses import replace

from manyheads.core.mask import Causal
from manyheads.core.spec import (
    AttentionSpec,
    BlockSpec,
    EmbedSpec,
    FeedForwardSpec,
    LayerNorm,
    LearnedPositions,
    NormSlots,
    OutputSpec,
    SinusoidalPositions,
    Spec,
    StackSpec,
)
from manyheads.families.family import (
    ACTIVATION_NAMES,
    Config,
    Family,
    activation_of,
    head_dim_of,
    layers_of,
)
from manyheads.families.rules import Fuse, Rename, Rules, Tied, Whole

_NORM = LayerNorm(1e-5)
_OFFSET = 2  # BART's positions begin in this row


def bart_to_spec(config: Config) -> Spec:
    """Read a BART configuration."""
    count = config.get("max_position_embeddings", 1024)
    return spec_of(config, LearnedPositions(count + _OFFSET, _OFFSET), _NORM, 50265)


def mbart_to_spec(config: Config) -> Spec:
    """Read an mBART configuration."""
    return pre_normed(bart_to_spec(config))


def _pre_norm(stack: StackSpec) -> StackSpec:
    """Return a stack with its norms before the sub-layers and one at the end."""
    before = NormSlots(before=_NORM)
    blocks = tuple(
        replace(
            block,
            attention_norms=before,
            cross_norms=before if block.cross else block.cross_norms,
            feedforward_norms=before,
        )
        for block in stack.blocks
    )
    return replace(stack, blocks=blocks, norm=_NORM)


def pre_normed(spec: Spec) -> Spec:
    """Return a spec with the norms of both sides before the sub-layers."""
    assert spec.encoder is not None and spec.decoder is not None
    return replace(spec, encoder=_pre_norm(spec.encoder), decoder=_pre_norm(spec.decoder))


def spec_of(
    config: Config,
    positions: LearnedPositions | SinusoidalPositions,
    embed_norm: LayerNorm | None,
    vocabulary: int,
) -> Spec:
    """Return what the configurations of all kin say alike; `vocabulary` where they leave it out."""
    width = config.get("d_model", 1024)
    embed = EmbedSpec(
        vocabulary=config.get("vocab_size", vocabulary),
        width=width,
        positions=positions,
        norm=embed_norm,
        dropout=config.get("dropout", 0.1),
        scale=math.sqrt(width) if config.get("scale_embedding", False) else 1.0,
    )
    decoder = _block(config, "decoder")
    cross = replace(decoder.attention)
    decoder = replace(
        decoder,
        attention=replace(decoder.attention, reach=Causal()),
        cross=cross,
        cross_norms=NormSlots(residual=_NORM),
    )
    return Spec(
        width=width,
        max_tokens=config.get("max_position_embeddings", 1024),
        embed=embed,
        encoder=StackSpec((_block(config, "encoder"),) * layers_of(config, "encoder_layers", 12)),
        decoder=StackSpec((decoder,) * layers_of(config, "decoder_layers", 12)),
        target=embed,
        output=OutputSpec(bias=True),
    )


def _block(config: Config, side: str) -> BlockSpec:
    width, heads = config.get("d_model", 1024), config.get(f"{side}_attention_heads", 16)
    dropout = config.get("dropout", 0.1)
    slots = NormSlots(residual=_NORM)
    return BlockSpec(
        attention=AttentionSpec(
            heads=heads,
            kv_heads=heads,
            head_dim=head_dim_of(width, heads),
            dropout=config.get("attention_dropout", 0.0),
            out_dropout=dropout,
        ),
        feedforward=FeedForwardSpec(
            width=config.get(f"{side}_ffn_dim", 4096),
            activation=activation_of(config.get("activation_function", "gelu")),
            dropout=config.get("activation_dropout", 0.0),
            out_dropout=dropout,
        ),
        attention_norms=slots,
        feedforward_norms=slots,
    )


def to_config(spec: Spec) -> Config:
    """Write the configuration that is read back to the same spec."""
    assert spec.encoder is not None and spec.decoder is not None
    reading, writing = spec.encoder.blocks[0], spec.decoder.blocks[0]
    return {
        "vocab_size": spec.embed.vocabulary,
        "d_model": spec.width,
        "max_position_embeddings": spec.max_tokens,
        "encoder_layers": len(spec.encoder.blocks),
        "decoder_layers": len(spec.decoder.blocks),
        "encoder_attention_heads": reading.attention.heads,
        "decoder_attention_heads": writing.attention.heads,
        "encoder_ffn_dim": reading.feedforward.width,
        "decoder_ffn_dim": writing.feedforward.width,
        "activation_function": ACTIVATION_NAMES[reading.feedforward.activation],
        "dropout": spec.embed.dropout,
        "attention_dropout": reading.attention.dropout,
        "activation_dropout": reading.feedforward.dropout,
        "scale_embedding": spec.embed.scale != 1.0,
        "is_encoder_decoder": True,
    }


def _side_rules(side: str, slot: str) -> Rules:
    theirs, ours = f"model.{side}.layers.{{i}}", f"{side}.blocks.{{i}}"
    return Rules(
        Fuse(tuple(f"{theirs}.self_attn.{part}_proj" for part in "qkv"), f"{ours}.attention.qkv"),
        Rename(f"{theirs}.self_attn.out_proj", f"{ours}.attention.out"),
        Rename(f"{theirs}.self_attn_layer_norm", f"{ours}.attention_norms.{slot}"),
        Rename(f"{theirs}.fc1", f"{ours}.feedforward.up"),
        Rename(f"{theirs}.fc2", f"{ours}.feedforward.down"),
        Rename(f"{theirs}.final_layer_norm", f"{ours}.feedforward_norms.{slot}"),
    )


_CROSS, _OURS = "model.decoder.layers.{i}.encoder_attn", "decoder.blocks.{i}"


def shared_rules(slot: str) -> Rules:
    """Return the names that all share, with the norms in that slot."""
    return (
        _side_rules("encoder", slot)
        + _side_rules("decoder", slot)
        + Rules(
            Rename("model.shared", "embed.tokens", when=lambda spec: not spec.two_tables),
            Rename(f"{_CROSS}.q_proj", f"{_OURS}.cross.q"),
            Fuse((f"{_CROSS}.k_proj", f"{_CROSS}.v_proj"), f"{_OURS}.cross.kv"),
            Rename(f"{_CROSS}.out_proj", f"{_OURS}.cross.out"),
            Rename(f"{_CROSS}_layer_norm", f"{_OURS}.cross_norms.{slot}"),
            Whole("final_logits_bias", "output.bias"),
        )
    )


ONE_TABLE = Rules(
    Tied("model.encoder.embed_tokens", "embed.tokens"),
    Tied("model.decoder.embed_tokens", "embed.tokens"),
    Tied("lm_head", "embed.tokens"),
)
_LEARNED = Rules(
    Rename("model.encoder.embed_positions", "embed.positions"),
    Rename("model.decoder.embed_positions", "target.positions"),
    Rename("model.encoder.layernorm_embedding", "embed.norm"),
    Rename("model.decoder.layernorm_embedding", "target.norm"),
)
FINAL_NORMS = Rules(
    Rename("model.encoder.layer_norm", "encoder.norm"),
    Rename("model.decoder.layer_norm", "decoder.norm"),
)


BART = Family(
    name="bart",
    architecture="BartForConditionalGeneration",
    prefix="model.",
    to_spec=bart_to_spec,
    to_config=to_config,
    rules=shared_rules("residual") + ONE_TABLE + _LEARNED,
)

MBART = Family(
    name="mbart",
    architecture="MBartForConditionalGeneration",
    prefix="model.",
    to_spec=mbart_to_spec,
    to_config=to_config,
    rules=shared_rules("before") + ONE_TABLE + _LEARNED + FINAL_NORMS,
)
