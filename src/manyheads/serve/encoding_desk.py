"""The desk of an encoder whose layers are served, as bert-as-service did."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from manyheads.core.layers import layer_outputs
from manyheads.core.layout import Layout
from manyheads.core.packed import pack
from manyheads.errors import ConfigError
from manyheads.hub import Pretrained, load_model
from manyheads.serve.desk import Desk, reading_card
from manyheads.serve.encoding import Encoding
from manyheads.serve.items import Answer, Question
from manyheads.serve.strategy import Strategy
from manyheads.text import Cleaning, Head


def encoding_desk(reference: str, encoding: Encoding, device: str = "cpu") -> Desk:
    """Open an encoder; raises `ConfigError` for a layer or a pooler that it has not."""
    pretrained = load_model(reference, device=device)
    transformer = pretrained.transformer.eval()
    if transformer.encoder is None:
        raise ConfigError(f"{reference} has no encoder, whose layers could be served")
    count = len(transformer.encoder.blocks)
    wrong = next((one for one in encoding.layers if not -count <= one < count), None)
    if wrong is not None:
        raise ConfigError(
            f"pooling_layer={wrong} of a model with {count} layers; choose -{count} to -1"
        )
    pooler = _pooler(pretrained, reference) if encoding.strategy is Strategy.CLS_POOLED else None
    pack(transformer)

    def encode(questions: Sequence[Question], settings: dict[str, Any]) -> list[Answer]:
        pieces = [one.encoded.pieces[0] for one in questions]
        ids_T, layout = Layout.flatten([piece.ids for piece in pieces], transformer.device)
        segments_T = torch.tensor([one for piece in pieces for one in piece.segments])
        layers = (-1,) if pooler is not None else encoding.layers
        found = layer_outputs(transformer, ids_T, layout, segments_T.to(ids_T.device), layers)
        hidden_TD = torch.cat(found, dim=1).float().cpu()
        parts = hidden_TD.split(layout.lengths)
        if pooler is not None:
            parts = tuple(pooler(part[:1]) for part in parts)
        return [Answer(None, [_pooled(part, encoding)]) for part in parts]

    tokenizer = pretrained.require_tokenizer()
    card = {
        "layers": count,
        "width": transformer.spec.width * (1 if pooler else len(encoding.layers)),
        **reading_card(tokenizer, Cleaning(), Head(pretrained.longest_input)),
    }
    return Desk("encoding", card, {"encode": encode})


def _pooled(hidden_TD: Tensor, encoding: Encoding) -> np.ndarray:
    """Return the vector (E) of a text's tokens, or their matrix (T, D)."""
    # A text of nothing but its frame keeps it: there is nothing else to pool.
    inner = slice(1, -1) if encoding.without_frame and len(hidden_TD) > 2 else slice(None)
    match encoding.strategy:
        case Strategy.NONE:
            matrix_TD = hidden_TD.clone()
            if encoding.without_frame:
                matrix_TD[[0, -1]] = 0.0
            return matrix_TD.numpy()
        case Strategy.REDUCE_MEAN:
            pooled = hidden_TD[inner].mean(0)
        case Strategy.REDUCE_MAX:
            pooled = hidden_TD[inner].amax(0)
        case Strategy.REDUCE_MEAN_MAX:
            pooled = torch.cat((hidden_TD[inner].mean(0), hidden_TD[inner].amax(0)))
        case Strategy.CLS_TOKEN | Strategy.FIRST_TOKEN | Strategy.CLS_POOLED:
            pooled = hidden_TD[0]
        case Strategy.SEP_TOKEN | Strategy.LAST_TOKEN:
            pooled = hidden_TD[-1]
    return pooled.numpy()


def _pooler(pretrained: Pretrained, reference: str) -> torch.nn.Module:
    """Return tanh(x·Wᵀ + b) as the model was pretrained with it (Devlin et al. 2019)."""
    found = {
        name.rpartition(".")[2]: tensor.float()
        for name, tensor in pretrained.head_weights.items()
        if ".pooler.dense." in f".{name}"
    }
    if found.keys() != {"weight", "bias"}:
        raise ConfigError(f"{reference} has no pooler for CLS_POOLED; choose another strategy")
    linear = torch.nn.Linear(*reversed(found["weight"].shape))
    linear.load_state_dict(found)
    return torch.nn.Sequential(linear, torch.nn.Tanh())
