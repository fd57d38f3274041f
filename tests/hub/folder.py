"""A small BERT folder, written without the code under test."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor

CONFIG = {
    "model_type": "bert",
    "architectures": ["BertModel"],
    "vocab_size": 12,
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 10,
    "max_position_embeddings": 16,
    "type_vocab_size": 2,
    "custom_key_of_the_owner": "stays",
}


def tensors(prefix: str = "") -> dict[str, Tensor]:
    """Random weights under their published names, pooler included."""
    shapes = {
        "embeddings.word_embeddings.weight": (12, 8),
        "embeddings.position_embeddings.weight": (16, 8),
        "embeddings.token_type_embeddings.weight": (2, 8),
        "embeddings.LayerNorm.weight": (8,),
        "embeddings.LayerNorm.bias": (8,),
        "pooler.dense.weight": (8, 8),
        "pooler.dense.bias": (8,),
    }
    for i in range(2):
        for module, out, into in (
            ("attention.self.query", 8, 8),
            ("attention.self.key", 8, 8),
            ("attention.self.value", 8, 8),
            ("attention.output.dense", 8, 8),
            ("intermediate.dense", 10, 8),
            ("output.dense", 8, 10),
        ):
            shapes[f"encoder.layer.{i}.{module}.weight"] = (out, into)
            shapes[f"encoder.layer.{i}.{module}.bias"] = (out,)
        for module in ("attention.output.LayerNorm", "output.LayerNorm"):
            shapes[f"encoder.layer.{i}.{module}.weight"] = (8,)
            shapes[f"encoder.layer.{i}.{module}.bias"] = (8,)
    generator = torch.Generator().manual_seed(5)
    return {
        f"{prefix}{name}": torch.randn(shape, generator=generator) for name, shape in shapes.items()
    }


def write_config(folder: Path, **changes: object) -> Path:
    """Write config.json and a tokenizer."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(CONFIG | changes))
    words = {token: i for i, token in enumerate(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"))}
    inner = Tokenizer(models.WordLevel(words | {f"w{i}": i for i in range(5, 12)}, "[UNK]"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    inner.save(str(folder / "tokenizer.json"))
    return folder


def write(folder: Path, weights: dict[str, Tensor] | None = None) -> Path:
    """Write a whole folder with model.safetensors."""
    write_config(folder)
    save_file(tensors() if weights is None else weights, folder / "model.safetensors")
    return folder


def write_shards(folder: Path, shards: int = 3) -> Path:
    """Write the same weights as several safetensors files and their index."""
    write_config(folder)
    weights = tensors()
    names = sorted(weights)
    where = {
        name: f"model-{i % shards + 1:05}-of-{shards:05}.safetensors"
        for i, name in enumerate(names)
    }
    for shard in set(where.values()):
        save_file({n: weights[n] for n in names if where[n] == shard}, folder / shard)
    index = {"metadata": {"total_size": 0}, "weight_map": where}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return folder
