"""Configurations: read to a spec, written back, and read equally by the original."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyheads.core.mask import Full, Window
from manyheads.core.spec import Pooling, Rotary
from manyheads.errors import ConfigError
from manyheads.families import (
    BERT,
    BIG_BIRD,
    DISTILBERT,
    ELECTRA,
    FAMILIES,
    LONGFORMER,
    MARIAN,
    MODERNBERT,
    ROBERTA,
    VIT,
    Config,
    Family,
    family_of,
)

from .harness import CASES

# Decoders are held to their originals in test_decoders.
ENCODERS = {name: family for name, family in FAMILIES.items() if family.sequence_head is not None}
every_family = pytest.mark.parametrize("family", ENCODERS.values(), ids=ENCODERS)
ORIGINALS = {case.family.name: case.config for case in CASES.values()}

rates = st.sampled_from([0.0, 0.1, 0.25])
activations = st.sampled_from(["gelu", "gelu_new", "relu", "silu"])
small = st.integers(1, 4)


def _bert_like(**more: st.SearchStrategy[Any]) -> st.SearchStrategy[Config]:
    return st.builds(
        lambda heads, size, rest: {
            "num_attention_heads": heads,
            "hidden_size": heads * size,
            **rest,
        },
        small,
        small,
        st.fixed_dictionaries(
            {
                "vocab_size": st.integers(1, 99),
                "num_hidden_layers": small,
                "intermediate_size": st.integers(1, 50),
                "hidden_act": activations,
                "hidden_dropout_prob": rates,
                "attention_probs_dropout_prob": rates,
                "max_position_embeddings": st.integers(5, 99),
                "type_vocab_size": st.integers(1, 3),
                "layer_norm_eps": st.sampled_from([1e-12, 1e-5]),
                **more,
            }
        ),
    )


_distilbert = st.builds(
    lambda heads, size, rest: {"n_heads": heads, "dim": heads * size, **rest},
    small,
    small,
    st.fixed_dictionaries(
        {
            "vocab_size": st.integers(1, 99),
            "n_layers": small,
            "hidden_dim": st.integers(1, 50),
            "activation": activations,
            "dropout": rates,
            "attention_dropout": rates,
            "max_position_embeddings": st.integers(5, 99),
        }
    ),
)
_modernbert = st.builds(
    lambda heads, size, kinds, rest: {
        "num_attention_heads": heads,
        "hidden_size": 2 * heads * size,
        "layer_types": kinds,
        "num_hidden_layers": len(kinds),
        **rest,
    },
    small,
    small,
    st.lists(st.sampled_from(["full_attention", "sliding_attention"]), min_size=1, max_size=6),
    st.fixed_dictionaries(
        {
            "vocab_size": st.integers(1, 99),
            "intermediate_size": st.integers(1, 50),
            "hidden_activation": activations,
            "max_position_embeddings": st.integers(5, 99),
            "norm_eps": st.sampled_from([1e-5, 1e-6]),
            "norm_bias": st.booleans(),
            "attention_bias": st.booleans(),
            "mlp_bias": st.booleans(),
            "attention_dropout": rates,
            "embedding_dropout": rates,
            "mlp_dropout": rates,
            "local_attention": st.integers(2, 64),
            "rope_parameters": st.fixed_dictionaries(
                {
                    kind: st.builds(
                        lambda theta: {"rope_type": "default", "rope_theta": theta},
                        st.sampled_from([500.0, 10_000.0, 160_000.0]),
                    )
                    for kind in ("full_attention", "sliding_attention")
                }
            ),
        }
    ),
)
_vit = st.builds(
    lambda heads, size, rest: {"num_attention_heads": heads, "hidden_size": heads * size, **rest},
    small,
    small,
    st.fixed_dictionaries(
        {
            "num_hidden_layers": small,
            "intermediate_size": st.integers(1, 50),
            "hidden_act": activations,
            "hidden_dropout_prob": rates,
            "attention_probs_dropout_prob": rates,
            "layer_norm_eps": st.sampled_from([1e-12, 1e-5]),
            "image_size": st.sampled_from([8, 9, [9, 12]]),
            "patch_size": st.sampled_from([2, 8, [3, 2]]),
            "num_channels": st.integers(1, 4),
            "qkv_bias": st.booleans(),
        }
    ),
)
CONFIGS = {
    "bert": _bert_like(),
    "roberta": _bert_like(pad_token_id=st.integers(0, 1)),
    "xlm-roberta": _bert_like(pad_token_id=st.integers(0, 1)),
    "distilbert": _distilbert,
    "electra": _bert_like(embedding_size=st.integers(1, 20)),
    "modernbert": _modernbert,
    "big_bird": st.one_of(
        _bert_like(
            attention_type=st.just("block_sparse"),
            block_size=st.integers(1, 9),
            num_random_blocks=st.integers(0, 3),
            use_bias=st.booleans(),
            rescale_embeddings=st.booleans(),
        ),
        _bert_like(attention_type=st.just("original_full")),
    ),
    "vit": _vit,
    "longformer": st.integers(1, 4).flatmap(
        lambda layers: _bert_like(
            pad_token_id=st.integers(0, 1),
            num_hidden_layers=st.just(layers),
            attention_window=st.lists(
                st.integers(1, 9).map(lambda half: 2 * half), min_size=layers, max_size=layers
            ),
        )
    ),
}


@every_family
@given(data=st.data())
def test_what_is_written_reads_back_to_the_same_spec(family: Family, data: st.DataObject) -> None:
    spec = family.to_spec(data.draw(CONFIGS[family.name]))
    written = json.loads(json.dumps(family.to_config(spec)))
    assert family.to_spec(written) == spec


@every_family
@given(data=st.data())
def test_nothing_that_was_read_is_written_differently(family: Family, data: st.DataObject) -> None:
    config = data.draw(CONFIGS[family.name])
    written = family.to_config(family.to_spec(config))
    if config.get("local_attention", 0) % 2:
        config["local_attention"] -= 1  # the window is half of it on each side
    for kind in {"full_attention", "sliding_attention"} - set(config.get("layer_types", ())):
        config.get("rope_parameters", {}).pop(kind, None)  # nothing uses it
        written.get("rope_parameters", {}).pop(kind, None)
    if "sliding_attention" not in config.get("layer_types", ("sliding_attention",)):
        config.pop("local_attention")
    assert {key: written[key] for key in config} == config


@every_family
@given(data=st.data())
def test_the_original_reads_what_is_written_with_equal_values(
    family: Family, data: st.DataObject
) -> None:
    spec = family.to_spec(data.draw(CONFIGS[family.name]))
    written = family.to_config(spec)
    opened = ORIGINALS[family.name](**written)
    for key, value in written.items():
        if hasattr(opened, key):  # the others are keys of older releases
            assert getattr(opened, key) == value, key
    assert family.to_spec(opened.to_dict()) == spec


@every_family
def test_what_a_configuration_leaves_out_has_the_default_of_the_original(family: Family) -> None:
    theirs = ORIGINALS[family.name]().to_dict()
    given = {key: theirs[key] for key in ("vocab_size",) if key in theirs}
    assert family.to_spec(given) == family.to_spec(theirs)
    assert family.sequence_head.to_spec({}) == family.sequence_head.to_spec(theirs)


@every_family
def test_a_family_is_found_by_its_name(family: Family) -> None:
    assert family_of({"model_type": family.name}) is family
    original = next(case for case in CASES.values() if case.family is family)
    assert family.architecture == original.base.__name__
    assert family.sequence_head.architecture == original.classifier.__name__
    assert family.prefix == f"{original.base.base_model_prefix}."


def test_an_unknown_family_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match=r"'robarta' is not supported. Did you mean 'roberta'\?"):
        family_of({"model_type": "robarta"})
    with pytest.raises(ConfigError, match=r"'nllb-moe' .* mixture of experts; choose a dense NLLB"):
        family_of({"model_type": "nllb-moe"})
    with pytest.raises(ConfigError, match="has no model_type"):
        family_of({"hidden_size": 8})


@pytest.mark.parametrize(
    ("family", "config", "message"),
    [
        (BERT, {"hidden_size": 10, "num_attention_heads": 4}, "10 is not a multiple of 4"),
        (BERT, {"num_hidden_layers": 0}, "num_hidden_layers=0"),
        (DISTILBERT, {"n_layers": 1.5}, "n_layers=1.5"),
        (MODERNBERT, {"num_hidden_layers": -1}, "num_hidden_layers=-1"),
        (DISTILBERT, {"dim": 10, "n_heads": 4}, "10 is not a multiple of 4"),
        (MODERNBERT, {"hidden_size": 10, "num_attention_heads": 4}, "10 is not a multiple of 4"),
        (BERT, {"hidden_act": "gelo"}, "Did you mean 'gelu'"),
        (DISTILBERT, {"activation": "swush"}, "Did you mean 'swish'"),
        (MODERNBERT, {"hidden_activation": "mish"}, "'mish' of the configuration is not known"),
        (BERT, {"position_embedding_type": "relative_key"}, "only 'absolute'"),
        (ROBERTA, {"is_decoder": True}, "only False"),
        (ELECTRA, {"position_embedding_type": "relative_key_query"}, "only 'absolute'"),
        (BIG_BIRD, {"attention_type": "sparse"}, "attention_type='sparse' is not known"),
        (BIG_BIRD, {"is_decoder": True}, "only False"),
        (VIT, {"patch_size": 300}, "patch_size=300 does not fit into image_size=224"),
        (LONGFORMER, {"attention_window": 7}, "attention_window=7 cannot be halved"),
        (LONGFORMER, {"attention_window": [8, 8]}, "has 2 numbers for 12 layers"),
        (
            MARIAN,
            {"share_encoder_decoder_embeddings": False, "tie_word_embeddings": False},
            "tie_word_embeddings=False .* only True",
        ),
        (
            MODERNBERT,
            {"rope_parameters": {"full_attention": {"rope_type": "yarn"}}},
            "rope_type='yarn' of full_attention",
        ),
    ],
)
def test_what_is_not_computed_is_refused(family: Family, config: Config, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        family.to_spec(config)


def test_an_unknown_pooling_is_refused() -> None:
    with pytest.raises(ConfigError, match="classifier_pooling='max' is not known"):
        MODERNBERT.sequence_head.to_spec({"classifier_pooling": "max"})
    assert MODERNBERT.sequence_head.to_spec({"classifier_pooling": "mean"}).pooling is Pooling.MEAN


@pytest.mark.parametrize("every", [1, 2, 3, 5])
def test_older_modernbert_configurations_mean_the_same(every: int) -> None:
    older = {
        "num_hidden_layers": 7,
        "global_attn_every_n_layers": every,
        "global_rope_theta": 80_000.0,
        "local_rope_theta": 5_000.0,
        "local_attention": 20,
    }
    spec = MODERNBERT.to_spec(older)
    assert spec == MODERNBERT.to_spec(ORIGINALS["modernbert"](**older).to_dict())
    for layer, block in enumerate(spec.encoder.blocks):
        is_global = layer % every == 0
        assert block.attention.reach == (Full() if is_global else Window(10, 10))
        assert block.attention.rotary == Rotary(80_000.0 if is_global else 5_000.0)
    written = MODERNBERT.to_config(spec)
    unused = {"local_rope_theta", "local_attention"} if every == 1 else set()
    assert {key: written[key] for key in older if key not in unused} == {
        key: value for key, value in older.items() if key not in unused
    }


def test_roberta_positions_start_behind_the_padding_id() -> None:
    spec = ROBERTA.to_spec({"max_position_embeddings": 514, "pad_token_id": 1})
    assert spec.embed.positions.offset == 2
    assert spec.max_tokens == 512
