"""Read a GGUF file: weights, configuration and tokenizer of a Llama-type model in one file.

The file comes from llama.cpp. Its weights are quantized; here they become float32 again. What it
says is translated into a published `config.json`, weight names and a tokenizer, so that nothing
beyond this file knows of the format.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from manyheads.errors import CheckpointError, ConfigError, MissingExtra
from manyheads.families import Config
from manyheads.text import Tokenizer
from manyheads.text.byte_pairs import FRAMED, SPLITTINGS, byte_pair_core

_ARCHITECTURES = {"llama": "llama", "qwen2": "qwen2", "qwen3": "qwen3"}
_NAMES = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "output": "lm_head",
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_CONTROL = 3  # the type of a token that is never written in a text
_TOKEN = "tokenizer.ggml"
_ENDS = ("eos", "eot", "eom")  # of a text, of a turn, of a message
_ROLES = {"bos": "bos", "eos": "eos", "unknown": "unk", "padding": "pad"}


@dataclass(frozen=True)
class GGUF:
    """What a GGUF file holds, in the terms of a Hugging Face folder."""

    config: Config
    tensors: dict[str, Tensor]
    tokenizer: Tokenizer


def read_gguf(path: Path) -> GGUF:
    """Read a GGUF file of a Llama-type model.

    Raises `CheckpointError` for a damaged file, `ConfigError` for a model of another kind,
    `MissingExtra` without the package gguf.
    """
    try:
        import gguf
    except ImportError as error:
        raise MissingExtra("gguf", "gguf", "reading GGUF files") from error
    try:
        reader = gguf.GGUFReader(path)
        fields = {name: field.contents for name, field in reader.fields.items()}
        config = _config(path, fields)
        tokenizer = _tokenizer(path, fields, config)
        tensors = {}
        for entry in reader.tensors:
            weight = gguf.dequantize(entry.data, entry.tensor_type)
            tensors |= _named(entry.name, torch.tensor(weight, dtype=torch.float32), config)
    except (ValueError, KeyError, IndexError, OSError, OverflowError) as error:
        if isinstance(error, ConfigError):
            raise
        raise CheckpointError(
            f"{path} ({path.stat().st_size:,} bytes) is damaged or cut short "
            f"({type(error).__name__}: {error}); copy or download it again"
        ) from error
    return GGUF(config, tensors, tokenizer)


def _config(path: Path, fields: dict[str, Callable[[], Any]]) -> Config:
    """Translate the file's settings into those of a published configuration."""
    name = str(fields["general.architecture"]())
    if name not in _ARCHITECTURES:
        raise ConfigError(
            f"{path} holds a model of the architecture {name!r}; readable are "
            f"{', '.join(_ARCHITECTURES)}"
        )

    def of(key: str, default: Any = None) -> Any:
        field = fields.get(f"{name}.{key}")
        return default if field is None else field()

    kind = of("rope.scaling.type", "none")
    rope: Config = {"rope_type": "default", "rope_theta": of("rope.freq_base", 10_000.0)}
    if kind == "linear":
        rope |= {"rope_type": "linear", "factor": of("rope.scaling.factor")}
    elif kind != "none":
        raise ConfigError(f"{path} scales its positions by {kind!r}, which is not supported")
    heads = of("attention.head_count")
    config = {
        "model_type": _ARCHITECTURES[name],
        "architectures": [
            {"llama": "Llama", "qwen2": "Qwen2", "qwen3": "Qwen3"}[name] + "ForCausalLM"
        ],
        "vocab_size": len(fields["tokenizer.ggml.tokens"]()),
        "hidden_size": of("embedding_length"),
        "intermediate_size": of("feed_forward_length"),
        "num_hidden_layers": of("block_count"),
        "num_attention_heads": heads,
        "num_key_value_heads": of("attention.head_count_kv", heads),
        "head_dim": of("attention.key_length") or of("embedding_length") // heads,
        "max_position_embeddings": of("context_length"),
        "rms_norm_eps": of("attention.layer_norm_rms_epsilon"),
        "rope_parameters": rope,
        "hidden_act": "silu",
        "tie_word_embeddings": True,
    }
    for theirs, role in _ROLES.items():
        if (number := fields.get(f"{_TOKEN}.{theirs}_token_id")) is not None:
            config[f"{role}_token_id"] = number()
    ends = [fields[name]() for end in _ENDS if (name := f"{_TOKEN}.{end}_token_id") in fields]
    if len(set(ends)) > 1:
        config["eos_token_id"] = list(dict.fromkeys(ends))
    return config


def _tokenizer(path: Path, fields: dict[str, Callable[[], Any]], config: Config) -> Tokenizer:
    model, splitting = fields["tokenizer.ggml.model"](), fields.get("tokenizer.ggml.pre")
    kind = "default" if splitting is None else splitting()
    if model != "gpt2" or kind not in SPLITTINGS:
        raise ConfigError(
            f"{path} splits text as {model!r} with {kind!r}; readable is 'gpt2' with "
            f"{', '.join(SPLITTINGS)}"
        )
    tokens = fields["tokenizer.ggml.tokens"]()
    special = [
        token
        for token, kind in zip(tokens, fields["tokenizer.ggml.token_type"](), strict=True)
        if kind == _CONTROL
    ]
    roles = {
        role: tokens[fields[name]()]
        for theirs, role in _ROLES.items()
        if (name := f"{_TOKEN}.{theirs}_token_id") in fields
    }
    framed = fields.get(f"{_TOKEN}.add_bos_token")
    begins = kind in FRAMED if framed is None else bool(framed())
    first = roles.get("bos") if begins else None
    core = byte_pair_core(tokens, fields["tokenizer.ggml.merges"](), special, kind, first)
    settings = {}
    if (template := fields.get("tokenizer.chat_template")) is not None:
        settings["chat_template"] = template()
    return Tokenizer(
        core, special=roles, max_tokens=config["max_position_embeddings"], settings=settings
    )


def _named(name: str, weight: Tensor, config: Config) -> dict[str, Tensor]:
    """Return a tensor by its published name; none for what follows from the configuration."""
    *place, module, kind = name.split(".")
    if module not in _NAMES:
        return {}
    if module == "output":
        config["tie_word_embeddings"] = False
    if config["model_type"] == "llama" and module in ("attn_q", "attn_k"):
        key = "num_attention_heads" if module == "attn_q" else "num_key_value_heads"
        weight = _halves(weight, config[key])
    prefix = f"model.layers.{place[1]}." if place else ""
    return {f"{prefix}{_NAMES[module]}.{kind}": weight}


def _halves(weight: Tensor, heads: int) -> Tensor:
    """Order each head's rows as published: what turns together is half a head apart, not next."""
    pairs = weight.unflatten(0, (heads, -1, 2))
    return pairs.transpose(1, 2).reshape(weight.shape).contiguous()
