"""BERT (Devlin et al. 2019): post-norm blocks, learned positions, two segments.

Also the base of RoBERTa and ELECTRA, whose configurations share its keys.
"""

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


def to_spec(config: Config) -> Spec:
    """Read a BERT configuration."""
    count = config.get("max_position_embeddings", 512)
    return bert_like_spec(config, LearnedPositions(count))


def bert_like_spec(config: Config, positions: LearnedPositions) -> Spec:
    """Read the keys that BERT, RoBERTa and ELECTRA share."""
    refuse(config, "position_embedding_type", "absolute")
    refuse(config, "is_decoder", False)
    width: int = config.get("hidden_size", 768)
    norm = LayerNorm(config.get("layer_norm_eps", 1e-12))
    block = bert_like_block(config, NormSlots(residual=norm))
    return Spec(
        width=width,
        max_tokens=positions.count - positions.offset,
        embed=EmbedSpec(
            vocabulary=config.get("vocab_size", 30522),
            width=int(config.get("embedding_size", width)),
            positions=positions,
            segments=config.get("type_vocab_size", 2),
            norm=norm,
            dropout=config.get("hidden_dropout_prob", 0.1),
        ),
        encoder=StackSpec(blocks=(block,) * layers_of(config, "num_hidden_layers", 12)),
    )


def bert_like_block(config: Config, norms: NormSlots) -> BlockSpec:
    """Read the keys of a block, which ViT has too."""
    heads, dropout = config.get("num_attention_heads", 12), config.get("hidden_dropout_prob", 0.1)
    return BlockSpec(
        attention=AttentionSpec(
            heads=heads,
            kv_heads=heads,
            head_dim=head_dim_of(config.get("hidden_size", 768), heads),
            dropout=config.get("attention_probs_dropout_prob", 0.1),
            out_dropout=dropout,
        ),
        feedforward=FeedForwardSpec(
            width=config.get("intermediate_size", 3072),
            activation=activation_of(config.get("hidden_act", "gelu")),
            out_dropout=dropout,
        ),
        attention_norms=norms,
        feedforward_norms=norms,
    )


def to_config(spec: Spec) -> Config:
    """Write the configuration that `to_spec` reads back to the same spec."""
    positions, norm = spec.embed.positions, spec.embed.norm
    assert isinstance(positions, LearnedPositions)
    assert norm is not None
    return block_config(spec) | {
        "vocab_size": spec.embed.vocabulary,
        "max_position_embeddings": positions.count,
        "type_vocab_size": spec.embed.segments,
        "layer_norm_eps": norm.epsilon,
    }


def block_config(spec: Spec) -> Config:
    """Write the keys that `bert_like_block` reads, and the number of blocks."""
    assert spec.encoder is not None
    block = spec.encoder.blocks[0]
    return {
        "hidden_size": spec.width,
        "num_hidden_layers": len(spec.encoder.blocks),
        "num_attention_heads": block.attention.heads,
        "intermediate_size": block.feedforward.width,
        "hidden_act": ACTIVATION_NAMES[block.feedforward.activation],
        "hidden_dropout_prob": spec.embed.dropout,
        "attention_probs_dropout_prob": block.attention.dropout,
    }


def body_rules(prefix: str) -> Rules:
    """The weight names of a BERT-like body, all behind `prefix`."""
    theirs, ours = f"{prefix}encoder.layer.{{i}}", "encoder.blocks.{i}"
    attention = f"{theirs}.attention.self"
    return Rules(
        Rename(f"{prefix}embeddings.word_embeddings", "embed.tokens"),
        Rename(f"{prefix}embeddings.position_embeddings", "embed.positions"),
        Rename(f"{prefix}embeddings.token_type_embeddings", "embed.segments"),
        Rename(f"{prefix}embeddings.LayerNorm", "embed.norm"),
        Fuse(
            (f"{attention}.query", f"{attention}.key", f"{attention}.value"),
            f"{ours}.attention.qkv",
        ),
        Rename(f"{theirs}.attention.output.dense", f"{ours}.attention.out"),
        Rename(f"{theirs}.attention.output.LayerNorm", f"{ours}.attention_norms.residual"),
        Rename(f"{theirs}.intermediate.dense", f"{ours}.feedforward.up"),
        Rename(f"{theirs}.output.dense", f"{ours}.feedforward.down"),
        Rename(f"{theirs}.output.LayerNorm", f"{ours}.feedforward_norms.residual"),
    )


def classifier_dropout(config: Config) -> float:
    """Return the dropout before the classifier, which defaults to the hidden one."""
    own = config.get("classifier_dropout")
    return float(config.get("hidden_dropout_prob", 0.1) if own is None else own)


def head_spec(config: Config) -> HeadSpec:
    """BERT's pooler (first token, dense, tanh) and classifier."""
    return HeadSpec(
        width=config.get("hidden_size", 768),
        activation=Activation.TANH,
        dropout=classifier_dropout(config),
    )


def token_head_spec(config: Config) -> HeadSpec:
    """Dropout and classifier, for each token."""
    width = config.get("hidden_size", 768)
    return HeadSpec(width=width, dense=False, dropout=classifier_dropout(config))


def span_head_spec(config: Config) -> HeadSpec:
    """A projection of each token."""
    return HeadSpec(width=config.get("hidden_size", 768), dense=False)


def masked_spec(config: Config) -> OutputSpec:
    """Dense, activation, norm, then the table of token vectors and a bias."""
    refuse(config, "tie_word_embeddings", True)
    return OutputSpec(
        bias=True,
        activation=activation_of(config.get("hidden_act", "gelu")),
        norm=LayerNorm(config.get("layer_norm_eps", 1e-12)),
    )


TOKEN_HEAD_RULES = Rules(Rename("classifier", "out"))
SPAN_HEAD_RULES = Rules(Rename("qa_outputs", "out"))

BERT = Family(
    name="bert",
    architecture="BertModel",
    prefix="bert.",
    to_spec=to_spec,
    to_config=to_config,
    rules=body_rules("bert."),
    sequence_head=HeadFormat(
        architecture="BertForSequenceClassification",
        to_spec=head_spec,
        rules=Rules(Rename("bert.pooler.dense", "dense"), Rename("classifier", "out")),
    ),
    token_head=HeadFormat(
        architecture="BertForTokenClassification",
        to_spec=token_head_spec,
        rules=TOKEN_HEAD_RULES,
    ),
    span_head=HeadFormat(
        architecture="BertForQuestionAnswering",
        to_spec=span_head_spec,
        rules=SPAN_HEAD_RULES,
    ),
    masked=MaskedFormat(
        architecture="BertForMaskedLM",
        to_spec=masked_spec,
        rules=Rules(
            Rename("cls.predictions.transform.dense", "output.dense"),
            Rename("cls.predictions.transform.LayerNorm", "output.norm"),
            Rename("cls.predictions", "output"),
            Tied("cls.predictions.decoder", "embed.tokens"),
            Tied("cls.predictions.decoder", "output", kind="bias"),
        ),
    ),
)
