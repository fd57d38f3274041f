import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from manyheads.errors import RecipeError, TextError
from manyheads.text import (
    BytePair,
    Segmenter,
    Tokenizer,
    Unigram,
    WordPiece,
    learn_tokenizer,
)

Algorithm = BytePair | WordPiece | Unigram
ALGORITHMS = [BytePair(400), WordPiece(300), Unigram(200)]
CORPUS = [
    "The hotel was wonderful and the staff were friendly.",
    "We will never stay in this hotel again; the room was dirty.",
    "酒店的服务不错，房间很干净。",
    "早餐很好，酒店的服务员很热情，下次还会入住。",
    "这家酒店的房间很干净，早餐不错。",
] * 3


def spell(tokenizer: Tokenizer, text: str) -> list[str]:
    return tokenizer.tokens(tokenizer.encode([text])[0].pieces[0].ids)


def pieces_of_several_characters(tokenizer: Tokenizer, text: str) -> list[str]:
    (piece,) = tokenizer.encode([text], offsets=True)[0].pieces
    return [text[start:end] for start, end in piece.offsets or () if end - start > 1]


@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=lambda a: type(a).__name__)
class TestEveryAlgorithm:
    def test_special_tokens_come_first_and_frame_the_text(self, algorithm: Algorithm) -> None:
        tokenizer = learn_tokenizer(CORPUS, algorithm, max_tokens=99)
        assert (tokenizer.pad_id, tokenizer.unk_id, tokenizer.cls_id) == (0, 1, 2)
        assert (tokenizer.sep_id, tokenizer.mask_id) == (3, 4)
        assert tokenizer.special_ids == {0, 1, 2, 3, 4}
        assert tokenizer.max_tokens == 99
        assert tokenizer.vocabulary_size <= algorithm.vocabulary
        (encoded,) = tokenizer.encode(["hotel"], ["room"])
        ids, segments = map(list, (encoded.pieces[0].ids, encoded.pieces[0].segments))
        middle = ids.index(3)
        assert (ids[0], ids[-1]) == (2, 3)
        assert segments == [0] * (middle + 1) + [1] * (len(ids) - middle - 1)

    def test_the_corpus_holds_nothing_unknown(self, algorithm: Algorithm) -> None:
        tokenizer = learn_tokenizer(CORPUS, algorithm)
        for encoded in tokenizer.encode(CORPUS):
            assert tokenizer.unk_id not in encoded.pieces[0].ids

    def test_frequent_words_become_one_piece(self, algorithm: Algorithm) -> None:
        tokenizer = learn_tokenizer(CORPUS, algorithm)
        (piece,) = tokenizer.encode(["in this hotel again"], offsets=True)[0].pieces
        text = "in this hotel again"
        assert "hotel" in [text[a:b].strip() for a, b in piece.offsets or ()]

    def test_decoding_gives_the_words_back(self, algorithm: Algorithm) -> None:
        tokenizer = learn_tokenizer(CORPUS, algorithm)
        (encoded,) = tokenizer.encode(["The hotel was wonderful"])
        assert tokenizer.decode(encoded.pieces[0].ids) == "the hotel was wonderful"

    def test_capitals_matter_when_asked(self, algorithm: Algorithm) -> None:
        cased = type(algorithm)(vocabulary=algorithm.vocabulary, lowercase=False)
        upper, lower = (
            learn_tokenizer(CORPUS, setting).encode(["The", "the"])
            for setting in (cased, algorithm)
        )
        assert upper[0] != upper[1]
        assert lower[0] == lower[1]

    def test_another_process_learns_the_same(self, algorithm: Algorithm, tmp_path: Path) -> None:
        corpus = tmp_path / "corpus.json"
        corpus.write_text(json.dumps(CORPUS))
        program = (
            "import json, sys, pathlib\n"
            "from manyheads.text import *\n"
            f"texts = json.loads(pathlib.Path({str(corpus)!r}).read_text())\n"
            f"learn_tokenizer(texts, {algorithm!r}).save(pathlib.Path(sys.argv[1]))\n"
        )
        digests = set()
        for run in ("first", "second"):
            subprocess.run([sys.executable, "-c", program, tmp_path / run], check=True)
            content = (tmp_path / run / "tokenizer.json").read_bytes()
            digests.add(hashlib.sha256(content).hexdigest())
        learn_tokenizer(CORPUS, algorithm).save(tmp_path / "here")
        content = (tmp_path / "here" / "tokenizer.json").read_bytes()
        assert digests == {hashlib.sha256(content).hexdigest()}

    def test_an_empty_corpus_is_refused(self, algorithm: Algorithm) -> None:
        for corpus in ([], ["", " "]):
            with pytest.raises(TextError, match="nothing to learn"):
                learn_tokenizer(corpus, algorithm)

    def test_broken_texts_are_named(self, algorithm: Algorithm) -> None:
        with pytest.raises(TextError, match=r"^text 2 holds a lone surrogate"):
            learn_tokenizer(["fine", "a\ud800"], algorithm)
        with pytest.raises(TextError, match=r"^text 2 is None"):
            learn_tokenizer(["fine", None], algorithm)  # type: ignore[list-item]

    def test_a_tiny_corpus_is_enough(self, algorithm: Algorithm) -> None:
        assert learn_tokenizer(["ab"], algorithm).encode(["ab", "xyz", ""])


@pytest.mark.parametrize("algorithm", [BytePair(500), Unigram(200)], ids=["BytePair", "Unigram"])
def test_chinese_words_become_pieces(algorithm: Algorithm) -> None:
    subjects = ["酒店", "房间", "早餐", "服务", "位置", "前台"]
    verdicts = ["很干净", "不错", "太小了", "很热情", "一般", "也不好"]
    tokenizer = learn_tokenizer([s + v for s in subjects for v in verdicts], algorithm)
    assert "房间" in pieces_of_several_characters(tokenizer, "房间一般")


def test_word_piece_reads_chinese_by_character_and_words_by_pieces() -> None:
    tokenizer = learn_tokenizer(CORPUS, WordPiece(300))
    assert spell(tokenizer, "酒店")[1:-1] == ["酒", "店"]
    assert spell(tokenizer, "rooms")[1] == "room"
    assert spell(tokenizer, "rooms")[2].startswith("##")
    assert tokenizer.id_of("##酒") is None


@pytest.mark.parametrize("build", [WordPiece, Unigram])
def test_rare_characters_do_not_crowd_out_the_vocabulary(
    build: Callable[[int], Algorithm],
) -> None:
    rare = "".join(chr(0x4E00 + i) for i in range(500))
    tokenizer = learn_tokenizer([*CORPUS * 20, rare], build(200))
    assert tokenizer.vocabulary_size <= 200
    assert tokenizer.unk_id in tokenizer.encode([rare])[0].pieces[0].ids
    assert tokenizer.unk_id not in tokenizer.encode(["hotel 酒店"])[0].pieces[0].ids


@pytest.mark.parametrize("algorithm", [BytePair(500), Unigram(200)], ids=["BytePair", "Unigram"])
def test_no_piece_reaches_across_words(algorithm: Algorithm) -> None:
    pytest.importorskip("jieba")
    segment = Segmenter()
    tokenizer = learn_tokenizer(CORPUS, algorithm, words=segment)
    words = {word.text for text in CORPUS for word in segment(text)}
    for text in CORPUS[2:5]:
        for piece in pieces_of_several_characters(tokenizer, text):
            assert any(piece in word for word in words)


def test_words_for_word_piece_are_refused() -> None:
    with pytest.raises(RecipeError, match="choose BytePair or Unigram"):
        learn_tokenizer(CORPUS, WordPiece(300), words=lambda text: [])


@pytest.mark.parametrize("build", [BytePair, WordPiece, Unigram])
def test_a_vocabulary_without_room_is_refused(build: Callable[[int], Algorithm]) -> None:
    with pytest.raises(RecipeError, match="vocabulary=10 has no room"):
        build(10)
