"""T5 (Raffel et al. 2020), its version 1.1 (Flan too) and mT5: relative bias, RMS norms, no biases.

Version 1.1 gates its feed-forward layers and does not tie its output. Scores are not scaled: the
initialisation of the weights does that.
"""

from __future__ import annotations

from dataclasses import replace

from manyheads.core.mask import Causal
from manyheads.core.spec import (
    AttentionSpec,
    BlockSpec,
    EmbedSpec,
    FeedForwardSpec,
    NormSlots,
    OutputSpec,
    RelativeBias,
    RMSNorm,
    Spec,
    StackSpec,
)
from manyheads.families.family import (
    ACTIVATION_NAMES,
    Config,
    Family,
    activation_of,
    layers_of,
)
from manyheads.families.rules import Fuse, Rename, Rules, Tied

MT5_NAME = "mt5"
# What mT5 takes for granted where its configuration says nothing, and T5 takes otherwise.
_MT5_HABITS: Config = {
    "d_ff": 1024,
    "num_layers": 8,
    "num_heads": 6,
    "feed_forward_proj": "gated-gelu",
    "vocab_size": 250112,
}
_UNLIMITED = 1_000_000  # relative positions have no end; memory has


def to_spec(config: Config) -> Spec:
    """Read a configuration of T5, either version, or mT5."""
    config = (_MT5_HABITS if config.get("model_type") == MT5_NAME else {}) | config
    width, layers = config.get("d_model", 512), layers_of(config, "num_layers", 6)
    dropout = config.get("dropout_rate", 0.1)
    norm = RMSNorm(config.get("layer_norm_epsilon", 1e-6))
    block = _block(config, norm)
    writing = replace(
        block,
        attention=replace(block.attention, reach=Causal()),
        cross=block.attention,
        cross_norms=NormSlots(before=norm),
    )
    bias = RelativeBias(
        config.get("relative_attention_num_buckets", 32),
        config.get("relative_attention_max_distance", 128),
    )
    embed = EmbedSpec(vocabulary=config.get("vocab_size", 32128), width=width, dropout=dropout)
    tied = config.get("tie_word_embeddings", True)
    # Only the first version scales what the shared table is to score; mT5 never does.
    scaled = config.get("scale_decoder_outputs", tied) and config.get("model_type") != MT5_NAME
    return Spec(
        width=width,
        max_tokens=_UNLIMITED,
        embed=embed,
        encoder=StackSpec((block,) * layers, norm, bias, dropout),
        decoder=StackSpec(
            (writing,) * (config.get("num_decoder_layers") or layers),
            norm,
            replace(bias, bidirectional=False),
            dropout,
        ),
        target=embed,
        output=OutputSpec(tied=tied, scale=width**-0.5 if scaled else 1.0),
    )


def _block(config: Config, norm: RMSNorm) -> BlockSpec:
    heads, dropout = config.get("num_heads", 8), config.get("dropout_rate", 0.1)
    gate, _, activation = config.get("feed_forward_proj", "relu").rpartition("-")
    # "gated-gelu" means the approximation, for the sake of the first checkpoints.
    name = "gelu_new" if gate and activation == "gelu" else activation
    slots = NormSlots(before=norm)
    return BlockSpec(
        attention=AttentionSpec(
            heads=heads,
            kv_heads=heads,
            head_dim=config.get("d_kv", 64),
            bias=False,
            out_bias=False,
            scale=1.0,
            dropout=dropout,
            out_dropout=dropout,
        ),
        feedforward=FeedForwardSpec(
            width=config.get("d_ff", 2048),
            activation=activation_of(name),
            gated=bool(gate),
            bias=False,
            dropout=dropout,
            out_dropout=dropout,
        ),
        attention_norms=slots,
        feedforward_norms=slots,
    )


def to_config(spec: Spec) -> Config:
    """Write the configuration that `to_spec` reads back to the same spec."""
    assert spec.encoder is not None and spec.decoder is not None and spec.output is not None
    block, norm, bias = spec.encoder.blocks[0], spec.encoder.norm, spec.encoder.position_bias
    assert isinstance(norm, RMSNorm) and isinstance(bias, RelativeBias)
    activation = ACTIVATION_NAMES[block.feedforward.activation]
    gated = block.feedforward.gated
    return {
        "vocab_size": spec.embed.vocabulary,
        "d_model": spec.width,
        "d_kv": block.attention.head_dim,
        "d_ff": block.feedforward.width,
        "num_heads": block.attention.heads,
        "num_layers": len(spec.encoder.blocks),
        "num_decoder_layers": len(spec.decoder.blocks),
        "relative_attention_num_buckets": bias.buckets,
        "relative_attention_max_distance": bias.max_distance,
        "dropout_rate": spec.embed.dropout,
        "layer_norm_epsilon": norm.epsilon,
        "feed_forward_proj": f"gated-{activation.removesuffix('_new')}" if gated else activation,
        "tie_word_embeddings": spec.output.tied,
        "scale_decoder_outputs": spec.output.scale != 1.0,
        "is_encoder_decoder": True,
    }


def _gated(spec: Spec) -> bool:
    assert spec.encoder is not None
    return spec.encoder.blocks[0].feedforward.gated


def _side_rules(side: str, feedforward: int) -> Rules:
    theirs, ours = f"{side}.block.{{i}}.layer", f"{side}.blocks.{{i}}"
    attention, dense = f"{theirs}.0.SelfAttention", f"{theirs}.{feedforward}.DenseReluDense"
    bias = f"{side}.block.0.layer.0.SelfAttention.relative_attention_bias"
    return Rules(
        Fuse(tuple(f"{attention}.{part}" for part in "qkv"), f"{ours}.attention.qkv"),
        Rename(f"{attention}.o", f"{ours}.attention.out"),
        Rename(f"{theirs}.0.layer_norm", f"{ours}.attention_norms.before"),
        Rename(bias, f"{side}.position_bias"),
        Rename(f"{dense}.wi", f"{ours}.feedforward.up", when=lambda spec: not _gated(spec)),
        Fuse((f"{dense}.wi_0", f"{dense}.wi_1"), f"{ours}.feedforward.up", when=_gated),
        Rename(f"{dense}.wo", f"{ours}.feedforward.down"),
        Rename(f"{theirs}.{feedforward}.layer_norm", f"{ours}.feedforward_norms.before"),
        Rename(f"{side}.final_layer_norm", f"{side}.norm"),
    )


_CROSS, _OURS = "decoder.block.{i}.layer.1.EncDecAttention", "decoder.blocks.{i}"
RULES = (
    _side_rules("encoder", 1)
    + _side_rules("decoder", 2)
    + Rules(
        Rename("shared", "embed.tokens"),
        Rename(f"{_CROSS}.q", f"{_OURS}.cross.q"),
        Fuse((f"{_CROSS}.k", f"{_CROSS}.v"), f"{_OURS}.cross.kv"),
        Rename(f"{_CROSS}.o", f"{_OURS}.cross.out"),
        Rename("decoder.block.{i}.layer.1.layer_norm", f"{_OURS}.cross_norms.before"),
        Rename("lm_head", "output.project"),
        Tied("encoder.embed_tokens", "embed.tokens"),
        Tied("decoder.embed_tokens", "embed.tokens"),
    )
)

T5 = Family(
    name="t5",
    architecture="T5ForConditionalGeneration",
    prefix="",
    to_spec=to_spec,
    to_config=to_config,
    rules=RULES,
)
MT5 = replace(T5, name=MT5_NAME, architecture="MT5ForConditionalGeneration")
