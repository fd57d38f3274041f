"""Reading and writing the weights of a model folder; never by pickle."""

from __future__ import annotations

import json
import struct
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from manyheads.errors import CheckpointError, ConfigError

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
PREPROCESSOR = "preprocessor_config.json"
_INDEX = "model.safetensors.index.json"
_TORCH = "pytorch_model.bin"
_TORCH_INDEX = "pytorch_model.bin.index.json"
_MAPPED_TOGETHER = 8  # tensors of a file: to open it for each would take longer


def read_config(folder: Path) -> dict[str, Any]:
    """Return the folder's config.json; raises `ConfigError` where it is missing or no JSON."""
    path = folder / CONFIG
    if not path.is_file():
        raise ConfigError(f"{folder} has no {CONFIG}; a model folder holds {CONFIG} and {WEIGHTS}")
    return read_object(path)


def read_preprocessor(folder: Path) -> dict[str, Any] | None:
    """Return how images are made ready for the folder's model, where it says so.

    Raises `ConfigError` where that is no JSON.
    """
    path = folder / PREPROCESSOR
    return read_object(path) if path.is_file() else None


def read_object(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file; raises `ConfigError` where there is none."""
    found = _read_json(path)
    if not isinstance(found, dict):
        raise ConfigError(f"{path} holds no JSON object; restore it")
    return found


def read_objects(path: Path) -> list[dict[str, Any]]:
    """Return the list of JSON objects in a file; raises `ConfigError` where there is none."""
    found = _read_json(path)
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise ConfigError(f"{path} holds no list of JSON objects; restore it")
    return found


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigError(f"{path} is not valid JSON ({error}); restore it") from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror}); restore it") from error


def write_json(path: Path, value: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> None:
    """Write a file of JSON that people can read."""
    text = json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True)
    path.write_text(text + "\n", encoding="utf-8")


def read_weights(folder: Path) -> dict[str, Tensor]:
    """Return all tensors of a model folder by their published names.

    Reads safetensors, single or sharded, else an old `pytorch_model.bin` through torch's
    weights-only loading, which runs no code of the file.
    Raises `CheckpointError` naming a file that is missing or damaged.
    """
    for index in (_INDEX, _TORCH_INDEX):
        if (folder / index).is_file() and not (folder / WEIGHTS).is_file():
            return _read_shards(folder, index)
    for name in (WEIGHTS, _TORCH):
        if (folder / name).is_file():
            return _read_file(folder / name)
    raise CheckpointError(
        f"{folder} holds no weights; expected {WEIGHTS}, {_INDEX} with its shards, or {_TORCH}"
    )


def _read_shards(folder: Path, index: str) -> dict[str, Tensor]:
    shards = _shards_of(folder / index)
    missing = [shard for shard in shards if not (folder / shard).is_file()]
    if missing:
        raise CheckpointError(
            f"{folder} lacks {len(missing)} of the {len(shards)} shards that {index} lists: "
            f"{', '.join(missing)}; copy them there"
        )
    tensors: dict[str, Tensor] = {}
    for shard in shards:
        tensors |= _read_file(folder / shard)
    return tensors


def _shards_of(index: Path) -> list[str]:
    try:
        shards = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise CheckpointError(
            f"{index} is not the list of shards that it should be ({error}); copy it again"
        ) from error
    if not shards:
        raise CheckpointError(f"{index} lists no shards; copy it again")
    return shards


def _read_file(path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            return _read_safetensors(path)
        # Only the format since 2020, a zip file, can be mapped into memory.
        mapped = zipfile.is_zipfile(path)
        tensors = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except (SafetensorError, RuntimeError, EOFError, OSError, struct.error) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise CheckpointError(
            f"{path} ({path.stat().st_size:,} bytes) is damaged or cut short ({reason}); "
            "copy or download it again"
        ) from error
    except Exception as error:
        raise CheckpointError(
            f"{path} holds more than weights and is not loaded, because that could run code of "
            "the file; convert it to safetensors where you trust it"
        ) from error
    if not isinstance(tensors, dict):
        raise CheckpointError(
            f"{path} holds a {type(tensors).__name__} instead of tensors by name; "
            "it is not the weights of a model"
        )
    return {name: value for name, value in tensors.items() if isinstance(value, Tensor)}


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    """Return all tensors, mapped a few at a time.

    What was read of a mapping stays in memory as long as any tensor of it is there: with a single
    one, all of the file would stay beside what a model makes of its weights.
    """
    with safe_open(path, framework="pt") as file:
        names = file.offset_keys()
    tensors: dict[str, Tensor] = {}
    for start in range(0, len(names), _MAPPED_TOGETHER):
        with safe_open(path, framework="pt") as file:
            for name in names[start : start + _MAPPED_TOGETHER]:
                tensors[name] = file.get_tensor(name)
    return tensors


def write_weights(folder: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write model.safetensors, with the metadata that readers of Hugging Face folders expect."""
    written: dict[str, Tensor] = {}
    seen: set[int] = set()
    for name, tensor in tensors.items():
        tensor = tensor.detach().cpu().contiguous()
        # Tied weights are one memory under two names, which safetensors refuses to write.
        written[name] = tensor.clone() if tensor.data_ptr() in seen else tensor
        seen.add(tensor.data_ptr())
    save_file(written, folder / WEIGHTS, metadata={"format": "pt"})
