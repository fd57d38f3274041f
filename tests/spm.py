"""SentencePiece models, learnt in no time, and folders with them as they are published."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from tests.text.conftest import CHINESE, ENGLISH

sentencepiece = pytest.importorskip("sentencepiece")

T5 = {"pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1}
BYTES = {"byte_fallback": True}
# As Llama's: nothing is replaced, no space is lost, and digits stand alone.
KEPT = {
    "normalization_rule_name": "identity",
    "remove_extra_whitespaces": False,
    "allow_whitespace_only_pieces": True,
    "split_digits": True,
}
LLAMA = {"model_type": "bpe", **BYTES, **KEPT}
NLLB_LANGUAGES = ["ace_Arab", "eng_Latn", "fra_Latn", "zho_Hans"]


@cache
def learnt(size: int, texts: tuple[str, ...] = (*ENGLISH, *CHINESE), **settings: Any) -> bytes:
    """The file of a model, learnt from both languages or from other texts."""
    file = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts),
        model_writer=file,
        vocab_size=size,
        hard_vocab_limit=False,
        minloglevel=2,
        **settings,
    )
    return file.getvalue()


def oracle(model: bytes) -> Any:
    """The same model in the package that learnt it."""
    return sentencepiece.SentencePieceProcessor(model_proto=model)


def pieces(model: bytes) -> list[str]:
    """The pieces of a model by their numbers."""
    read = oracle(model)
    return [read.id_to_piece(number) for number in range(read.get_piece_size())]


def write(
    folder: Path, files: Mapping[str, bytes], settings: Mapping[str, Any], kind: str = ""
) -> Path:
    """A folder with these files, what it says of its tokenizer, and the kind of its model."""
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    if kind:
        (folder / "config.json").write_text(json.dumps({"model_type": kind}))
    return folder


def numbered(tokens: Sequence[str]) -> bytes:
    """A list of tokens as `vocab.json` has it."""
    return json.dumps({token: number for number, token in enumerate(tokens)}).encode()


def marian(folder: Path, joint: bool = True) -> Path:
    """A folder as Helsinki-NLP publishes them: two models, and a list, or one for each."""
    source, target = learnt(90, tuple(ENGLISH)), learnt(60, tuple(CHINESE))
    english, chinese = ([p for p in pieces(one) if p != "<s>"] for one in (source, target))
    files = {"source.spm": source, "target.spm": target}
    if joint:
        tokens = dict.fromkeys(["</s>", "<unk>", "日本", *chinese, *english, ">>deu<<", "<pad>"])
        files["vocab.json"] = numbered(list(tokens))
    else:
        for name, some in (("vocab.json", english), ("target_vocab.json", chinese)):
            files[name] = numbered(list(dict.fromkeys(["</s>", "<unk>", "<pad>", *some])))
    said = {"source_lang": "en", "target_lang": "zh", "separate_vocabs": not joint}
    return write(folder, files, said, "marian")


def m2m(folder: Path, model: bytes, settings: Mapping[str, Any]) -> Path:
    """A folder as M2M-100 is published: a model, and a list in another order."""
    listed = ["<s>", "<pad>", "</s>", "<unk>", *reversed(pieces(model)[3:])]
    files = {"sentencepiece.bpe.model": model, "vocab.json": numbered(listed)}
    return write(folder, files, settings, "m2m_100")


def nllb(folder: Path, model: bytes, **settings: Any) -> Path:
    """A folder as NLLB is published, with fewer languages."""
    said = {"tokenizer_class": "NllbTokenizer", "additional_special_tokens": NLLB_LANGUAGES}
    return write(folder, {"sentencepiece.bpe.model": model}, {**said, **settings}, "m2m_100")
