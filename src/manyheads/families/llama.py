"""Llama (Touvron et al. 2023) and its kin: pre-norm by RMS, rotary, gated, grouped queries, causal.

Mistral adds a sliding window (Jiang et al. 2023), Qwen2 a bias on queries, keys and values (Yang et
al. 2024), Qwen3 a norm on queries and keys (Yang et al. 2025). SmolLM is a Llama.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from manyheads.core.mask import Causal, Reach, Window
from manyheads.core.spec import (
    AttentionSpec,
    BlockSpec,
    EmbedSpec,
    FeedForwardSpec,
    LinearScaling,
    Llama3Scaling,
    NormSlots,
    OutputSpec,
    RMSNorm,
    Rotary,
    Spec,
    StackSpec,
)
from manyheads.errors import ConfigError
from manyheads.families.family import (
    ACTIVATION_NAMES,
    Config,
    Family,
    activation_of,
    head_dim_of,
    layers_of,
)
from manyheads.families.rules import Fuse, Rename, Rules

_FULL, _SLIDING = "full_attention", "sliding_attention"


@dataclass(frozen=True)
class Habits:
    """What a relative of Llama takes for granted where its configuration says nothing."""

    layers: int
    heads: int
    kv_heads: int
    width: int
    feedforward: int
    vocabulary: int
    max_tokens: int
    qkv_bias: bool = False
    qk_norm: bool = False
    head_dim: int | None = None
    sliding_window: int | None = None


LLAMA_HABITS = Habits(32, 32, 32, 4096, 11008, 32000, 2048)
MISTRAL_HABITS = Habits(32, 32, 8, 4096, 14336, 32000, 131072, sliding_window=4096)
QWEN2_HABITS = Habits(32, 32, 32, 4096, 22016, 151936, 32768, qkv_bias=True)
QWEN3_HABITS = Habits(32, 32, 32, 4096, 22016, 151936, 32768, qk_norm=True, head_dim=128)


def to_spec(habits: Habits, config: Config) -> Spec:
    """Read the configuration of Llama or one of its kin."""
    width = config.get("hidden_size", habits.width)
    count = layers_of(config, "num_hidden_layers", habits.layers)
    norm = RMSNorm(config.get("rms_norm_eps", 1e-6))
    return Spec(
        width=width,
        max_tokens=config.get("max_position_embeddings", habits.max_tokens),
        embed=EmbedSpec(vocabulary=config.get("vocab_size", habits.vocabulary), width=width),
        decoder=StackSpec(
            blocks=tuple(
                _block(habits, config, reach) for reach in _reaches(habits, config, count)
            ),
            norm=norm,
        ),
        output=OutputSpec(tied=config.get("tie_word_embeddings", False)),
    )


def _block(habits: Habits, config: Config, reach: Reach) -> BlockSpec:
    width = config.get("hidden_size", habits.width)
    heads = config.get("num_attention_heads", habits.heads)
    norm = RMSNorm(config.get("rms_norm_eps", 1e-6))
    bias = config.get("attention_bias", False)
    slots = NormSlots(before=norm)
    return BlockSpec(
        attention=AttentionSpec(
            heads=heads,
            kv_heads=config.get("num_key_value_heads") or _usual_kv_heads(habits, heads),
            head_dim=config.get("head_dim") or habits.head_dim or head_dim_of(width, heads),
            bias=bias or habits.qkv_bias,
            out_bias=bias,
            qk_norm=norm if habits.qk_norm else None,
            rotary=_rotary(config),
            reach=reach,
            dropout=config.get("attention_dropout", 0.0),
        ),
        feedforward=FeedForwardSpec(
            width=config.get("intermediate_size", habits.feedforward),
            activation=activation_of(config.get("hidden_act", "silu")),
            gated=True,
            bias=config.get("mlp_bias", False),
        ),
        attention_norms=slots,
        feedforward_norms=slots,
    )


def _usual_kv_heads(habits: Habits, heads: int) -> int:
    """Return as many as there are heads, where the family does not usually share keys."""
    return heads if habits.kv_heads == habits.heads else habits.kv_heads


def _reaches(habits: Habits, config: Config, count: int) -> list[Reach]:
    """Return what each layer may attend to: all that came before, or a window of it."""
    size = config.get("sliding_window", habits.sliding_window)
    if size is None or not config.get("use_sliding_window", True):
        return [Causal()] * count
    kinds = config.get("layer_types") or [_SLIDING] * count
    return [Window(size - 1, 0) if kind == _SLIDING else Causal() for kind in kinds]


def _rotary(config: Config) -> Rotary:
    """Return the rotary positions, from the newer keys or the older ones."""
    new, old = config.get("rope_parameters") or {}, config.get("rope_scaling") or {}
    base = float(new.get("rope_theta") or config.get("rope_theta") or 10_000.0)
    settings = new or old
    kind = settings.get("rope_type") or settings.get("type") or "default"
    match kind:
        case "default":
            return Rotary(base)
        case "linear":
            return Rotary(base, LinearScaling(float(settings["factor"])))
        case "llama3":
            return Rotary(
                base,
                Llama3Scaling(
                    factor=float(settings["factor"]),
                    low=float(settings["low_freq_factor"]),
                    high=float(settings["high_freq_factor"]),
                    original=int(settings["original_max_position_embeddings"]),
                ),
            )
    raise ConfigError(
        f"rope_type={kind!r} of the configuration is not supported, only 'default', 'linear' and "
        "'llama3'; use a checkpoint with one of these"
    )


def to_config(spec: Spec) -> Config:
    """Write the configuration that `to_spec` reads back to the same spec."""
    assert spec.decoder is not None
    block, norm = spec.decoder.blocks[0], spec.decoder.norm
    assert isinstance(norm, RMSNorm) and block.attention.rotary is not None
    config = {
        "vocab_size": spec.embed.vocabulary,
        "hidden_size": spec.width,
        "intermediate_size": block.feedforward.width,
        "num_hidden_layers": len(spec.decoder.blocks),
        "num_attention_heads": block.attention.heads,
        "num_key_value_heads": block.attention.kv_heads,
        "head_dim": block.attention.head_dim,
        "hidden_act": ACTIVATION_NAMES[block.feedforward.activation],
        "max_position_embeddings": spec.max_tokens,
        "rms_norm_eps": norm.epsilon,
        "rope_parameters": _rope_parameters(block.attention.rotary),
        # Readers before `rope_parameters` know only this.
        "rope_theta": block.attention.rotary.base,
        "attention_bias": block.attention.out_bias,
        "attention_dropout": block.attention.dropout,
        "mlp_bias": block.feedforward.bias,
        "tie_word_embeddings": spec.output is not None and spec.output.tied,
    }
    windows = [b.attention.reach for b in spec.decoder.blocks]
    sizes = {reach.left + 1 for reach in windows if isinstance(reach, Window)}
    if sizes:
        kinds = [_SLIDING if isinstance(reach, Window) else _FULL for reach in windows]
        config |= {"sliding_window": sizes.pop(), "use_sliding_window": True, "layer_types": kinds}
    else:
        config |= {"sliding_window": None, "use_sliding_window": False}
    return config


def _rope_parameters(rotary: Rotary) -> Config:
    match rotary.scaling:
        case None:
            return {"rope_type": "default", "rope_theta": rotary.base}
        case LinearScaling(factor):
            return {"rope_type": "linear", "rope_theta": rotary.base, "factor": factor}
        case Llama3Scaling(factor, low, high, original):
            return {
                "rope_type": "llama3",
                "rope_theta": rotary.base,
                "factor": factor,
                "low_freq_factor": low,
                "high_freq_factor": high,
                "original_max_position_embeddings": original,
            }


def query_key_value_shares(spec: Spec) -> tuple[int, int, int]:
    """Return how many heads queries, keys and values have."""
    assert spec.decoder is not None
    attention = spec.decoder.blocks[0].attention
    return attention.heads, attention.kv_heads, attention.kv_heads


_THEIRS, _OURS = "model.layers.{i}", "decoder.blocks.{i}"
RULES = Rules(
    Rename("model.embed_tokens", "embed.tokens"),
    Fuse(
        tuple(f"{_THEIRS}.self_attn.{part}_proj" for part in "qkv"),
        f"{_OURS}.attention.qkv",
        query_key_value_shares,
    ),
    Rename(f"{_THEIRS}.self_attn.q_norm", f"{_OURS}.attention.q_norm"),
    Rename(f"{_THEIRS}.self_attn.k_norm", f"{_OURS}.attention.k_norm"),
    Rename(f"{_THEIRS}.self_attn.o_proj", f"{_OURS}.attention.out"),
    Rename(f"{_THEIRS}.input_layernorm", f"{_OURS}.attention_norms.before"),
    Fuse((f"{_THEIRS}.mlp.gate_proj", f"{_THEIRS}.mlp.up_proj"), f"{_OURS}.feedforward.up"),
    Rename(f"{_THEIRS}.mlp.down_proj", f"{_OURS}.feedforward.down"),
    Rename(f"{_THEIRS}.post_attention_layernorm", f"{_OURS}.feedforward_norms.before"),
    Rename("model.norm", "decoder.norm"),
    Rename("lm_head", "output.project"),
)


def _family(name: str, architecture: str, habits: Habits) -> Family:
    return Family(
        name=name,
        architecture=architecture,
        prefix="model.",
        to_spec=partial(to_spec, habits),
        to_config=to_config,
        rules=RULES,
    )


LLAMA = _family("llama", "LlamaForCausalLM", LLAMA_HABITS)
MISTRAL = _family("mistral", "MistralForCausalLM", MISTRAL_HABITS)
QWEN2 = _family("qwen2", "Qwen2ForCausalLM", QWEN2_HABITS)
QWEN3 = _family("qwen3", "Qwen3ForCausalLM", QWEN3_HABITS)
