from __future__ import annotations

import numpy as np
import pytest
from tests import tiny

from manyheads.tasks import (
    Answering,
    Answers,
    Judgement,
    MultiLabel,
    MultiLabelled,
    Tagging,
)
from manyheads.tasks.metrics import multilabel_scores, regression_scores, wilson_interval
from manyheads.tasks.tagging.scores import entity_scores
from manyheads.text.tagged import Tagged
from manyheads.train.analysis.row_scores import RowScore, RowScores, row_scores

ANY = regression_scores([1.0, 2.0], [1.0, 2.0])
SPLIT = tiny.moods(4).train


def judged(expected: list, said: list) -> Judgement:
    losses = [1.0] * len(said)
    rows = range(len(said))
    return Judgement(1.0, ANY, rows, losses, said.__getitem__, expected.__getitem__)


def tagged(*tags: str) -> Tagged:
    return Tagged(
        "a b c"[: 2 * len(tags)], tuple((2 * n, 2 * n + 1) for n in range(len(tags))), tags
    )


def test_sets_of_labels_are_scored_as_their_metric_does():
    expected = [["a"], ["a", "b"], [], ["b"]]
    said = [("a",), ("b",), ("a",), ("b", "a")]
    guesses = [MultiLabelled(labels, {}) for labels in said]
    task = MultiLabel(labels=("a", "b"))
    found = row_scores(task, judged(expected, guesses), SPLIT, range(4))
    whole = multilabel_scores(expected, said, ("a", "b"))
    assert found.metric == "micro F1"
    assert found.score(np.arange(4)) == pytest.approx(whole.micro_f1)
    assert found.rows[1].confused == (("a", "(missed)"),)
    assert found.rows[2].confused == (("(nothing)", "a"),)


def test_entities_are_scored_as_their_metric_does():
    pytest.importorskip("seqeval")
    expected = [tagged("B-PER", "I-PER", "O"), tagged("B-LOC", "O", "B-ORG")]
    said = [tagged("B-PER", "I-PER", "O"), tagged("B-ORG", "B-LOC", "O")]
    found = row_scores(Tagging(), judged(expected, said), SPLIT, range(2))
    whole = entity_scores([one.tags for one in expected], [one.tags for one in said])
    assert found.score(np.arange(2)) == pytest.approx(whole.f1)
    assert found.rows[0].confused == () and found.rows[0].classes == ("PER",)
    assert set(found.rows[1].confused) == {
        ("LOC", "ORG"),
        ("ORG", "(missed)"),
        ("(nothing)", "LOC"),
    }


def test_words_are_scored_where_tags_mark_no_entities():
    expected, said = [tagged("NOUN", "VERB", "NOUN")], [tagged("NOUN", "NOUN", "NOUN")]
    found = row_scores(Tagging(), judged(expected, said), SPLIT, range(1))
    assert found.score(np.arange(1)) == pytest.approx(2 / 3)
    assert found.rows[0].confused == (("VERB", "NOUN"),)


def test_answers_are_scored_by_shared_words():
    expected = [Answers(("the red house",), (0,)), Answers()]
    found = row_scores(Answering(), judged(expected, ["red door", "(no answer)"]), SPLIT, range(2))
    assert [row.gain for row in found.rows] == [pytest.approx(0.5), 1.0]


def test_intervals_hold_what_they_say():
    draw = np.random.default_rng(0)
    hits = RowScores.of(
        "accuracy", [RowScore(float(n % 3 > 0), 1.0) for n in range(30)], is_share=True
    )
    assert hits.intervals(np.arange(30), (0.95,)) == [wilson_interval(20, 30)]
    for count in (400, 4000):  # by the bootstrap, and by the normal distribution
        rows = [RowScore(gain, 1.0) for gain in draw.normal(5.0, 2.0, count)]
        near, far = RowScores.of("loss", rows).intervals(np.arange(count), (0.95, 0.999))
        assert far.low < near.low < 5.0 < near.high < far.high
        assert near.high - near.low == pytest.approx(2 * 1.96 * 2.0 / count**0.5, rel=0.15)
