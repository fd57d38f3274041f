"""Published architectures as data: one file each, no modelling code.

To add a family, write `to_spec`, its inverse `to_config`, its weight names as `Rules`, and list it
here; the parity harness in `tests/families` then holds it to the original.
"""

from __future__ import annotations

from manyheads.errors import ConfigError, did_you_mean
from manyheads.families.bart import BART, MBART
from manyheads.families.bert import BERT
from manyheads.families.bigbird import BIG_BIRD
from manyheads.families.distilbert import DISTILBERT
from manyheads.families.electra import ELECTRA
from manyheads.families.family import Config, Family, HeadFormat
from manyheads.families.gpt2 import GPT2
from manyheads.families.llama import LLAMA, MISTRAL, QWEN2, QWEN3
from manyheads.families.longformer import LONGFORMER
from manyheads.families.m2m_100 import M2M_100
from manyheads.families.marian import MARIAN, PEGASUS
from manyheads.families.modernbert import MODERNBERT
from manyheads.families.roberta import ROBERTA, XLM_ROBERTA
from manyheads.families.t5 import MT5, T5
from manyheads.families.vit import VIT

__all__ = ["FAMILIES", "Config", "Family", "HeadFormat", "family_of"]

FAMILIES = {
    family.name: family
    for family in (
        BERT,
        ROBERTA,
        XLM_ROBERTA,
        DISTILBERT,
        ELECTRA,
        MODERNBERT,
        LONGFORMER,
        BIG_BIRD,
        VIT,
        GPT2,
        LLAMA,
        MISTRAL,
        QWEN2,
        QWEN3,
        BART,
        MBART,
        MARIAN,
        PEGASUS,
        M2M_100,
        T5,
        MT5,
    )
}


# What is published under a name of its own and is no family here, with what to choose instead.
_REFUSED = {
    "nllb-moe": "a mixture of experts; choose a dense NLLB, such as nllb-200-distilled-600M",
}


def family_of(config: Config) -> Family:
    """Return the family of a published configuration; raises `ConfigError` for an unknown one."""
    name = config.get("model_type")
    if name is None:
        raise ConfigError("config.json has no model_type; it is not a Transformer's configuration")
    if name in _REFUSED:
        raise ConfigError(f"model_type {name!r} is not supported: it is {_REFUSED[name]}")
    if name not in FAMILIES:
        raise ConfigError(
            f"model_type {name!r} is not supported.{did_you_mean(str(name), FAMILIES)} "
            f"Supported: {', '.join(FAMILIES)}"
        )
    return FAMILIES[name]
