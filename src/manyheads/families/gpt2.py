"""GPT-2 (Radford et al. 2019): pre-norm, learned positions, tied output, causal."""

from __future__ import annotations

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
    refuse,
)
from manyheads.families.rules import Rename, Rules


def to_spec(config: Config) -> Spec:
    """Read a GPT-2 configuration."""
    refuse(config, "scale_attn_by_inverse_layer_idx", False)
    refuse(config, "scale_attn_weights", True)
    refuse(config, "add_cross_attention", False)
    width, heads = config.get("n_embd", 768), config.get("n_head", 12)
    count = config.get("n_positions", 1024)
    norm = LayerNorm(config.get("layer_norm_epsilon", 1e-5))
    residual_dropout = config.get("resid_pdrop", 0.1)
    block = BlockSpec(
        attention=AttentionSpec(
            heads=heads,
            kv_heads=heads,
            head_dim=head_dim_of(width, heads),
            reach=Causal(),
            dropout=config.get("attn_pdrop", 0.1),
            out_dropout=residual_dropout,
        ),
        feedforward=FeedForwardSpec(
            width=config.get("n_inner") or 4 * width,
            activation=activation_of(config.get("activation_function", "gelu_new")),
            out_dropout=residual_dropout,
        ),
        attention_norms=NormSlots(before=norm),
        feedforward_norms=NormSlots(before=norm),
    )
    return Spec(
        width=width,
        max_tokens=count,
        embed=EmbedSpec(
            vocabulary=config.get("vocab_size", 50257),
            width=width,
            positions=LearnedPositions(count),
            dropout=config.get("embd_pdrop", 0.1),
        ),
        decoder=StackSpec(blocks=(block,) * layers_of(config, "n_layer", 12), norm=norm),
        output=OutputSpec(tied=config.get("tie_word_embeddings", True)),
    )


def to_config(spec: Spec) -> Config:
    """Write the configuration that `to_spec` reads back to the same spec."""
    assert spec.decoder is not None
    block, norm = spec.decoder.blocks[0], spec.decoder.norm
    assert isinstance(norm, LayerNorm)
    return {
        "vocab_size": spec.embed.vocabulary,
        "n_positions": spec.max_tokens,
        "n_embd": spec.width,
        "n_layer": len(spec.decoder.blocks),
        "n_head": block.attention.heads,
        "n_inner": block.feedforward.width,
        "activation_function": ACTIVATION_NAMES[block.feedforward.activation],
        "layer_norm_epsilon": norm.epsilon,
        "embd_pdrop": spec.embed.dropout,
        "attn_pdrop": block.attention.dropout,
        "resid_pdrop": block.attention.out_dropout,
        "tie_word_embeddings": spec.output is not None and spec.output.tied,
    }


GPT2 = Family(
    name="gpt2",
    architecture="GPT2LMHeadModel",
    prefix="transformer.",
    to_spec=to_spec,
    to_config=to_config,
    rules=Rules(
        Rename("transformer.wte", "embed.tokens"),
        Rename("transformer.wpe", "embed.positions"),
        Rename("transformer.h.{i}.ln_1", "decoder.blocks.{i}.attention_norms.before"),
        Rename("transformer.h.{i}.attn.c_attn", "decoder.blocks.{i}.attention.qkv", True),
        Rename("transformer.h.{i}.attn.c_proj", "decoder.blocks.{i}.attention.out", True),
        Rename("transformer.h.{i}.ln_2", "decoder.blocks.{i}.feedforward_norms.before"),
        Rename("transformer.h.{i}.mlp.c_fc", "decoder.blocks.{i}.feedforward.up", True),
        Rename("transformer.h.{i}.mlp.c_proj", "decoder.blocks.{i}.feedforward.down", True),
        Rename("transformer.ln_f", "decoder.norm"),
        Rename("lm_head", "output.project"),
    ),
)
