"""RoBERTa (Liu et al. 2019) and XLM-R (Conneau et al. 2020): BERT whose positions start at 2."""

from __future__ import annotations

from dataclasses import replace

from manyheads.core.spec import Activation, HeadSpec, LearnedPositions, OutputSpec, Spec
from manyheads.families.bert import (
    SPAN_HEAD_RULES,
    TOKEN_HEAD_RULES,
    bert_like_spec,
    body_rules,
    classifier_dropout,
    span_head_spec,
    token_head_spec,
)
from manyheads.families.bert import masked_spec as bert_masked_spec
from manyheads.families.bert import to_config as bert_config
from manyheads.families.family import Config, Family, HeadFormat, MaskedFormat
from manyheads.families.rules import Rename, Rules, Tied


def to_spec(config: Config) -> Spec:
    """Read a RoBERTa or XLM-R configuration."""
    count = config.get("max_position_embeddings", 512)
    # fairseq numbered positions from the padding id on; row `pad_token_id` itself stays unused.
    offset = config.get("pad_token_id", 1) + 1
    return bert_like_spec(config, LearnedPositions(count, offset))


def to_config(spec: Spec) -> Config:
    """Write the configuration that `to_spec` reads back to the same spec."""
    assert isinstance(spec.embed.positions, LearnedPositions)
    return bert_config(spec) | {"pad_token_id": spec.embed.positions.offset - 1}


def head_spec(config: Config) -> HeadSpec:
    """First token, dropout, dense, tanh, dropout, projection."""
    return HeadSpec(
        width=config.get("hidden_size", 768),
        activation=Activation.TANH,
        pooled_dropout=classifier_dropout(config),
        dropout=classifier_dropout(config),
    )


def masked_spec(config: Config) -> OutputSpec:
    """Dense, gelu, norm, then the table of token vectors and a bias."""
    return replace(bert_masked_spec(config), activation=Activation.GELU)


_HEAD = HeadFormat(
    architecture="RobertaForSequenceClassification",
    to_spec=head_spec,
    rules=Rules(Rename("classifier.dense", "dense"), Rename("classifier.out_proj", "out")),
)

_TOKEN_HEAD = HeadFormat(
    architecture="RobertaForTokenClassification",
    to_spec=token_head_spec,
    rules=TOKEN_HEAD_RULES,
)

_SPAN_HEAD = HeadFormat(
    architecture="RobertaForQuestionAnswering",
    to_spec=span_head_spec,
    rules=SPAN_HEAD_RULES,
)

_MASKED = MaskedFormat(
    architecture="RobertaForMaskedLM",
    to_spec=masked_spec,
    rules=Rules(
        Rename("lm_head.dense", "output.dense"),
        Rename("lm_head.layer_norm", "output.norm"),
        Rename("lm_head", "output"),
        Tied("lm_head.decoder", "embed.tokens"),
        Tied("lm_head.decoder", "output", kind="bias"),
    ),
)

ROBERTA = Family(
    name="roberta",
    architecture="RobertaModel",
    prefix="roberta.",
    to_spec=to_spec,
    to_config=to_config,
    rules=body_rules("roberta."),
    sequence_head=_HEAD,
    token_head=_TOKEN_HEAD,
    span_head=_SPAN_HEAD,
    masked=_MASKED,
)

XLM_ROBERTA = replace(
    ROBERTA,
    name="xlm-roberta",
    architecture="XLMRobertaModel",
    sequence_head=replace(_HEAD, architecture="XLMRobertaForSequenceClassification"),
    token_head=replace(_TOKEN_HEAD, architecture="XLMRobertaForTokenClassification"),
    span_head=replace(_SPAN_HEAD, architecture="XLMRobertaForQuestionAnswering"),
    masked=replace(_MASKED, architecture="XLMRobertaForMaskedLM"),
)
