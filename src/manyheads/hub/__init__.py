"""Models on disk: where they are, how they are read, how they are written.

A Hugging Face folder (config.json, model.safetensors, tokenizer.json) is the native format in both
directions. Nothing is ever pickled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from manyheads._lazy import lazy

if TYPE_CHECKING:
    from manyheads.hub.load import Pretrained, load_model
    from manyheads.hub.save import (
        head_prefix,
        save_model,
        save_with_heads,
        save_with_sequence_head,
        save_with_span_head,
        save_with_token_head,
    )
    from manyheads.hub.source import locate

__all__ = [
    "Pretrained",
    "head_prefix",
    "load_model",
    "locate",
    "save_model",
    "save_with_heads",
    "save_with_sequence_head",
    "save_with_span_head",
    "save_with_token_head",
]

# Whoever writes files atomically (`hub.atomic`) need not open models.
__getattr__, __dir__ = lazy(
    __name__,
    {
        "manyheads.hub.load": ("Pretrained", "load_model"),
        "manyheads.hub.save": (
            "head_prefix",
            "save_model",
            "save_with_heads",
            "save_with_sequence_head",
            "save_with_span_head",
            "save_with_token_head",
        ),
        "manyheads.hub.source": ("locate",),
    },
)
