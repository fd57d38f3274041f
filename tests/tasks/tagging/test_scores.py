from __future__ import annotations

import random

import pytest

from manyheads.errors import DataError
from manyheads.tasks.tagging.scores import entity_scores

seqeval = pytest.importorskip("seqeval.metrics")

TRUTH = [["B-PER", "I-PER", "O", "B-LOC"], ["B-LOC", "O"], ["O", "O"]]
FOUND = [["B-PER", "I-PER", "O", "B-ORG"], ["B-LOC", "B-LOC"], ["O", "O"]]


def test_counted_by_hand() -> None:
    scores = entity_scores(TRUTH, FOUND)
    assert (scores.precision, scores.recall) == (2 / 4, 2 / 3)
    assert scores.f1 == pytest.approx(4 / 7)
    assert scores.accuracy == 6 / 8
    by_label = {one.label: (one.precision, one.recall, one.support) for one in scores.per_label}
    assert by_label == {"LOC": (0.5, 0.5, 2), "ORG": (0, 0, 0), "PER": (1, 1, 1)}
    assert scores.macro_f1 == pytest.approx((0.5 + 0 + 1) / 3)
    assert scores.f1_interval.low <= scores.f1 <= scores.f1_interval.high
    assert scores.texts == 3


def test_equal_to_seqeval() -> None:
    draw = random.Random(0)
    tags = ["O", "O", "B-X", "I-X", "B-Y", "I-Y"]
    for _ in range(30):
        rows = [
            [[draw.choice(tags) for _ in range(size)] for size in (4, 7, 1, 9)] for _ in range(2)
        ]
        scores = entity_scores(*rows)
        assert scores.f1 == pytest.approx(seqeval.f1_score(*rows, zero_division=0))
        assert scores.precision == pytest.approx(seqeval.precision_score(*rows, zero_division=0))
        assert scores.recall == pytest.approx(seqeval.recall_score(*rows, zero_division=0))
        assert scores.accuracy == pytest.approx(seqeval.accuracy_score(*rows))
        macro = seqeval.f1_score(*rows, average="macro", zero_division=0)
        assert scores.macro_f1 == pytest.approx(macro)


def test_texts_without_entities_and_without_words() -> None:
    scores = entity_scores([["O", "O"], []], [["O", "O"], []])
    assert (scores.f1, scores.accuracy, scores.per_label) == (0.0, 1.0, ())
    with pytest.raises(DataError, match="there are no words to score"):
        entity_scores([[]], [[]])
