"""Vision Transformer (Dosovitskiy et al. 2021): patches of an image as tokens, pre-norm blocks."""

from __future__ import annotations

from dataclasses import replace

from manyheads.core.spec import (
    EmbedSpec,
    HeadSpec,
    LayerNorm,
    LearnedPositions,
    NormSlots,
    PatchSpec,
    Spec,
    StackSpec,
)
from manyheads.errors import ConfigError
from manyheads.families.bert import bert_like_block, block_config
from manyheads.families.family import Config, Family, HeadFormat, layers_of
from manyheads.families.rules import Fuse, Rename, Rules, Whole

_DEFAULTS: Config = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}


def to_spec(config: Config) -> Spec:
    """Read a ViT configuration."""
    config = _DEFAULTS | config
    norm = LayerNorm(config.get("layer_norm_eps", 1e-12))
    patches = _patches(config)
    block = bert_like_block(config, NormSlots(before=norm))
    block = replace(block, attention=replace(block.attention, bias=config.get("qkv_bias", True)))
    width: int = config.get("hidden_size", 768)
    return Spec(
        width=width,
        max_tokens=patches.tokens,
        embed=EmbedSpec(
            vocabulary=0,
            width=width,
            positions=LearnedPositions(patches.tokens),
            dropout=config["hidden_dropout_prob"],
            patches=patches,
        ),
        encoder=StackSpec(
            blocks=(block,) * layers_of(config, "num_hidden_layers", 12),
            norm=norm,
        ),
    )


def _patches(config: Config) -> PatchSpec:
    """Return how images become tokens; raises `ConfigError` where no patch fits into an image."""
    image, size = _pair(config, "image_size", 224), _pair(config, "patch_size", 16)
    if min(size) < 1 or size[0] > image[0] or size[1] > image[1]:
        raise ConfigError(
            f"patch_size={_side(size)} does not fit into image_size={_side(image)}; "
            "correct the configuration"
        )
    return PatchSpec(config.get("num_channels", 3), image, size)


def _pair(config: Config, key: str, default: int) -> tuple[int, int]:
    """Return height and width, which are one number where they are equal."""
    value = config.get(key, default)
    height, width = (value, value) if isinstance(value, int) else value
    return height, width


def to_config(spec: Spec) -> Config:
    """Write the configuration that `to_spec` reads back to the same spec."""
    assert spec.encoder is not None
    norm, patches = spec.encoder.norm, spec.embed.patches
    assert norm is not None and patches is not None
    return block_config(spec) | {
        "layer_norm_eps": norm.epsilon,
        "image_size": _side(patches.image),
        "patch_size": _side(patches.size),
        "num_channels": patches.channels,
        "qkv_bias": spec.encoder.blocks[0].attention.bias,
    }


def _side(size: tuple[int, int]) -> int | list[int]:
    return size[0] if size[0] == size[1] else list(size)


def head_spec(config: Config) -> HeadSpec:
    """The class token, projected."""
    return HeadSpec(width=config.get("hidden_size", 768), dense=False)


_THEIRS, _OURS = "vit.encoder.layer.{i}", "encoder.blocks.{i}"
_ATTENTION = f"{_THEIRS}.attention.attention"

VIT = Family(
    name="vit",
    architecture="ViTModel",
    prefix="vit.",
    to_spec=to_spec,
    to_config=to_config,
    rules=Rules(
        Whole("vit.embeddings.cls_token", "embed.patches.first"),
        Whole("vit.embeddings.position_embeddings", "embed.positions.weight"),
        Rename("vit.embeddings.patch_embeddings.projection", "embed.patches.project"),
        Rename(f"{_THEIRS}.layernorm_before", f"{_OURS}.attention_norms.before"),
        Fuse(
            (f"{_ATTENTION}.query", f"{_ATTENTION}.key", f"{_ATTENTION}.value"),
            f"{_OURS}.attention.qkv",
        ),
        Rename(f"{_THEIRS}.attention.output.dense", f"{_OURS}.attention.out"),
        Rename(f"{_THEIRS}.layernorm_after", f"{_OURS}.feedforward_norms.before"),
        Rename(f"{_THEIRS}.intermediate.dense", f"{_OURS}.feedforward.up"),
        Rename(f"{_THEIRS}.output.dense", f"{_OURS}.feedforward.down"),
        Rename("vit.layernorm", "encoder.norm"),
    ),
    sequence_head=HeadFormat(
        architecture="ViTForImageClassification",
        to_spec=head_spec,
        rules=Rules(Rename("classifier", "out")),
    ),
)
