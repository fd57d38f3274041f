"""Folders against the oracle: what transformers reads from them, and what we read."""

import json
import shutil
from pathlib import Path

import pytest

from manyheads.errors import ConfigError
from manyheads.text import Head, Tail, Tokenizer, Windows

transformers = pytest.importorskip("transformers")

TEXTS = [
    "The hotel was wonderful, and the café too!",
    "酒店的服务不错，房间很干净。ＡＢＣ 龘",
    "",
    "  two  spaces\tand a\nnew line ",
    "a [SEP] b </s> c <mask> [MASK]",
    "unbelievably Ünïcödé 🎉👨‍👩‍👧",
]
PAIRS = ["short", *TEXTS[:5]]


def ids(tokenizer: Tokenizer, *, pairs: bool = False) -> list[list[int]]:
    encoded = tokenizer.encode(TEXTS, PAIRS if pairs else None)
    return [list(e.pieces[0].ids) for e in encoded]


def test_saved_folders_open_in_transformers_with_equal_ids(
    any_tokenizer: Tokenizer, tmp_path: Path
) -> None:
    any_tokenizer.save(tmp_path)
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    ours = Tokenizer.from_folder(tmp_path)
    for pairs in (False, True):
        batch = theirs(TEXTS, PAIRS if pairs else None, return_token_type_ids=True)
        encoded = any_tokenizer.encode(TEXTS, PAIRS if pairs else None)
        assert batch["input_ids"] == ids(any_tokenizer, pairs=pairs) == ids(ours, pairs=pairs)
        assert batch["token_type_ids"] == [list(e.pieces[0].segments) for e in encoded]
    assert theirs.pad_token_id == any_tokenizer.pad_id == ours.pad_id
    assert theirs.mask_token_id == any_tokenizer.mask_id == ours.mask_id
    assert ours.max_tokens == any_tokenizer.max_tokens
    assert ours.special_ids == any_tokenizer.special_ids


@pytest.mark.parametrize("model_type", ["bert", "roberta"])
def test_saved_folders_open_beside_a_model_configuration(
    any_tokenizer: Tokenizer, tmp_path: Path, model_type: str
) -> None:
    any_tokenizer.save(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": model_type}))
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    assert theirs(TEXTS)["input_ids"] == ids(any_tokenizer)


def test_a_saved_folder_keeps_what_the_settings_said(roberta_folder: Path, tmp_path: Path) -> None:
    Tokenizer.from_folder(roberta_folder).save(tmp_path)
    config = json.loads((tmp_path / "tokenizer_config.json").read_text())
    assert config["model_max_length"] == 512
    assert config["model_input_names"] == ["input_ids", "attention_mask"]
    assert config["mask_token"] == "<mask>"


def test_published_folder_matches_transformers(minilm: Tokenizer, minilm_folder: Path) -> None:
    theirs = transformers.AutoTokenizer.from_pretrained(minilm_folder)
    for limit in (5, 8, 9, 20):
        for side, policy in (("right", Head(limit)), ("left", Tail(limit))):
            theirs.truncation_side = side
            for pairs in (None, PAIRS):
                batch = theirs(TEXTS, pairs, truncation=True, max_length=limit)
                ours = minilm.encode(TEXTS, pairs, truncation=policy)
                assert [list(e.pieces[0].ids) for e in ours] == batch["input_ids"]
                assert [list(e.pieces[0].segments) for e in ours] == batch["token_type_ids"]


@pytest.mark.parametrize("stride", [0, 1, 3])
def test_windows_match_transformers(minilm: Tokenizer, minilm_folder: Path, stride: int) -> None:
    theirs = transformers.AutoTokenizer.from_pretrained(minilm_folder)
    for text in TEXTS:
        batch = theirs(
            text,
            truncation=True,
            max_length=7,
            stride=stride,
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
        )
        (ours,) = minilm.encode([text], truncation=Windows(7, stride), offsets=True)
        assert [list(piece.ids) for piece in ours.pieces] == batch["input_ids"]
        assert [piece.offsets for piece in ours.pieces] == batch["offset_mapping"]


def test_word_piece_vocabulary_file(minilm: Tokenizer, minilm_folder: Path, tmp_path: Path) -> None:
    shutil.copy(minilm_folder / "vocab.txt", tmp_path)
    assert ids(Tokenizer.from_folder(tmp_path), pairs=True) == ids(minilm, pairs=True)
    settings = {"do_lower_case": False, "model_max_length": int(1e30)}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    cased = Tokenizer.from_folder(tmp_path)
    assert cased.tokens(cased.encode(["The"])[0].pieces[0].ids)[1] == "[UNK]"
    assert cased.max_tokens is None


def test_byte_level_files_match_transformers(roberta_folder: Path) -> None:
    theirs = transformers.RobertaTokenizer.from_pretrained(roberta_folder)
    ours = Tokenizer.from_folder(roberta_folder)
    for pairs in (False, True):
        expected = theirs(TEXTS, PAIRS if pairs else None)["input_ids"]
        assert ids(ours, pairs=pairs) == expected


def test_tokens_that_only_the_configuration_names_get_new_ids(
    roberta_folder: Path, tmp_path: Path
) -> None:
    for name in ("vocab.json", "merges.txt"):
        shutil.copy(roberta_folder / name, tmp_path)
    entity = {"content": "<ent>", "lstrip": True, "special": True}
    settings = {
        "cls_token": "<s>",
        "sep_token": "</s>",
        "pad_token": entity,
        "additional_special_tokens": ["<extra>"],
    }
    (tmp_path / "special_tokens_map.json").write_text(json.dumps(settings))
    before = Tokenizer.from_folder(roberta_folder).vocabulary_size
    ours = Tokenizer.from_folder(tmp_path)
    assert ours.pad_id == before
    assert ours.id_of("<extra>") == before + 1
    (encoded,) = ours.encode(["a <ent>"])
    assert ours.tokens(encoded.pieces[0].ids) == ["<s>", "a", "<ent>", "</s>"]


def test_truncation_and_padding_of_the_file_are_switched_off(minilm: Tokenizer) -> None:
    (encoded,) = minilm.encode(["word " * 300])  # the file says: cut and pad to 128
    assert encoded.tokens == 302
    assert minilm.encode(["word"])[0].tokens == 3


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "neither tokenizer.json, nor vocab.txt"),
        ({"vocab.json": "{}"}, "nor vocab.json with merges.txt"),
        ({}, "nor a SentencePiece model"),
        ({"source.spm": "x"}, "nor a SentencePiece model"),
        ({"spiece.model": "x"}, "spiece.model is no SentencePiece model"),
        ({"tokenizer.json": "{"}, "tokenizer.json in .* cannot be read"),
        ({"vocab.txt": "a\nb\n"}, r"no \[CLS\]"),
        ({"vocab.txt": "[CLS]", "tokenizer_config.json": "nonsense"}, "is not JSON"),
        ({"vocab.txt": "[CLS]", "special_tokens_map.json": "[]"}, "one JSON object"),
    ],
)
def test_wrong_folders_say_what_is_missing(
    files: dict[str, str], message: str, tmp_path: Path
) -> None:
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    with pytest.raises(ConfigError, match=message):
        Tokenizer.from_folder(tmp_path)


def test_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not a folder"):
        Tokenizer.from_folder(tmp_path / "nowhere")
