from __future__ import annotations

from array import array
from collections import Counter
from itertools import pairwise, product
from pathlib import Path
from random import Random

import pytest
from tests import tiny

from manyheads.errors import RecipeError
from manyheads.text import (
    ENDED,
    BytePair,
    Head,
    SubwordSampler,
    Tokenizer,
    Unigram,
    WordPiece,
    Words,
    learn_tokenizer,
)
from manyheads.text.splitting import BestPath, LongestMatch, Merges

TEXTS = [text for text, _ in tiny.mood_rows(200)] + ["naïve café, 5 €!", "  two  spaces "]
WHOLE = Head(1000)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return learn_tokenizer(TEXTS, BytePair(330, lowercase=False), frame=ENDED)


def usual(tokenizer: Tokenizer, text: str) -> array[int]:
    return tokenizer.encode([text])[0].pieces[0].ids


def test_where_nothing_is_left_out_it_is_the_tokenizer(tokenizer: Tokenizer):
    sampler, random = SubwordSampler(tokenizer), Random(0)
    for text in TEXTS:
        ids = usual(tokenizer, text)
        assert sampler.read(text, ids, 0.0, random, WHOLE) == ids


def test_where_all_is_left_out_there_are_only_bytes(tokenizer: Tokenizer):
    sampler = SubwordSampler(tokenizer)
    for text in TEXTS:
        ids = sampler.read(text, usual(tokenizer, text), 1.0, Random(0), WHOLE)
        assert len(ids) == len(text.encode()) + 1
        assert tokenizer.decode(ids) == text


def test_the_pieces_always_join_to_the_text(tokenizer: Tokenizer):
    sampler, random = SubwordSampler(tokenizer), Random(0)
    for text in TEXTS:
        ids = sampler.read(text, usual(tokenizer, text), 0.3, random, WHOLE)
        assert tokenizer.decode(ids) == text


def test_the_seed_decides(tokenizer: Tokenizer):
    sampler, text = SubwordSampler(tokenizer), " ".join(TEXTS[:20])
    one, same, other = (
        sampler.read(text, usual(tokenizer, text), 0.2, Random(seed), WHOLE) for seed in (1, 1, 2)
    )
    assert one == same != other


def test_merges_are_left_out_as_often_as_the_algorithm_says(tokenizer: Tokenizer):
    """Against the probability of every outcome, by going through all choices for a short word."""
    sampler, word, share = SubwordSampler(tokenizer), "was", 0.3
    pieces = sampler._pieces
    assert isinstance(pieces, Merges)
    ranks = pieces._ranks

    def outcomes(symbols: tuple[str, ...]) -> Counter[tuple[str, ...]]:
        pairs = [i for i in range(len(symbols) - 1) if symbols[i : i + 2] in ranks]
        result: Counter[tuple[str, ...]] = Counter()
        for dropped in product([True, False], repeat=len(pairs)):
            chance = 1.0
            for is_dropped in dropped:
                chance *= share if is_dropped else 1 - share
            left = [i for i, is_dropped in zip(pairs, dropped, strict=True) if not is_dropped]
            if not left:
                result[symbols] += chance  # type: ignore[assignment]
                continue
            at = min(left, key=lambda i: ranks[symbols[i], symbols[i + 1]])
            merged = (*symbols[:at], symbols[at] + symbols[at + 1], *symbols[at + 2 :])
            for outcome, further in outcomes(merged).items():
                result[outcome] += chance * further  # type: ignore[assignment]
        return result

    expected = outcomes(tuple(word))
    assert len(expected) > 1
    random, draws = Random(0), 20_000
    seen = Counter(
        tuple(tokenizer.tokens(sampler._sampled(word, share, random))) for _ in range(draws)
    )
    for outcome, chance in expected.items():
        assert seen[outcome] / draws == pytest.approx(chance, abs=0.015)


def test_a_longer_reading_is_cut_as_the_policy_says(tokenizer: Tokenizer):
    text = " ".join(TEXTS[:10])
    ids = SubwordSampler(tokenizer).read(text, usual(tokenizer, text), 0.9, Random(0), Head(12))
    assert len(ids) == 12 and ids[-1] == tokenizer.eos_id


def test_special_tokens_in_a_text_have_no_parts(tokenizer: Tokenizer):
    text = "the food </s> was"
    ids = usual(tokenizer, text)
    assert SubwordSampler(tokenizer).read(text, ids, 1.0, Random(0), WHOLE) == ids


@pytest.fixture(scope="module", params=[Unigram(90), WordPiece(120)], ids=["unigram", "wordpiece"])
def by_pieces(request) -> Tokenizer:
    return learn_tokenizer(TEXTS, request.param, frame=ENDED)


def test_pieces_that_all_stay_are_the_tokenizers(by_pieces: Tokenizer):
    sampler, random = SubwordSampler(by_pieces), Random(0)
    for text in TEXTS:
        ids = usual(by_pieces, text)
        assert sampler.read(text, ids, 0.0, random, WHOLE) == ids


def test_pieces_that_all_go_leave_characters(by_pieces: Tokenizer):
    sampler, text = SubwordSampler(by_pieces), "the food was great"
    *ids, _ = sampler.read(text, usual(by_pieces, text), 0.999999, Random(0), WHOLE)
    assert all(len(one.removeprefix("##")) == 1 for one in by_pieces.tokens(ids))


def test_other_pieces_spell_the_same_text(by_pieces: Tokenizer):
    sampler, random, others = SubwordSampler(by_pieces), Random(0), 0
    for text in TEXTS:
        ids = usual(by_pieces, text)
        drawn = sampler.read(text, ids, 0.4, random, WHOLE)
        others += drawn != ids
        assert by_pieces.decode(drawn) == by_pieces.decode(ids)
    assert others > len(TEXTS) // 2


SCORES = {"a": -3.0, "b": -3.0, "c": -3.0, "ab": -2.0, "bc": -2.5, "abc": -4.4}


@pytest.mark.parametrize("length", [2, 3])
def test_unigram_takes_the_best_path_through_what_is_left(length: int):
    """Against every choice of what is left out, with the best of all paths found by hand."""
    word, share = "abc"[:length], 0.35
    spans = [(i, j) for i in range(length) for j in range(i + 1, length + 1)]
    ids = {piece: number for number, piece in enumerate(SCORES)}

    def best(left_out: set[tuple[int, int]]) -> tuple[int, ...]:
        paths = []
        for marks in product([True, False], repeat=length - 1):
            cuts = [0, *(at for at, mark in enumerate(marks, 1) if mark), length]
            path = list(pairwise(cuts))
            if left_out.isdisjoint(path):
                paths.append((sum(SCORES[word[i:j]] for i, j in path), path))
        return tuple(ids[word[i:j]] for i, j in max(paths)[1])

    expected: Counter[tuple[int, ...]] = Counter()
    longer = [span for span in spans if span[1] - span[0] > 1]
    for marks in product([True, False], repeat=len(longer)):
        left_out = {span for span, mark in zip(longer, marks, strict=True) if mark}
        chance = share ** len(left_out) * (1 - share) ** (len(longer) - len(left_out))
        expected[best(left_out)] += chance  # type: ignore[assignment]
    sampler, random, draws = BestPath(SCORES), Random(0), 20_000
    seen = Counter(tuple(sampler.drawn(word, best(set()), share, random)) for _ in range(draws))
    assert seen.keys() == expected.keys()
    for outcome, chance in expected.items():
        assert seen[outcome] / draws == pytest.approx(chance, abs=0.015)


def test_wordpiece_takes_the_longest_of_what_is_left():
    ids = {piece: n for n, piece in enumerate(["a", "##b", "##c", "ab", "abc", "##bc", "[UNK]"])}
    sampler, random, draws = LongestMatch(ids, "##"), Random(0), 20_000
    seen = Counter(tuple(sampler.drawn("abc", (ids["abc"],), 0.5, random)) for _ in range(draws))
    chances = {("abc",): 0.5, ("ab", "##c"): 0.25, ("a", "##bc"): 0.125, ("a", "##b", "##c"): 0.125}
    for pieces, chance in chances.items():
        assert seen[tuple(ids[one] for one in pieces)] / draws == pytest.approx(chance, abs=0.015)


def test_unknown_words_stay_unknown():
    ids = {piece: n for n, piece in enumerate(["a", "##b", "[UNK]"])}
    assert LongestMatch(ids, "##").drawn("axbcd", (2,), 0.9, Random(0)) == (2,)


def test_tokenizers_of_whole_words_are_refused():
    with pytest.raises(RecipeError, match="WordLevel"):
        SubwordSampler(learn_tokenizer(TEXTS, Words()))


def test_pieces_of_sentencepiece_are_left_out_too(tmp_path: Path):
    spm = pytest.importorskip("tests.spm")
    tokenizer = Tokenizer.from_folder(spm.nllb(tmp_path, spm.learnt(260, model_type="bpe")))
    sampler = SubwordSampler(tokenizer)
    for text in ("The hotel was wonderful", "酒店的服务不错", "the ﬁne room"):
        ids = usual(tokenizer, text)
        assert sampler.read(text, ids, 0.0, Random(0), WHOLE) == ids
        parts = sampler.read(text, ids, 1.0, Random(0), WHOLE)
        assert len(parts) > len(ids)
        assert tokenizer.decode(parts) == tokenizer.decode(ids)
    text = "the café 日本"  # unknown characters are no parts of words, also where they are cut
    assert tokenizer.unk_id in usual(tokenizer, text)
    for limit in (3, 100):
        (cut,) = tokenizer.encode([text], truncation=Head(limit))[0].pieces
        found = sampler.read(text, cut.ids, 1.0, Random(0), Head(limit))
        assert len(found) <= limit and found[0] == cut.ids[0]
