from __future__ import annotations

from collections import Counter

import pytest
import torch
from tests import tiny

import manyheads as mh
from manyheads.errors import RecipeError
from manyheads.hub import Pretrained
from manyheads.tasks import Alignment, Reader, Stretch, StretchBatch, WordReader
from manyheads.text import Cleaning, Tokenizer
from manyheads.text.tagged import split_words

LINES = [text for text, _ in tiny.named_rows(40)] + ["今天在北京大学", "naïve café"]
UNSEEN = "Annadora metleft Osloroma"  # words of several tokens


@pytest.fixture(scope="module", params=["bytes", "word pieces", "unigram"])
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    """Spaces are part of the tokens of the first and the last."""
    algorithms = {
        "bytes": mh.BytePair(300),
        "word pieces": mh.WordPiece(120),
        "unigram": mh.Unigram(120),
    }
    return mh.learn_tokenizer(LINES, algorithms[request.param])


def reader(
    tokenizer: Tokenizer,
    alignment: Alignment = Alignment.FIRST,
    truncation: object | None = None,
    cleaning: Cleaning | None = None,
) -> WordReader:
    truncation = truncation or mh.Windows(64, 16)
    return WordReader(Reader(tokenizer, cleaning or Cleaning(), truncation), alignment)


def read(text: str, word_reader: WordReader) -> list[Stretch]:
    words = split_words(text)
    return word_reader.read([text], [words], [list(range(len(words)))])


def spoken(text: str, tokenizer: Tokenizer, stretch: Stretch) -> list[tuple[str, str]]:
    """The words that tokens speak for, with what the tokens spell."""
    words = split_words(text)
    pairs = zip(stretch.places, stretch.words, strict=True)
    return [
        (text[slice(*words[word])], tokenizer.decode([stretch.piece.ids[place]]).strip())
        for place, word in pairs
    ]


@pytest.mark.parametrize(
    "text", [LINES[0], "今天在北京大学", "  Anna\t met(Bonn) ", "Anna's 3.5 %", "naïve café"]
)
def test_the_first_token_of_each_word_speaks_for_it(text: str, tokenizer: Tokenizer) -> None:
    (stretch,) = read(text, reader(tokenizer))
    assert list(stretch.words) == list(range(len(split_words(text))))
    assert stretch.targets == stretch.words
    assert len(set(stretch.places)) == len(stretch.places)
    if text.isascii():
        for word, token in spoken(text, tokenizer, stretch):
            start = token.removeprefix("##").lower()
            assert not start or "[UNK]" in token or word.lower().startswith(start), (word, token)


def test_all_tokens_of_each_word_speak_for_it(tokenizer: Tokenizer) -> None:
    text = UNSEEN
    (stretch,) = read(text, reader(tokenizer, Alignment.ALL))
    (first,) = read(text, reader(tokenizer))
    assert set(first.places) <= set(stretch.places)
    assert stretch.words.tolist() == sorted(stretch.words)
    assert {word: stretch.words.index(word) for word in set(stretch.words)}.keys() == set(
        first.words
    )
    assert len(stretch.places) > len(first.places)


@pytest.mark.parametrize("alignment", Alignment)
@pytest.mark.parametrize(("size", "stride"), [(12, 3), (12, 8), (9, 0), (64, 16)])
def test_every_word_is_read_in_one_window_where_most_stands_around_it(
    alignment: Alignment, size: int, stride: int, tokenizer: Tokenizer
) -> None:
    text = " ".join(LINES[:8])
    stretches = read(text, reader(tokenizer, alignment, mh.Windows(size, stride)))
    whole = read(text, reader(tokenizer, alignment, mh.Windows(10_000)))[0]
    owners: dict[int, set[int]] = {}
    for number, one in enumerate(stretches):
        assert one.row == 0 and len(one.texts) == (number == 0)
        for word in one.words:
            owners.setdefault(word, set()).add(number)
    assert owners.keys() == set(whole.words)
    assert all(len(found) == 1 for found in owners.values())
    # Where each window begins in the text: its first token behind the special one.
    firsts = dict(zip(reversed(whole.words), reversed(whole.places), strict=True))
    begins = [number * (size - 2 - stride) for number in range(len(stretches))]
    for word, (number,) in ((word, tuple(found)) for word, found in owners.items()):
        contexts = {
            other: min(place, len(one.piece.ids) - place)
            for other, one in enumerate(stretches)
            if 0 < (place := firsts[word] - begins[other]) < len(one.piece.ids) - 1
        }
        assert contexts[number] == max(contexts.values())


def test_words_without_tokens_are_left_out(tokenizer: Tokenizer) -> None:
    text = "Anna \u200b Bonn"
    words = [(0, 4), (5, 6), (7, 11)]
    (stretch,) = reader(tokenizer).read([text], [words], [[0, 1, 2]])
    assert stretch.words.tolist() == stretch.targets.tolist() == [0, 2]
    (empty,) = reader(tokenizer).read([" "], [[]], [[]])
    batch = StretchBatch.of([empty])
    assert batch.targets is None and batch.counts == (0,) and batch.places.dtype == torch.long


def test_cleaning_moves_characters_and_not_words(tokenizer: Tokenizer) -> None:
    text = "\ufeffA\u200bnna\r\nmet Be\u0301la."
    stretches = read(text, reader(tokenizer))
    clean = read("Anna\nmet Béla.", reader(tokenizer))
    assert stretches == [
        Stretch(0, one.piece, one.places, one.words, one.targets, stretches[0].texts)
        for one in clean
    ]
    with pytest.raises(RecipeError, match="cleaning HTML moves characters"):
        read(text, reader(tokenizer, cleaning=Cleaning(html=True)))


def test_a_batch_lays_stretches_end_to_end(tokenizer: Tokenizer) -> None:
    stretches = [read(text, reader(tokenizer))[0] for text in LINES[:3]]
    batch = StretchBatch.of(stretches)
    assert batch.tokens == sum(one.tokens for one in stretches) == len(batch.ids)
    assert batch.counts == tuple(len(one.places) for one in stretches)
    parts = batch.ids[batch.places].split(batch.counts)
    for one, ids in zip(stretches, parts, strict=True):
        assert [one.piece.ids[place] for place in one.places] == ids.tolist()
    assert batch.layout.global_tokens == (0, 0, 0)
    assert Counter(batch.rows) == {0: 3} and len(batch) == 3


def test_a_digest_knows_tokens_places_and_tags(tokenizer: Tokenizer) -> None:
    text = UNSEEN
    words = split_words(text)
    digests = {
        reader(tokenizer, alignment).read([text], [words], [targets])[0].digest(0)
        for alignment in Alignment
        for targets in ([0] * len(words), [1] + [0] * (len(words) - 1))
    }
    assert len(digests) == 4


def test_long_texts_are_never_cut() -> None:
    body: Pretrained = tiny.SCRATCH.build(LINES)
    task = mh.Tagging(labels=("O", "B-PER", "I-PER"))
    for kind in (mh.Head, mh.Tail, mh.HeadTail, mh.Windows):
        from manyheads.tasks import Reading

        made = task.reader(body, Reading(Cleaning(), kind, 20)).reader.truncation
        assert isinstance(made, mh.Windows) and made.max_tokens == 20
        assert made.stride == (0 if kind is mh.Windows else 5)
