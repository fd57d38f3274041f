"""SentencePiece models against the oracle: its own package cuts texts into the same pieces."""

import random
from pathlib import Path

import pytest
import transformers
from tests import spm
from tests.spm import BYTES, LLAMA, learnt

from manyheads.errors import ConfigError
from manyheads.text import Tokenizer
from manyheads.text.sentencepiece import Kind, Segmentation, read_pieces

from .conftest import CHINESE, ENGLISH

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

MODELS = {
    "unigram": (150, {}),
    "unigram-bytes": (440, BYTES),
    "unigram-identity": (150, {"normalization_rule_name": "identity", "add_dummy_prefix": False}),
    "unigram-lowercase": (150, {"normalization_rule_name": "nmt_nfkc_cf"}),
    "unigram-defined": (150, {"user_defined_symbols": "<sep>,hotel▁was"}),
    "unigram-across-words": (260, {"split_by_whitespace": False}),
    "bpe": (260, {"model_type": "bpe"}),
    "bpe-bytes": (500, {"model_type": "bpe", **BYTES}),
    "bpe-llama": (500, LLAMA),
}


def plain(model: bytes, folder: Path) -> Tokenizer:
    """A tokenizer of these pieces with nothing around a text."""
    said = {"tokenizer_class": "LlamaTokenizer", "add_bos_token": False, "legacy": True}
    return Tokenizer.from_folder(spm.write(folder, {"tokenizer.model": model}, said))


def ids(tokenizer: Tokenizer, texts: list[str]) -> list[list[int]]:
    return [list(encoded.pieces[0].ids) for encoded in tokenizer.encode(texts)]


@pytest.mark.parametrize("name", MODELS)
def test_texts_become_the_same_pieces(name: str, tmp_path: Path) -> None:
    size, settings = MODELS[name]
    model = learnt(size, **settings)
    oracle = spm.oracle(model)
    ours = plain(model, tmp_path)
    expected = oracle.encode(TEXTS)
    assert ids(ours, TEXTS) == expected
    for numbers in expected:
        if oracle.unk_id() not in numbers:
            assert ours.decode(numbers) == oracle.decode(numbers)
    assert ours.vocabulary_size == oracle.get_piece_size()
    assert ours.unk_id == oracle.unk_id()
    assert any(oracle.unk_id() in numbers for numbers in expected) != ("byte_fallback" in settings)


@pytest.mark.parametrize("name", ["unigram", "bpe", "bpe-llama"])
def test_what_is_saved_is_read_alike_here_and_elsewhere(name: str, tmp_path: Path) -> None:
    size, settings = MODELS[name]
    ours = plain(learnt(size, **settings), tmp_path / "published")
    ours.save(tmp_path / "saved")
    again = Tokenizer.from_folder(tmp_path / "saved")
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path / "saved")
    assert ids(ours, TEXTS) == ids(again, TEXTS) == theirs(TEXTS)["input_ids"]


def test_tokens_know_where_they_were_read(tmp_path: Path) -> None:
    text = "  The  hotel was ﬁne…"
    (encoded,) = plain(learnt(150), tmp_path).encode([text], offsets=True, words=True)
    (piece,) = encoded.pieces
    assert piece.offsets is not None and piece.words is not None
    words = [
        [place for place, word in zip(piece.offsets, piece.words, strict=True) if word == number]
        for number in range(4)
    ]
    read = [text[min(places)[0] : max(places)[1]].strip() for places in words]
    assert read == ["The", "hotel", "was", "ﬁne…"]


def test_the_file_says_how_texts_are_cut(tmp_path: Path) -> None:
    for model, segmentation, by_bytes, one_space in (
        (learnt(150), Segmentation.UNIGRAM, False, True),
        (learnt(500, **LLAMA), Segmentation.BYTE_PAIR, True, False),
    ):
        (tmp_path / "model").write_bytes(model)
        found = read_pieces(tmp_path / "model")
        assert found.segmentation is segmentation
        assert (found.byte_fallback, found.one_space) == (by_bytes, one_space)
        assert bool(found.replacements) == one_space
        assert sum(piece.kind is Kind.BYTE for piece in found.pieces) == 256 * by_bytes
        assert [piece.text for piece in found.pieces] == spm.pieces(model)
        assert found.unknown == "<unk>"


@pytest.mark.parametrize("kept", [0, 1, 100, -1, -2, -3000])
def test_a_file_that_is_cut_off_is_refused_in_one_line(kept: int, tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"^tokenizer\.model in .* cannot be read: .* restore it$"
    ):
        plain(learnt(150)[:kept], tmp_path)


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
    with pytest.raises(ConfigError) as refused:
        plain(content, tmp_path)
    assert "tokenizer.model is no SentencePiece model as known here" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_damaged_file_is_refused_in_one_line_or_still_one(tmp_path: Path) -> None:
    whole, draw, refused = learnt(150), random.Random(2), 0
    for _ in range(60):
        damaged = bytearray(whole)
        for _ in range(3):
            damaged[draw.randrange(4000)] = draw.randrange(256)
        try:
            plain(bytes(damaged), tmp_path).encode(["The hotel was ﬁne"])
        except ConfigError as error:
            assert "\n" not in str(error)
            refused += 1
    assert refused > 20


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"treat_whitespace_as_suffix": True}, "a space belongs to no piece"),
        ({"model_type": "char"}, "4 is not a valid Segmentation"),
    ],
)
def test_what_is_not_known_is_refused(
    settings: dict[str, object], reason: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=reason):
        plain(learnt(150, **settings), tmp_path)
