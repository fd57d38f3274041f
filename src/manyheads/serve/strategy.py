"""How bert-as-service pooled; the names are those of bert-serving-server 1.10.0."""

from __future__ import annotations

from enum import StrEnum


class Strategy(StrEnum):
    """How the tokens of a text become its vector."""

    NONE = "NONE"  # they do not: a matrix for each text
    REDUCE_MEAN = "REDUCE_MEAN"
    REDUCE_MAX = "REDUCE_MAX"
    REDUCE_MEAN_MAX = "REDUCE_MEAN_MAX"  # both, side by side
    CLS_TOKEN = "CLS_TOKEN"
    FIRST_TOKEN = "FIRST_TOKEN"
    SEP_TOKEN = "SEP_TOKEN"
    LAST_TOKEN = "LAST_TOKEN"
    CLS_POOLED = "CLS_POOLED"  # the pooler that BERT was pretrained with
