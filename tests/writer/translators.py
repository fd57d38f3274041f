"""Tiny random translation models in folders as they are published, with SentencePiece files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import transformers
from tests import spm
from tests.families.harness import original

import manyheads as mh

T = transformers
_ROLES = {"pad": "<pad>", "eos": "</s>"}
_SIZES: dict[str, Any] = {
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "max_position_embeddings": 64,
    "scale_embedding": False,
    "init_std": 0.5,
    **{f"{side}_attention_heads": 4 for side in ("encoder", "decoder")},
    **{f"{side}_ffn_dim": 48 for side in ("encoder", "decoder")},
}


def publish(
    folder: Path,
    model: type[transformers.PreTrainedModel],
    config: type[transformers.PreTrainedConfig],
    **settings: Any,
) -> Path:
    """Add a random model to a folder that has its tokenizer."""
    made = config(**_SIZES, forced_eos_token_id=None, **settings)
    transformers.set_seed(3)
    network = original(model, made)
    for module in network.modules():
        if hasattr(module, "create_weight"):  # Marian's sinusoids
            module.weight.data = module.create_weight()
    network.generation_config = T.GenerationConfig.from_model_config(made)
    network.save_pretrained(folder)
    return folder


def marian(folder: Path, joint: bool) -> Path:
    spm.marian(folder, joint)
    names = ("vocab.json", "vocab.json" if joint else "target_vocab.json")
    read, written = (json.loads((folder / name).read_text()) for name in names)
    roles = {f"{role}_token_id": written[token] for role, token in _ROLES.items()}
    return publish(
        folder,
        T.MarianMTModel,
        T.MarianConfig,
        vocab_size=len(read),
        decoder_vocab_size=len(written),
        share_encoder_decoder_embeddings=joint,
        decoder_start_token_id=written["<pad>"],
        bos_token_id=None,
        **roles,
    )


def m2m(folder: Path) -> Path:
    languages = [f"__{code}__" for code in ("en", "zh", "ja")]
    said = {"src_lang": "en", "additional_special_tokens": languages}
    return _many(spm.m2m(folder, spm.learnt(240), said))


def nllb(folder: Path) -> Path:
    return _many(spm.nllb(folder, spm.learnt(260, model_type="bpe")))


def mbart(folder: Path) -> Path:
    said = {"tokenizer_class": "MBartTokenizer"}
    spm.write(folder, {"sentencepiece.bpe.model": spm.learnt(150)}, said)
    tokenizer = mh.Tokenizer.from_folder(folder)
    return publish(
        folder,
        T.MBartForConditionalGeneration,
        T.MBartConfig,
        vocab_size=tokenizer.vocabulary_size,
        decoder_start_token_id=tokenizer.id_of("ro_RO"),
    )


def _many(folder: Path) -> Path:
    size = mh.Tokenizer.from_folder(folder).vocabulary_size
    return publish(folder, T.M2M100ForConditionalGeneration, T.M2M100Config, vocab_size=size)
