"""Tensors of the open inference protocol: as JSON, or as bytes behind it.

    Inference-Header-Content-Length: N      N bytes of JSON │ the bytes of each tensor, end to end

Texts are of the type BYTES: in binary each stands behind its length, four bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from manyheads.errors import TextError

HEADER = "Inference-Header-Content-Length"
_BINARY = "binary_data_output"
_LENGTH = struct.Struct("<I")


@dataclass(frozen=True)
class Asked:
    """A request: what it says, and its texts by the names of their tensors."""

    said: Mapping[str, Any]
    texts: Mapping[str, list[str]]

    @property
    def parameters(self) -> dict[str, Any]:
        """What is said of the whole request, besides how it is to be answered."""
        said = self.said.get("parameters") or {}
        return {name: one for name, one in said.items() if name != _BINARY}

    def wants_bytes(self, output: str) -> bool:
        """Whether an output shall stand behind the JSON."""
        own = next((one for one in self.said.get("outputs") or () if one["name"] == output), {})
        everywhere = (self.said.get("parameters") or {}).get(_BINARY, False)
        return bool((own.get("parameters") or {}).get("binary_data", everywhere))

    def wants(self, output: str) -> bool:
        """Whether an output is asked for: all are where none is named."""
        named = [one["name"] for one in self.said.get("outputs") or ()]
        return not named or output in named


def read_request(body: bytes, length: str | None) -> Asked:
    """Return what a request asks; raises `TextError` for one that breaks the protocol."""
    try:
        size = len(body) if length is None else int(length)
        said = orjson.loads(body[:size])
        return Asked(said, _texts(said["inputs"], memoryview(body)[size:]))
    except (ValueError, KeyError, TypeError, AttributeError, struct.error) as error:
        raise TextError(
            f"the request is none of the open inference protocol ({type(error).__name__}: {error})"
        ) from error


def written(outputs: Mapping[str, np.ndarray | list[str]], asked: Asked) -> tuple[list[Any], bytes]:
    """Return outputs as the protocol writes them, and the bytes of those that are wanted so."""
    tensors, blobs = [], []
    for name, values in outputs.items():
        if not asked.wants(name):
            continue
        is_text = isinstance(values, list)
        shape = [len(values)] if is_text else list(np.shape(values))
        tensor = {"name": name, "datatype": "BYTES" if is_text else "FP32", "shape": shape}
        if asked.wants_bytes(name):
            blob = _bytes_of(values) if isinstance(values, list) else values.astype("<f4").tobytes()
            tensor["parameters"] = {"binary_data_size": len(blob)}
            blobs.append(blob)
        else:
            tensor["data"] = values if isinstance(values, list) else values.ravel()
        tensors.append(tensor)
    return tensors, b"".join(blobs)


def _texts(inputs: Sequence[Mapping[str, Any]], rest: memoryview) -> dict[str, list[str]]:
    found, at = {}, 0
    for tensor in inputs:
        if tensor["datatype"] != "BYTES":
            raise ValueError(f"{tensor['name']} is of the type {tensor['datatype']}, not BYTES")
        size = (tensor.get("parameters") or {}).get("binary_data_size")
        if size is None:
            texts = [str(one) for one in _flat(tensor["data"])]
        else:
            texts = _texts_of(rest[at : at + size])
            at += size
        if len(texts) != int(np.prod(tensor["shape"])):
            raise ValueError(f"{tensor['name']} has {len(texts)} texts, its shape says others")
        found[tensor["name"]] = texts
    return found


def _flat(data: Any) -> list[Any]:
    return [one for some in data for one in _flat(some)] if isinstance(data, list) else [data]


def _texts_of(data: memoryview) -> list[str]:
    texts, at = [], 0
    while at < len(data):
        (size,) = _LENGTH.unpack_from(data, at)
        at += _LENGTH.size
        if at + size > len(data):
            raise ValueError("a text ends before its length says")
        texts.append(bytes(data[at : at + size]).decode())
        at += size
    return texts


def _bytes_of(texts: Sequence[str]) -> bytes:
    encoded = [text.encode() for text in texts]
    return b"".join(part for one in encoded for part in (_LENGTH.pack(len(one)), one))
