from __future__ import annotations

from pathlib import Path

import pytest

from manyheads.errors import RecipeError
from manyheads.text import OPEN, Characters, Tokenizer, Words, learn_tokenizer

LINES = ["To be, or not to be:\n", "naïve 好  two\tspaces\n", "<unk> of N"]


def ids(tokenizer: Tokenizer, text: str) -> list[int]:
    return list(tokenizer.encode([text])[0].pieces[0].ids)


def test_every_character_is_a_token_and_comes_back():
    tokenizer = learn_tokenizer(LINES, Characters(), frame=OPEN)
    for line in LINES[:2]:
        assert len(ids(tokenizer, line)) == len(line)
        assert tokenizer.decode(ids(tokenizer, line)) == line
    assert ids(tokenizer, "T") != ids(tokenizer, "t")
    assert ids(tokenizer, "ж") == [tokenizer.unk_id]


def test_small_letters_where_they_are_asked_for():
    tokenizer = learn_tokenizer(LINES, Characters(lowercase=True), frame=OPEN)
    assert ids(tokenizer, "T") == ids(tokenizer, "t")


def test_every_word_is_a_token():
    tokenizer = learn_tokenizer(LINES, Words(), frame=OPEN)
    assert tokenizer.tokens(ids(tokenizer, "to be, N")) == ["to", "be,", "N"]
    assert ids(tokenizer, "<unk>") == [tokenizer.unk_id]
    assert tokenizer.decode(ids(tokenizer, "to be, N")) == "to be, N"


def test_the_commonest_words_stay():
    tokenizer = learn_tokenizer(["a a a b b c d e f g h"], Words(8), frame=OPEN)
    assert tokenizer.vocabulary_size == 8
    assert tokenizer.tokens(range(8)) == ["<pad>", "<unk>", "</s>", "a", "b", "c", "d", "e"]
    with pytest.raises(RecipeError, match="vocabulary=3"):
        Words(3)


@pytest.mark.parametrize("algorithm", [Characters(), Words()])
def test_transformers_reads_them_alike(tmp_path: Path, algorithm: Characters | Words):
    from transformers import AutoTokenizer

    tokenizer = learn_tokenizer(LINES, algorithm, frame=OPEN)
    tokenizer.save(tmp_path)
    theirs = AutoTokenizer.from_pretrained(tmp_path)
    again = Tokenizer.from_folder(tmp_path)
    for line in LINES:
        assert theirs(line)["input_ids"] == ids(tokenizer, line) == ids(again, line)
