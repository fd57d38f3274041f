"""ELECTRA (Clark et al. 2020): BERT with embeddings of their own width, projected up."""

from __future__ import annotations

from dataclasses import replace

from manyheads.core.spec import Activation, HeadSpec, LearnedPositions, OutputSpec, Spec
from manyheads.families.bert import (
    SPAN_HEAD_RULES,
    TOKEN_HEAD_RULES,
    bert_like_spec,
    body_rules,
    classifier_dropout,
)
from manyheads.families.bert import masked_spec as bert_masked_spec
from manyheads.families.bert import span_head_spec as bert_span_head_spec
from manyheads.families.bert import to_config as bert_config
from manyheads.families.bert import token_head_spec as bert_token_head_spec
from manyheads.families.family import Config, Family, HeadFormat, MaskedFormat
from manyheads.families.rules import Rename, Rules, Tied

_DEFAULTS = {
    "embedding_size": 128,
    "hidden_size": 256,
    "num_attention_heads": 4,
    "intermediate_size": 1024,
}


def to_spec(config: Config) -> Spec:
    """Read an ELECTRA configuration (discriminator or generator)."""
    positions = LearnedPositions(config.get("max_position_embeddings", 512))
    return bert_like_spec(_DEFAULTS | config, positions)


def to_config(spec: Spec) -> Config:
    """Write the configuration that `to_spec` reads back to the same spec."""
    return bert_config(spec) | {"embedding_size": spec.embed.width}


def head_spec(config: Config) -> HeadSpec:
    """First token, dropout, dense, gelu, dropout, projection."""
    return HeadSpec(
        width=config.get("hidden_size", _DEFAULTS["hidden_size"]),
        activation=Activation.GELU,
        pooled_dropout=classifier_dropout(config),
        dropout=classifier_dropout(config),
    )


def token_head_spec(config: Config) -> HeadSpec:
    """Dropout and classifier, for each token."""
    return bert_token_head_spec(_DEFAULTS | config)


def span_head_spec(config: Config) -> HeadSpec:
    """A projection of each token."""
    return bert_span_head_spec(_DEFAULTS | config)


def masked_spec(config: Config) -> OutputSpec:
    """The generator's: a dense layer to the width of token vectors, gelu, norm, table and bias."""
    return replace(bert_masked_spec(config), activation=Activation.GELU)


ELECTRA = Family(
    name="electra",
    architecture="ElectraModel",
    prefix="electra.",
    to_spec=to_spec,
    to_config=to_config,
    rules=body_rules("electra.") + Rules(Rename("electra.embeddings_project", "embed.project")),
    sequence_head=HeadFormat(
        architecture="ElectraForSequenceClassification",
        to_spec=head_spec,
        rules=Rules(Rename("classifier.dense", "dense"), Rename("classifier.out_proj", "out")),
    ),
    token_head=HeadFormat(
        architecture="ElectraForTokenClassification",
        to_spec=token_head_spec,
        rules=TOKEN_HEAD_RULES,
    ),
    span_head=HeadFormat(
        architecture="ElectraForQuestionAnswering",
        to_spec=span_head_spec,
        rules=SPAN_HEAD_RULES,
    ),
    masked=MaskedFormat(
        architecture="ElectraForMaskedLM",
        to_spec=masked_spec,
        rules=Rules(
            Rename("generator_predictions.dense", "output.dense"),
            Rename("generator_predictions.LayerNorm", "output.norm"),
            Rename("generator_lm_head", "output"),
            Tied("generator_lm_head", "embed.tokens"),
        ),
    ),
)
