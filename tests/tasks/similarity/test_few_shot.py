"""Few shots: pairs cover all classes and texts evenly; the body learns them, then the head."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from collections.abc import Sequence
from itertools import islice

import pytest
import torch
from tests import tiny

import manyheads as mh
from manyheads.errors import DataError, RecipeError
from manyheads.tasks import Example, FewShot
from manyheads.tasks.similarity.few_shot import Contrast, Twins, contrasted

LABELS = [*"a" * 3, *"b" * 20, *"c" * 7]


def drawn(labels: Sequence[str], count: int, seed: int = 0) -> list[tuple[int, int]]:
    return list(contrasted(labels, count, seed))


def test_as_many_pairs_of_one_label_as_of_two() -> None:
    pairs = drawn(LABELS, 50)
    same = [LABELS[a] == LABELS[b] for a, b in pairs]
    assert len(pairs) == 100
    assert same == [True, False] * 50
    assert all(a != b for a, b in pairs)


@pytest.mark.parametrize("of_one", [True, False], ids=["alike", "unlike"])
def test_classes_and_their_texts_come_evenly(of_one: bool) -> None:
    pairs = [pair for pair in drawn(LABELS, 420) if (LABELS[pair[0]] == LABELS[pair[1]]) is of_one]
    texts = Counter(row for pair in pairs for row in pair)
    classes = Counter(LABELS[row] for pair in pairs for row in pair)
    assert max(classes.values()) - min(classes.values()) <= 2
    for label in "abc":
        counts = [texts[row] for row, one in enumerate(LABELS) if one == label]
        assert max(counts) - min(counts) <= 1
    if not of_one:
        kinds = Counter(frozenset(LABELS[row] for row in pair) for pair in pairs)
        assert set(kinds.values()) == {140}


def test_pairs_are_new_ones_while_there_are_any() -> None:
    pairs = drawn(["a", "b"] * 20, 20)[::2]
    assert len({frozenset(pair) for pair in pairs}) == len(pairs)


def test_a_class_of_one_text_is_paired_with_itself() -> None:
    assert (0, 0) in drawn(["a", "b", "b"], 4)


def test_the_seed_decides() -> None:
    assert drawn(LABELS, 30) == drawn(LABELS, 30)
    assert drawn(LABELS, 30) != drawn(LABELS, 30, seed=1)


def test_pairs_are_never_listed() -> None:
    labels = ["a", "b"] * 5000  # 50 million pairs
    tracemalloc.start()
    for _ in islice(contrasted(labels, 10**9, 0), 20_000):
        pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5_000_000


@pytest.fixture(scope="module")
def data() -> mh.Dataset:
    return tiny.moods(12, test=tiny.columns(tiny.mood_rows(20, seed=6)))


@pytest.fixture(scope="module")
def learner(data: mh.Dataset) -> mh.Learner:
    recipe = mh.Recipe(batch_size=8, learning_rate=3e-3, epochs=3)
    return mh.Learner(tiny.body(data), FewShot(pairs_per_text=4), data, recipe, quiet=True)


def test_what_is_learnt_is_the_squared_distance_of_cosines_from_1_and_0(
    learner: mh.Learner,
) -> None:
    contrast, twins = learner.task.lessons(learner.examples["train"], seed=0)
    model = learner.model.eval()
    batch = contrast.collate(twins[:6])
    with torch.no_grad():
        loss = contrast.loss(model, batch)

        def vector(one: Example) -> torch.Tensor:
            return model.features(learner.task.collate([one]))[0]

        wanted = [
            (
                torch.cosine_similarity(vector(one.first), vector(one.second), dim=0)
                - float(one.first.target == one.second.target)
            )
            ** 2
            for one in twins[:6]
        ]
    assert loss.weight == len(batch) == 6
    assert float(loss.mean) == pytest.approx(float(sum(wanted)) / 6, rel=1e-4)


def test_a_text_of_several_pairs_is_read_once(learner: mh.Learner) -> None:
    contrast, twins = learner.task.lessons(learner.examples["train"], seed=0)
    batch = contrast.collate(twins[:])
    assert sorted(batch.rows) == list(range(12))
    pairs = [(batch.rows[a], batch.rows[b]) for a, b in batch.places.T.tolist()]
    assert pairs == [(one.first.row, one.second.row) for one in twins]
    assert batch.tokens == sum(one.tokens for one in learner.examples["train"])


def test_pairs_count_the_tokens_and_texts_of_both(learner: mh.Learner) -> None:
    contrast, twins = learner.task.lessons(learner.examples["train"], seed=0)
    assert isinstance(contrast, Contrast) and isinstance(twins, Twins)
    assert len(twins) == 2 * 4 * 12
    one = twins[0]
    assert one.tokens == one.first.tokens + one.second.tokens == contrast.collate([one]).tokens
    assert len(one.texts) == 2 and one.row == one.first.row
    assert len({twin.digest(0) for twin in twins[:2]}) == 2


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"pairs_per_text": 0}, "pairs_per_text=0"),
        ({"objective": mh.InBatchNegatives()}, "InBatchNegatives"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, object], words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        FewShot(**settings)  # type: ignore[arg-type]


def test_one_class_alone_is_refused() -> None:
    data = mh.read({"text": ["x", "y"], "label": ["a", "a"]}, valid=0)
    with pytest.raises(DataError, match="'a'"):
        FewShot(labels=("a", "b")).fit_to(data.train.columns, data.train.describe)
