"""M2M-100 (Fan et al. 2020): mBART with sinusoids; NLLB (Costa-jussà et al. 2022) is the same."""

from __future__ import annotations

from dataclasses import replace

from manyheads.core.spec import OutputSpec, SinusoidalPositions, Spec
from manyheads.families.bart import (
    FINAL_NORMS,
    ONE_TABLE,
    pre_normed,
    shared_rules,
    spec_of,
    to_config,
)
from manyheads.families.family import Config, Family

# What M2M-100's configuration leaves out otherwise than BART's.
_DEFAULTS: Config = {
    "activation_function": "relu",
    "attention_dropout": 0.1,
    "scale_embedding": True,
}


def m2m_to_spec(config: Config) -> Spec:
    """Read a configuration of M2M-100 or NLLB."""
    config = _DEFAULTS | config
    # fairseq numbered positions from the padding id on; row `pad_token_id` itself stays unused.
    offset = config.get("pad_token_id", 1) + 1
    count = config.get("max_position_embeddings", 1024) + offset
    positions = SinusoidalPositions(count, halves=True, offset=offset, closed=True)
    spec = spec_of(config, positions, None, vocabulary=128112)
    return replace(pre_normed(spec), output=OutputSpec())


def m2m_to_config(spec: Spec) -> Config:
    """Write the configuration that is read back to the same spec."""
    assert isinstance(spec.embed.positions, SinusoidalPositions)
    return to_config(spec) | {"pad_token_id": spec.embed.positions.offset - 1}


M2M_100 = Family(
    name="m2m_100",
    architecture="M2M100ForConditionalGeneration",
    prefix="model.",
    to_spec=m2m_to_spec,
    to_config=m2m_to_config,
    rules=shared_rules("before") + ONE_TABLE + FINAL_NORMS,
)
