"""DistilBERT (Sanh et al. 2019): half of BERT's layers, no segments, no pooler."""

from __future__ import annotations

from manyheads.core.spec import (
    Activation,
    AttentionSpec,
    BlockSpec,
    EmbedSpec,
    FeedForwardSpec,
    HeadSpec,
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
    HeadFormat,
    MaskedFormat,
    activation_of,
    head_dim_of,
    layers_of,
    refuse,
)
from manyheads.families.rules import Fuse, Rename, Rules, Tied

_NORM = LayerNorm(1e-12)


def to_spec(config: Config) -> Spec:
    """Read a DistilBERT configuration."""
    width, heads = config.get("dim", 768), config.get("n_heads", 12)
    dropout = config.get("dropout", 0.1)
    count = config.get("max_position_embeddings", 512)
    block = BlockSpec(
        attention=AttentionSpec(
            heads=heads,
            kv_heads=heads,
            head_dim=head_dim_of(width, heads),
            dropout=config.get("attention_dropout", 0.1),
        ),
        feedforward=FeedForwardSpec(
            width=config.get("hidden_dim", 3072),
            activation=activation_of(config.get("activation", "gelu")),
            out_dropout=dropout,
        ),
        attention_norms=NormSlots(residual=_NORM),
        feedforward_norms=NormSlots(residual=_NORM),
    )
    return Spec(
        width=width,
        max_tokens=count,
        embed=EmbedSpec(
            vocabulary=config.get("vocab_size", 30522),
            width=width,
            positions=LearnedPositions(count),
            norm=_NORM,
            dropout=dropout,
        ),
        encoder=StackSpec(blocks=(block,) * layers_of(config, "n_layers", 6)),
    )


def to_config(spec: Spec) -> Config:
    """Write the configuration that `to_spec` reads back to the same spec."""
    assert spec.encoder is not None
    block = spec.encoder.blocks[0]
    return {
        "vocab_size": spec.embed.vocabulary,
        "dim": spec.width,
        "n_layers": len(spec.encoder.blocks),
        "n_heads": block.attention.heads,
        "hidden_dim": block.feedforward.width,
        "activation": ACTIVATION_NAMES[block.feedforward.activation],
        "dropout": spec.embed.dropout,
        "attention_dropout": block.attention.dropout,
        "max_position_embeddings": spec.max_tokens,
    }


def head_spec(config: Config) -> HeadSpec:
    """First token, dense, relu, dropout, projection."""
    return HeadSpec(
        width=config.get("dim", 768),
        activation=Activation.RELU,
        dropout=config.get("seq_classif_dropout", 0.2),
    )


def token_head_spec(config: Config) -> HeadSpec:
    """Dropout and classifier, for each token."""
    return HeadSpec(config.get("dim", 768), dense=False, dropout=config.get("dropout", 0.1))


def span_head_spec(config: Config) -> HeadSpec:
    """Dropout and a projection, for each token."""
    return HeadSpec(config.get("dim", 768), dense=False, dropout=config.get("qa_dropout", 0.1))


def masked_spec(config: Config) -> OutputSpec:
    """Dense, activation, norm, then the table of token vectors and a bias."""
    refuse(config, "tie_word_embeddings", True)
    activation = activation_of(config.get("activation", "gelu"))
    return OutputSpec(bias=True, activation=activation, norm=_NORM)


_THEIRS, _OURS = "distilbert.transformer.layer.{i}", "encoder.blocks.{i}"

DISTILBERT = Family(
    name="distilbert",
    architecture="DistilBertModel",
    prefix="distilbert.",
    to_spec=to_spec,
    to_config=to_config,
    rules=Rules(
        Rename("distilbert.embeddings.word_embeddings", "embed.tokens"),
        Rename("distilbert.embeddings.position_embeddings", "embed.positions"),
        Rename("distilbert.embeddings.LayerNorm", "embed.norm"),
        Fuse(
            (
                f"{_THEIRS}.attention.q_lin",
                f"{_THEIRS}.attention.k_lin",
                f"{_THEIRS}.attention.v_lin",
            ),
            f"{_OURS}.attention.qkv",
        ),
        Rename(f"{_THEIRS}.attention.out_lin", f"{_OURS}.attention.out"),
        Rename(f"{_THEIRS}.sa_layer_norm", f"{_OURS}.attention_norms.residual"),
        Rename(f"{_THEIRS}.ffn.lin1", f"{_OURS}.feedforward.up"),
        Rename(f"{_THEIRS}.ffn.lin2", f"{_OURS}.feedforward.down"),
        Rename(f"{_THEIRS}.output_layer_norm", f"{_OURS}.feedforward_norms.residual"),
    ),
    sequence_head=HeadFormat(
        architecture="DistilBertForSequenceClassification",
        to_spec=head_spec,
        rules=Rules(Rename("pre_classifier", "dense"), Rename("classifier", "out")),
    ),
    token_head=HeadFormat(
        architecture="DistilBertForTokenClassification",
        to_spec=token_head_spec,
        rules=Rules(Rename("classifier", "out")),
    ),
    span_head=HeadFormat(
        architecture="DistilBertForQuestionAnswering",
        to_spec=span_head_spec,
        rules=Rules(Rename("qa_outputs", "out")),
    ),
    masked=MaskedFormat(
        architecture="DistilBertForMaskedLM",
        to_spec=masked_spec,
        rules=Rules(
            Rename("vocab_transform", "output.dense"),
            Rename("vocab_layer_norm", "output.norm"),
            Rename("vocab_projector", "output"),
            Tied("vocab_projector", "embed.tokens"),
        ),
    ),
)
