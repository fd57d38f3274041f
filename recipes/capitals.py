"""Let a model whose vocabulary knows no capitals see them, by marks before the words that have any.

Its tokenizer is told to set the marks, so that the model learns what they mean, offsets stay those
of the text, and whoever opens what is saved reads it in the same way.
"""

from __future__ import annotations

import json
import shutil
import string
from enum import Enum
from pathlib import Path

from manyheads.hub import locate


class Capitals(Enum):
    """Words that are marked: a mark, and what the first letter must be followed by."""

    FIRST = "^", ""  # Berlin
    ALL = "~", "[A-Z]+\\b"  # BERLIN


def with_capitals(model: str, folder: Path, *marked: Capitals) -> Path:
    """Copy a model into a folder, with a tokenizer that marks words before it makes all small.

    Of several kinds the first that a word is of marks it.
    """
    shutil.copytree(locate(model), folder)
    path = folder / "tokenizer.json"
    tokenizer = json.loads(path.read_text(encoding="utf-8"))
    marks = [
        {
            "type": "Replace",
            "pattern": {"Regex": rf"\b{letter}(?={followed})"},
            "content": f"{mark}{letter.lower()}",
        }
        for letter in string.ascii_uppercase
        for mark, followed in (one.value for one in marked)
    ]
    normalizers = [*marks, tokenizer["normalizer"]]
    tokenizer["normalizer"] = {"type": "Sequence", "normalizers": normalizers}
    path.write_text(json.dumps(tokenizer), encoding="utf-8")
    # BERT's own class would make its normalizer anew; the general one takes that of the file.
    settings = folder / "tokenizer_config.json"
    told = json.loads(settings.read_text(encoding="utf-8"))
    told["tokenizer_class"] = "PreTrainedTokenizerFast"
    settings.write_text(json.dumps(told), encoding="utf-8")
    return folder
