"""SentencePiece models against the oracle: its own package cuts texts into the same pieces."""

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest
import transformers

from manyheads.errors import ConfigError
from manyheads.text import Tokenizer
from manyheads.text.sentencepiece import Kind, Segmentation, read_pieces

from .conftest import CHINESE, ENGLISH

sentencepiece = pytest.importorskip("sentencepiece")
Pieces = Callable[..., Path]

TEXTS = [
    *ENGLISH[:4],
    *CHINESE[:4],
    "The hotel was wonderful, and the café too!",
    "酒店的服务不错，房间很干净。ＡＢＣ 龘",
    "  two  spaces\tand a\nnew line ",
    "unbelievably Ünïcödé 🎉👨\u200d👩\u200d👧",
    "ﬁne ½ ① “quotes” … x² ㌀ ﷺ",
    "a\u3000b ▁under▁score e\u0301te\u0301 \ud7ff\ufffd",
    "日本国 in日本hotel",
    "room<sep>service <sep>the hotel was",
    "",
    " ",
    "\n",
    "x" * 50,
]
# Texts of letters in any order; without those that join what is replaced before them, and without
# what would spell a byte.
LETTERS = sorted(set("".join(TEXTS)) - {"\u0301", "\u200d", "<"})
RANDOM = random.Random(0)
TEXTS += ["".join(RANDOM.choices(LETTERS, k=RANDOM.randint(1, 30))) for _ in range(200)]

BYTES = {"byte_fallback": True}
# As Llama's: nothing is replaced, no space is lost, and digits stand alone.
KEPT = {
    "normalization_rule_name": "identity",
    "remove_extra_whitespaces": False,
    "allow_whitespace_only_pieces": True,
    "split_digits": True,
}
MODELS = {
    "unigram": (150, {}),
    "unigram-bytes": (440, BYTES),
    "unigram-identity": (150, {"normalization_rule_name": "identity", "add_dummy_prefix": False}),
    "unigram-lowercase": (150, {"normalization_rule_name": "nmt_nfkc_cf"}),
    "unigram-defined": (150, {"user_defined_symbols": ("<sep>", "hotel▁was")}),
    "unigram-across-words": (260, {"split_by_whitespace": False}),
    "bpe": (260, {"model_type": "bpe"}),
    "bpe-bytes": (500, {"model_type": "bpe", **BYTES}),
    "bpe-llama": (500, {"model_type": "bpe", **BYTES, **KEPT}),
}


def plain(model: Path, folder: Path) -> Tokenizer:
    """A tokenizer of these pieces with nothing around a text."""
    folder.mkdir(exist_ok=True)
    (folder / "tokenizer.model").write_bytes(model.read_bytes())
    settings = {"tokenizer_class": "LlamaTokenizer", "add_bos_token": False, "legacy": True}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return Tokenizer.from_folder(folder)


def ids(tokenizer: Tokenizer, texts: list[str]) -> list[list[int]]:
    return [list(encoded.pieces[0].ids) for encoded in tokenizer.encode(texts)]


@pytest.mark.parametrize("name", MODELS)
def test_texts_become_the_same_pieces(name: str, pieces: Pieces, tmp_path: Path) -> None:
    size, settings = MODELS[name]
    model = pieces(size, **settings)
    oracle = sentencepiece.SentencePieceProcessor(str(model))
    ours = plain(model, tmp_path)
    expected = oracle.encode(TEXTS)
    assert ids(ours, TEXTS) == expected
    for numbers in expected:
        if oracle.unk_id() not in numbers:
            assert ours.decode(numbers) == oracle.decode(numbers)
    assert ours.vocabulary_size == oracle.get_piece_size()
    assert ours.unk_id == oracle.unk_id()
    assert any(oracle.unk_id() in numbers for numbers in expected) != (
        "bytes" in name or "llama" in name
    )


@pytest.mark.parametrize("name", ["unigram", "bpe", "bpe-llama"])
def test_what_is_saved_is_read_alike_here_and_elsewhere(
    name: str, pieces: Pieces, tmp_path: Path
) -> None:
    size, settings = MODELS[name]
    ours = plain(pieces(size, **settings), tmp_path / "published")
    ours.save(tmp_path / "saved")
    again = Tokenizer.from_folder(tmp_path / "saved")
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path / "saved")
    assert ids(ours, TEXTS) == ids(again, TEXTS) == theirs(TEXTS)["input_ids"]


def test_tokens_know_where_they_were_read(pieces: Pieces, tmp_path: Path) -> None:
    text = "  The  hotel was ﬁne…"
    (encoded,) = plain(pieces(150), tmp_path).encode([text], offsets=True, words=True)
    (piece,) = encoded.pieces
    assert piece.offsets is not None and piece.words is not None
    words = [
        [place for place, word in zip(piece.offsets, piece.words, strict=True) if word == number]
        for number in range(4)
    ]
    read = [text[min(places)[0] : max(places)[1]].strip() for places in words]
    assert read == ["The", "hotel", "was", "ﬁne…"]


def test_the_file_says_how_texts_are_cut(pieces: Pieces) -> None:
    unigram, pairs = (
        read_pieces(pieces(150)),
        read_pieces(pieces(500, model_type="bpe", **BYTES, **KEPT)),
    )
    assert unigram.segmentation is Segmentation.UNIGRAM
    assert pairs.segmentation is Segmentation.BYTE_PAIR
    assert (unigram.byte_fallback, unigram.one_space, bool(unigram.replacements)) == (
        False,
        True,
        True,
    )
    assert (pairs.byte_fallback, pairs.one_space, bool(pairs.replacements)) == (True, False, False)
    assert sum(piece.kind is Kind.BYTE for piece in pairs.pieces) == 256
    assert unigram.unknown == "<unk>"


@pytest.mark.parametrize("kept", [0, 1, 100, -1, -2, -3000])
def test_a_file_that_is_cut_off_is_refused_in_one_line(
    kept: int, pieces: Pieces, tmp_path: Path
) -> None:
    model = tmp_path / "cut.model"
    model.write_bytes(pieces(150).read_bytes()[:kept])
    with pytest.raises(
        ConfigError, match=r"^tokenizer\.model in .* cannot be read: .* restore it$"
    ):
        plain(model, tmp_path / "folder")


@pytest.mark.parametrize(
    "content",
    [
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 4\n",
        b"IQ== 0\nIg== 1\n",  # tiktoken's, which is called tokenizer.model too
        bytes(range(256)),
        b"\x0a\x05\x0a\x03\xff\xfe\xfd\x12\x00",
        b"\x0a\x04\x0a\x02ab\x12\x00",
        b"\x0a\x02\x18\x09\x12\x00",
    ],
)
def test_other_files_are_refused_in_one_line(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(content)
    with pytest.raises(ConfigError) as refused:
        plain(tmp_path / "other", tmp_path / "folder")
    assert "tokenizer.model is no SentencePiece model as known here" in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"treat_whitespace_as_suffix": True}, "a space belongs to no piece"),
        ({"model_type": "char"}, "4 is not a valid Segmentation"),
    ],
)
def test_what_is_not_known_is_refused(
    settings: dict[str, object], reason: str, pieces: Pieces, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=reason):
        plain(pieces(150, **settings), tmp_path)
