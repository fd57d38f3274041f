"""Models on disk: where they are, how they are read, how they are written.

A Hugging Face folder (config.json, model.safetensors, tokenizer.json) is the native format in both
directions. Nothing is ever pickled.
"""

from __future__ import annotations

from manyheads.hub.load import Pretrained, load_model
from manyheads.hub.save import save_model, save_with_sequence_head
from manyheads.hub.source import locate

__all__ = ["Pretrained", "load_model", "locate", "save_model", "save_with_sequence_head"]
