"""Decoders and encoder-decoders are held to their originals, with and without a cache."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
import transformers
from torch import Tensor

import manyheads as mh
from manyheads.core.cache import Cache
from manyheads.core.layout import Layout
from manyheads.core.transformer import Transformer
from manyheads.errors import ConfigError
from manyheads.families import FAMILIES, Config
from manyheads.hub import Pretrained, load_model
from manyheads.hub.save import save_model

from .batches import FIRST_WORD, VOCABULARY
from .harness import WAYS, Way, force, original, publish

LENGTHS = [5, 1, 9, 9, 14]
SOURCES = [5, 1, 9, 9, 3]


@dataclass(frozen=True)
class Case:
    """A tiny original."""

    model: type[transformers.PreTrainedModel]
    config: type[transformers.PreTrainedConfig]
    settings: Config

    def make(self) -> transformers.PreTrainedModel:
        """A random original; what follows from its configuration is not random."""
        model = original(self.model, self.config(**self.settings, vocab_size=VOCABULARY))
        for module in model.modules():
            if hasattr(module, "create_weight"):  # Marian's sinusoids
                module.weight.data = module.create_weight()
        if hasattr(model, "final_logits_bias"):
            model.final_logits_bias.normal_()
        return model


_LLAMA = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 48,
    "max_position_embeddings": 64,
    "head_dim": 16,
}
_SCALED = {"rope_theta": 500.0, "factor": 4.0}
_LLAMA3 = _SCALED | {
    "rope_type": "llama3",
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}
_GPT2 = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64}
_BART = {
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 3,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 40,
    "decoder_ffn_dim": 48,
    "max_position_embeddings": 40,
    "pad_token_id": 0,
    "bos_token_id": 2,
    "eos_token_id": 3,
    "decoder_start_token_id": 2,
    "forced_eos_token_id": 3,
}
_T5 = {
    "d_model": 32,
    "d_kv": 10,
    "d_ff": 48,
    "num_layers": 2,
    "num_decoder_layers": 3,
    "num_heads": 4,
    "relative_attention_num_buckets": 8,
    "relative_attention_max_distance": 12,
    "pad_token_id": 0,
    "eos_token_id": 3,
    "decoder_start_token_id": 0,
}
_GATED = {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}
T = transformers
DECODERS = {
    "gpt2": Case(T.GPT2LMHeadModel, T.GPT2Config, _GPT2),
    "llama": Case(T.LlamaForCausalLM, T.LlamaConfig, _LLAMA),
    "llama-3": Case(
        T.LlamaForCausalLM,
        T.LlamaConfig,
        _LLAMA
        | {"tie_word_embeddings": True, "attention_bias": True, "mlp_bias": True}
        | {"rope_parameters": _LLAMA3},
    ),
    "llama-linear": Case(
        T.LlamaForCausalLM,
        T.LlamaConfig,
        _LLAMA | {"rope_parameters": _SCALED | {"rope_type": "linear"}},
    ),
    "mistral": Case(T.MistralForCausalLM, T.MistralConfig, _LLAMA | {"sliding_window": 5}),
    "qwen2": Case(T.Qwen2ForCausalLM, T.Qwen2Config, _LLAMA),
    "qwen2-window": Case(
        T.Qwen2ForCausalLM,
        T.Qwen2Config,
        _LLAMA | {"use_sliding_window": True, "sliding_window": 4, "max_window_layers": 1},
    ),
    "qwen3": Case(T.Qwen3ForCausalLM, T.Qwen3Config, _LLAMA),
}
ENCODER_DECODERS = {
    "bart": Case(T.BartForConditionalGeneration, T.BartConfig, _BART),
    "bart-scaled": Case(
        T.BartForConditionalGeneration,
        T.BartConfig,
        _BART | {"scale_embedding": True, "activation_function": "relu"},
    ),
    "mbart": Case(
        T.MBartForConditionalGeneration,
        T.MBartConfig,
        _BART | {"scale_embedding": True},
    ),
    "marian": Case(
        T.MarianMTModel,
        T.MarianConfig,
        _BART | {"scale_embedding": True, "activation_function": "swish"},
    ),
    "marian-two-tables": Case(
        T.MarianMTModel,
        T.MarianConfig,
        _BART | {"share_encoder_decoder_embeddings": False, "decoder_vocab_size": VOCABULARY},
    ),
    "pegasus": Case(
        T.PegasusForConditionalGeneration,
        T.PegasusConfig,
        _BART | {"scale_embedding": True, "activation_function": "relu"},
    ),
    "m2m-100": Case(T.M2M100ForConditionalGeneration, T.M2M100Config, _BART),
    # As NLLB has it: its padding is token 1, and embeddings are not scaled in every one.
    "nllb": Case(
        T.M2M100ForConditionalGeneration,
        T.M2M100Config,
        _BART | {"pad_token_id": 1, "scale_embedding": False, "activation_function": "gelu"},
    ),
    "t5": Case(T.T5ForConditionalGeneration, T.T5Config, _T5),
    "t5-gated": Case(T.T5ForConditionalGeneration, T.T5Config, _T5 | _GATED),
    "mt5": Case(T.MT5ForConditionalGeneration, T.MT5Config, _T5 | _GATED),
}
CASES = DECODERS | ENCODER_DECODERS


@dataclass
class Pair:
    """An original, the same model opened here, and texts for both."""

    theirs: transformers.PreTrainedModel
    ours: Pretrained
    folder: Path
    reads: bool  # whether a source is read first

    def __post_init__(self) -> None:
        torch.manual_seed(7)
        self.sources = torch.randint(FIRST_WORD, VOCABULARY, (sum(SOURCES),))
        self.ids = torch.randint(FIRST_WORD, VOCABULARY, (sum(LENGTHS),))

    @property
    def transformer(self) -> Transformer:
        return self.ours.transformer

    def expected(self, model: transformers.PreTrainedModel) -> Tensor:
        """The original's logits, one text after the other: (T, V)."""
        logits = []
        for source, ids in zip(self.sources.split(SOURCES), self.ids.split(LENGTHS), strict=True):
            if self.reads:
                out = model(input_ids=source[None], decoder_input_ids=ids[None])
            else:
                out = model(input_ids=ids[None])
            logits.append(out.logits[0])
        return torch.cat(logits)

    def found(self) -> Tensor:
        """Our logits of all texts at once: (T, V)."""
        model, memory = self.transformer, None
        if self.reads:
            layout = Layout(SOURCES)
            memory = model.remember(model.encode(self.sources, layout), layout)
        return model.logits(model.decode(self.ids, Layout(LENGTHS), memory))


@pytest.fixture(params=CASES)
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Pair:
    torch.manual_seed(0)
    model = CASES[request.param].make()
    folder = publish(model, tmp_path / "published")
    return Pair(model, load_model(folder), folder, request.param in ENCODER_DECODERS)


def close(found: Tensor, expected: Tensor, tolerance: float = 1e-5) -> None:
    """To a part of the largest value: untied projections of tiny models reach far."""
    scale = float(expected.abs().max().clamp(min=1))
    torch.testing.assert_close(found / scale, expected / scale, atol=tolerance, rtol=0)


@torch.no_grad()
def test_logits_are_equal(pair: Pair) -> None:
    close(pair.found(), pair.expected(pair.theirs))


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@torch.no_grad()
def test_every_way_of_attending_gives_them(pair: Pair, way: Way) -> None:
    force(pair.transformer, way)
    pair.transformer.eval()
    close(pair.found(), pair.expected(pair.theirs))


def test_gradients_are_equal(pair: Pair) -> None:
    upstream = torch.randn(sum(LENGTHS), VOCABULARY)
    (pair.expected(pair.theirs) * upstream).sum().backward()
    (pair.found() * upstream).sum().backward()
    ours = {name: p.grad for name, p in pair.transformer.named_parameters()}
    assert all(gradient is not None for gradient in ours.values())
    spec = pair.transformer.spec
    published = pair.ours.family.rules.to_theirs(ours, spec)
    compared = 0
    for name, parameter in pair.theirs.named_parameters():
        if name in published and parameter.grad is not None:
            close(published[name], parameter.grad, 5e-5)  # sums over all tokens
            compared += 1
    assert compared >= len(ours) / 2


@torch.no_grad()
def test_the_round_trip_changes_nothing(pair: Pair, tmp_path: Path) -> None:
    save_model(tmp_path / "saved", pair.ours)
    again, info = type(pair.theirs).from_pretrained(
        tmp_path / "saved", output_loading_info=True, attn_implementation="eager"
    )
    assert not any(info.values()), info
    assert_same_weights(again, pair.theirs)
    reopened = Pair(pair.theirs, load_model(tmp_path / "saved"), tmp_path, pair.reads)
    assert_same_weights(reopened.transformer, pair.transformer)
    # Not to the last bit: products may depend on where in memory their matrices lie.
    close(pair.expected(again.eval()), pair.expected(pair.theirs))
    close(reopened.found(), pair.found())


def assert_same_weights(found: torch.nn.Module, expected: torch.nn.Module) -> None:
    weights = found.state_dict()
    assert weights.keys() == expected.state_dict().keys()
    for name, weight in expected.state_dict().items():
        assert torch.equal(weights[name], weight), name


@torch.no_grad()
def test_cached_steps_equal_the_whole(pair: Pair) -> None:
    """Ragged beginnings, then one or two tokens at a time; finished sequences leave."""
    if pair.reads:
        pytest.skip("sequences that read a source are tested below")
    model = pair.transformer
    assert model.spec.decoder is not None
    cache = Cache(len(model.spec.decoder.blocks))
    texts = pair.ids.split(LENGTHS)
    done = [max(1, length // 2) for length in LENGTHS]
    first = torch.cat([ids[:n] for ids, n in zip(texts, done, strict=True)])
    hidden = model.decode(first, cache.next(done), cache=cache)
    parts = [[part] for part in hidden.split(done)]
    alive = list(range(len(texts)))
    while any(done[i] < LENGTHS[i] for i in alive):
        stay = [row for row, i in enumerate(alive) if done[i] < LENGTHS[i]]
        cache.select(stay)
        alive = [alive[row] for row in stay]
        steps = [min(1 + i % 2, LENGTHS[i] - done[i]) for i in alive]
        ids = torch.cat(
            [texts[i][done[i] : done[i] + n] for i, n in zip(alive, steps, strict=True)]
        )
        hidden = model.decode(ids, cache.next(steps), cache=cache)
        for i, n, part in zip(alive, steps, hidden.split(steps), strict=True):
            parts[i].append(part)
            done[i] += n
    found = model.logits(torch.cat([torch.cat(part) for part in parts]))
    close(found, pair.found())


@torch.no_grad()
def test_two_readers_of_a_source_share_its_memory(pair: Pair) -> None:
    if not pair.reads:
        pytest.skip("reads no source")
    model, layout = pair.transformer, Layout(SOURCES)
    assert model.spec.decoder is not None
    memory = model.remember(model.encode(pair.sources, layout), layout, lasts=True)
    cache = Cache(len(model.spec.decoder.blocks))
    texts, readers = pair.ids.split(LENGTHS), Layout([2] * len(SOURCES))
    steps = []
    for step in range(max(LENGTHS)):
        last = [int(ids[min(step, len(ids) - 1)]) for ids in texts for _ in range(2)]
        hidden = model.decode(
            torch.tensor(last), cache.next([1] * len(last)), memory, readers, cache
        )
        steps.append(hidden.unflatten(0, (-1, 2)))
    for reader in range(2):
        rows = [
            torch.stack([steps[t][i, reader] for t in range(length)])
            for i, length in enumerate(LENGTHS)
        ]
        close(model.logits(torch.cat(rows)), pair.found())


def test_every_decoder_family_has_a_case() -> None:
    held = {case.config.model_type for case in CASES.values()}
    assert held == {name for name, family in FAMILIES.items() if family.sequence_head is None}


def test_a_decoder_is_no_classifier(tmp_path: Path) -> None:
    folder = publish(CASES["gpt2"].make(), tmp_path / "gpt2")
    data = mh.read({"text": ["a", "b"] * 4, "label": ["x", "y"] * 4}, valid=0)
    with pytest.raises(ConfigError, match="family gpt2 has no head for whole texts"):
        mh.Learner(folder, mh.Classification(), data, quiet=True)


@pytest.mark.parametrize("name", CASES)
def test_a_configuration_is_written_back_and_read_by_the_original(name: str) -> None:
    case = CASES[name]
    config = case.config(**case.settings, vocab_size=VOCABULARY)
    family = FAMILIES[config.model_type]
    spec = family.to_spec(config.to_dict())
    written = json.loads(json.dumps(family.to_config(spec)))
    assert family.to_spec(written | {"model_type": family.name}) == spec
    assert family.to_spec(case.config(**written).to_dict()) == spec


@pytest.mark.parametrize("name", CASES)
def test_what_a_configuration_leaves_out_has_the_default_of_the_original(name: str) -> None:
    theirs = CASES[name].config()
    family = FAMILIES[theirs.model_type]
    said = {"model_type": theirs.model_type, "vocab_size": theirs.vocab_size}
    assert family.to_spec(said) == family.to_spec(theirs.to_dict())


@pytest.mark.parametrize("scaling", ["yarn", "dynamic", "longrope"])
def test_positions_scaled_otherwise_are_refused(scaling: str) -> None:
    config = _LLAMA | {"rope_scaling": {"rope_type": scaling, "factor": 2.0}}
    with pytest.raises(ConfigError, match=f"rope_type='{scaling}'"):
        FAMILIES["llama"].to_spec(config)
