"""Encoder-decoders like BART's with sinusoids, the sines before the cosines, as positions.

Marian        norms after the residuals, like BART (Junczys-Dowmunt et al. 2018)
PEGASUS       norms before the sub-layers, like mBART (Zhang et al. 2020)
"""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from manyheads.core.position import sinusoidal_table
from manyheads.core.spec import SinusoidalPositions, Spec
from manyheads.families.bart import (
    FINAL_NORMS,
    ONE_TABLE,
    pre_normed,
    shared_rules,
    spec_of,
    to_config,
)
from manyheads.families.family import Config, Family, refuse
from manyheads.families.rules import Derived, Rename, Rules, Tied


def marian_to_spec(config: Config) -> Spec:
    """Read a Marian configuration."""
    refuse(config, "normalize_before", False)
    refuse(config, "normalize_embedding", False)
    count = config.get("max_position_embeddings", 1024)
    spec = spec_of(config, SinusoidalPositions(count, halves=True), None, vocabulary=58101)
    if config.get("share_encoder_decoder_embeddings", True):
        return spec
    refuse(config, "tie_word_embeddings", True)
    # Each language has a vocabulary and a table; the output shares the decoder's.
    own = config.get("decoder_vocab_size", spec.embed.vocabulary)
    return replace(spec, target=replace(spec.embed, vocabulary=own), two_tables=True)


def pegasus_to_spec(config: Config) -> Spec:
    """Read a PEGASUS configuration."""
    count = config.get("max_position_embeddings", 1024)
    return pre_normed(
        spec_of(config, SinusoidalPositions(count, halves=True), None, vocabulary=50265)
    )


def marian_to_config(spec: Spec) -> Config:
    """Write the configuration that is read back to the same spec."""
    assert spec.target is not None
    return to_config(spec) | {
        "share_encoder_decoder_embeddings": not spec.two_tables,
        "decoder_vocab_size": spec.target.vocabulary,
    }


_TWO_TABLES = Rules(
    Rename("model.encoder.embed_tokens", "embed.tokens", when=lambda spec: spec.two_tables),
    Rename("model.decoder.embed_tokens", "target.tokens", when=lambda spec: spec.two_tables),
    Tied("lm_head", "target.tokens"),
)


def _sinusoids(spec: Spec) -> Tensor:
    positions = spec.embed.positions
    assert isinstance(positions, SinusoidalPositions)
    return sinusoidal_table(positions.count, spec.embed.width, positions.halves, positions.closed)


_SINUSOIDS = Rules(
    Derived("model.encoder.embed_positions.weight", _sinusoids),
    Derived("model.decoder.embed_positions.weight", _sinusoids),
)

MARIAN = Family(
    name="marian",
    architecture="MarianMTModel",
    prefix="model.",
    to_spec=marian_to_spec,
    to_config=marian_to_config,
    rules=shared_rules("residual") + _TWO_TABLES + _SINUSOIDS,
)

PEGASUS = Family(
    name="pegasus",
    architecture="PegasusForConditionalGeneration",
    prefix="model.",
    to_spec=pegasus_to_spec,
    to_config=to_config,
    rules=shared_rules("before") + ONE_TABLE + FINAL_NORMS + _SINUSOIDS,
)
