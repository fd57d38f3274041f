"""ModernBERT (Warner et al. 2024): pre-norm, rotary, GLU, local layers between global ones."""

from __future__ import annotations

from dataclasses import replace

from manyheads.core.mask import Full, Window
from manyheads.core.spec import (
    AttentionSpec,
    BlockSpec,
    EmbedSpec,
    FeedForwardSpec,
    HeadSpec,
    LayerNorm,
    NormSlots,
    OutputSpec,
    Pooling,
    Rotary,
    Spec,
    StackSpec,
)
from manyheads.errors import ConfigError
from manyheads.families.family import (
    ACTIVATION_NAMES,
    Config,
    Family,
    HeadFormat,
    MaskedFormat,
    activation_of,
    head_dim_of,
    layers_of,
    refuse,
)
from manyheads.families.rules import Rename, Rules, Tied

_GLOBAL, _LOCAL = "full_attention", "sliding_attention"
_THETA = {_GLOBAL: 160_000.0, _LOCAL: 10_000.0}
_POOLINGS = {"cls": Pooling.FIRST, "mean": Pooling.MEAN}


def to_spec(config: Config) -> Spec:
    """Read a ModernBERT configuration, with the layer keys of either format."""
    width = config.get("hidden_size", 768)
    norm = _norm(config)
    return Spec(
        width=width,
        max_tokens=config.get("max_position_embeddings", 8192),
        embed=EmbedSpec(
            vocabulary=config.get("vocab_size", 50368),
            width=width,
            norm=norm,
            dropout=config.get("embedding_dropout", 0.0),
        ),
        encoder=StackSpec(
            blocks=tuple(_block(config, i, kind) for i, kind in enumerate(_layer_types(config))),
            norm=norm,
        ),
    )


def _norm(config: Config) -> LayerNorm:
    return LayerNorm(config.get("norm_eps", 1e-5), bias=config.get("norm_bias", False))


def _layer_types(config: Config) -> list[str]:
    """Return each layer's kind; older configurations say only how often a layer is global."""
    every = config.get("global_attn_every_n_layers", 3)
    layers = range(layers_of(config, "num_hidden_layers", 22))
    return config.get("layer_types") or [_LOCAL if i % every else _GLOBAL for i in layers]


def _rotary(config: Config, kind: str) -> Rotary:
    """Return the rotary positions of a kind of layer, from the newer or the older keys."""
    parameters = (config.get("rope_parameters") or {}).get(kind) or {}
    if parameters.get("rope_type", "default") != "default":
        raise ConfigError(
            f"rope_type={parameters['rope_type']!r} of {kind} is not supported, only 'default'"
        )
    old_key = "global_rope_theta" if kind == _GLOBAL else "local_rope_theta"
    return Rotary(float(parameters.get("rope_theta") or config.get(old_key) or _THETA[kind]))


def _block(config: Config, layer: int, kind: str) -> BlockSpec:
    width, heads = config.get("hidden_size", 768), config.get("num_attention_heads", 12)
    half = config.get("local_attention", 128) // 2
    dropout = config.get("attention_dropout", 0.0)
    bias = config.get("attention_bias", False)
    return BlockSpec(
        attention=AttentionSpec(
            heads=heads,
            kv_heads=heads,
            head_dim=head_dim_of(width, heads),
            bias=bias,
            out_bias=bias,
            rotary=_rotary(config, kind),
            reach=Full() if kind == _GLOBAL else Window(half, half),
            dropout=dropout,
            out_dropout=dropout,
        ),
        feedforward=FeedForwardSpec(
            width=config.get("intermediate_size", 1152),
            activation=activation_of(config.get("hidden_activation", "gelu")),
            gated=True,
            bias=config.get("mlp_bias", False),
            dropout=config.get("mlp_dropout", 0.0),
        ),
        # The embedding's own norm has just been applied, so the first block has none before it.
        attention_norms=NormSlots(before=_norm(config) if layer else None),
        feedforward_norms=NormSlots(before=_norm(config)),
    )


def to_config(spec: Spec) -> Config:
    """Write the configuration that `to_spec` reads back to the same spec."""
    assert spec.encoder is not None
    first, norm = spec.encoder.blocks[0], spec.encoder.norm
    assert isinstance(norm, LayerNorm)
    kinds, thetas, half = [], dict(_THETA), 64
    for block in spec.encoder.blocks:
        kind = _LOCAL if isinstance(block.attention.reach, Window) else _GLOBAL
        kinds.append(kind)
        if isinstance(block.attention.reach, Window):
            half = block.attention.reach.left
        if block.attention.rotary is not None:
            thetas[kind] = block.attention.rotary.base
    return {
        "vocab_size": spec.embed.vocabulary,
        "hidden_size": spec.width,
        "intermediate_size": first.feedforward.width,
        "num_hidden_layers": len(spec.encoder.blocks),
        "num_attention_heads": first.attention.heads,
        "hidden_activation": ACTIVATION_NAMES[first.feedforward.activation],
        "max_position_embeddings": spec.max_tokens,
        "norm_eps": norm.epsilon,
        "norm_bias": norm.bias,
        "attention_bias": first.attention.bias,
        "attention_dropout": first.attention.dropout,
        "layer_types": kinds,
        "rope_parameters": {
            kind: {"rope_type": "default", "rope_theta": theta} for kind, theta in thetas.items()
        },
        # Readers before the layer keys above know only these three.
        "global_attn_every_n_layers": _global_period(kinds),
        "global_rope_theta": thetas[_GLOBAL],
        "local_rope_theta": thetas[_LOCAL],
        "local_attention": 2 * half,
        "embedding_dropout": spec.embed.dropout,
        "mlp_bias": first.feedforward.bias,
        "mlp_dropout": first.feedforward.dropout,
    }


def _global_period(kinds: list[str]) -> int:
    """Return after how many layers a global one comes again."""
    later = [i for i, kind in enumerate(kinds) if i and kind == _GLOBAL]
    return later[0] if later else len(kinds)


def head_spec(config: Config) -> HeadSpec:
    """First token or mean, dense, activation, norm, dropout, projection."""
    pooling = config.get("classifier_pooling", "cls")
    if pooling not in _POOLINGS:
        raise ConfigError(f"classifier_pooling={pooling!r} is not known; use 'cls' or 'mean'")
    return HeadSpec(
        width=config.get("hidden_size", 768),
        pooling=_POOLINGS[pooling],
        dense_bias=config.get("classifier_bias", False),
        activation=activation_of(config.get("classifier_activation", "gelu")),
        norm=_norm(config),
        dropout=config.get("classifier_dropout", 0.0),
    )


def masked_spec(config: Config) -> OutputSpec:
    """Dense, activation, norm, then the table of token vectors and a bias."""
    refuse(config, "tie_word_embeddings", True)
    return OutputSpec(
        bias=config.get("decoder_bias", True),
        activation=activation_of(config.get("classifier_activation", "gelu")),
        norm=_norm(config),
        dense_bias=config.get("classifier_bias", False),
    )


_THEIRS, _OURS = "model.layers.{i}", "encoder.blocks.{i}"

_HEAD = HeadFormat(
    architecture="ModernBertForSequenceClassification",
    to_spec=head_spec,
    rules=Rules(
        Rename("head.dense", "dense"), Rename("head.norm", "norm"), Rename("classifier", "out")
    ),
)

MODERNBERT = Family(
    name="modernbert",
    architecture="ModernBertModel",
    prefix="model.",
    to_spec=to_spec,
    to_config=to_config,
    rules=Rules(
        Rename("model.embeddings.tok_embeddings", "embed.tokens"),
        Rename("model.embeddings.norm", "embed.norm"),
        Rename(f"{_THEIRS}.attn_norm", f"{_OURS}.attention_norms.before"),
        Rename(f"{_THEIRS}.attn.Wqkv", f"{_OURS}.attention.qkv"),
        Rename(f"{_THEIRS}.attn.Wo", f"{_OURS}.attention.out"),
        Rename(f"{_THEIRS}.mlp_norm", f"{_OURS}.feedforward_norms.before"),
        Rename(f"{_THEIRS}.mlp.Wi", f"{_OURS}.feedforward.up"),
        Rename(f"{_THEIRS}.mlp.Wo", f"{_OURS}.feedforward.down"),
        Rename("model.final_norm", "encoder.norm"),
    ),
    sequence_head=_HEAD,
    token_head=replace(_HEAD, architecture="ModernBertForTokenClassification"),
    span_head=replace(_HEAD, architecture="ModernBertForQuestionAnswering"),
    masked=MaskedFormat(
        architecture="ModernBertForMaskedLM",
        to_spec=masked_spec,
        rules=Rules(
            Rename("head.dense", "output.dense"),
            Rename("head.norm", "output.norm"),
            Rename("decoder", "output"),
            Tied("decoder", "embed.tokens"),
        ),
    ),
)
