from __future__ import annotations

import random

import numpy as np
import pytest
from scipy import stats

from manyheads.errors import DataError
from manyheads.tasks import Bleu, Chrf, Rouge, Ter, WordErrors, compare, compare_values

WORDS = ("the", "a", "cat", "dog", "house", "tree", "green", "red", "runs", "under", "and", "but")


def corpus(count, seed=0):
    draw = random.Random(seed)
    return [" ".join(draw.choices(WORDS, k=draw.randint(6, 14))) for _ in range(count)]


def damaged(texts, share, seed):
    draw = random.Random(seed)
    return [
        " ".join("wrong" if draw.random() < share else word for word in text.split())
        for text in texts
    ]


@pytest.mark.parametrize("metric", [Bleu(), Chrf(), Ter()], ids=lambda metric: metric.name)
def test_sums_over_any_examples_give_the_score_of_sacrebleu(metric):
    from sacrebleu.metrics import BLEU, CHRF, TER

    original = {"bleu": BLEU(), "chrf": CHRF(), "ter": TER()}[metric.name]
    expected = corpus(30)
    predicted = damaged(expected, 0.3, seed=1)
    statistics = metric.statistics([(text,) for text in expected], predicted)
    for rows in ([0], [3, 3, 7], range(10, 30)):
        sums = statistics.rows_NK[list(rows)].sum(axis=0)
        whole = original.corpus_score(
            [predicted[row] for row in rows], [[expected[row] for row in rows]]
        )
        assert statistics.value_of(sums) == pytest.approx(whole.score)


@pytest.mark.parametrize(
    "metric", [Bleu(), Chrf(), Ter(), WordErrors(), Rouge()], ids=lambda m: m.name
)
def test_a_clear_difference_and_none(metric):
    expected = corpus(100)
    good, bad = damaged(expected, 0.1, seed=1), damaged(expected, 0.4, seed=2)
    clear = compare(expected, good, bad, metric, resamples=200)
    assert clear.p_value == pytest.approx(1 / 201)
    assert clear.wins == 1
    assert clear.difference == pytest.approx(clear.first - clear.second)
    assert clear.interval.low < clear.difference < clear.interval.high
    assert (clear.interval.high < 0) if metric.lower_is_better else (clear.interval.low > 0)
    same = compare(expected, good, good, metric, resamples=200)
    assert (same.difference, same.p_value, same.wins) == (0, 1, 0)
    assert compare(expected, bad, good, metric, resamples=200).wins == 0


def test_the_seed_decides():
    expected = corpus(60)
    one, other = damaged(expected, 0.30, seed=1), damaged(expected, 0.33, seed=2)
    first = compare(expected, one, other, Bleu(), resamples=200)
    assert first == compare(expected, one, other, Bleu(), resamples=200)
    assert first.interval != compare(expected, one, other, Bleu(), resamples=200, seed=1).interval


def test_the_p_value_is_that_of_the_paired_t_test():
    generator = np.random.default_rng(0)
    first = generator.normal(0.30, 1, 400)
    second = first - generator.normal(0.10, 1, 400)
    found = compare_values("points", first.tolist(), second.tolist(), resamples=4000)
    test = stats.ttest_rel(first, second)
    assert found.difference == pytest.approx(float((first - second).mean()))
    assert found.p_value == pytest.approx(test.pvalue, abs=0.02)
    interval = test.confidence_interval(0.95)
    assert found.interval.low == pytest.approx(interval.low, abs=0.02)
    assert found.interval.high == pytest.approx(interval.high, abs=0.02)


def test_sacrebleu_gives_about_half_the_p_value(monkeypatch):
    from sacrebleu.metrics import BLEU
    from sacrebleu.significance import PairedTest

    expected = corpus(150)
    one, other = damaged(expected, 0.3, seed=1), damaged(expected, 0.3, seed=9)
    ours = compare(expected, one, other, Bleu(), resamples=1000)
    monkeypatch.setenv("SACREBLEU_SEED", "0")
    systems = [("one", one), ("other", other)]
    _, theirs = PairedTest(systems, {"BLEU": BLEU()}, [expected], test_type="bs", n_samples=1000)()
    assert ours.p_value == pytest.approx(0.187, abs=1e-3)
    assert ours.p_value / 2 == pytest.approx(theirs["BLEU"][1].p_value, abs=0.03)


def test_a_comparison_is_printed_and_written_as_json():
    found = compare_values("seconds", [1.0, 2.0], [3.0, 4.0], lower_is_better=True, resamples=50)
    assert str(found) == (
        "seconds: 1.50 against 3.50, difference -2.00 (95% interval -2.00 to -2.00), p = 0.020, "
        "better in 100.0% of 50 resamples (seed 0)"
    )
    assert found.to_json()["interval"] == {"low": -2.0, "high": -2.0, "level": 0.95}
    line, signature = str(compare(["a b"], ["a b"], ["a"], WordErrors(), resamples=2)).splitlines()
    assert line.startswith("wer: 0.00 against 50.00")
    assert signature.startswith("case:mixed|version:jiwer-")


def test_what_cannot_be_compared():
    with pytest.raises(DataError, match="2 texts for 1 references"):
        compare(["a"], ["a"], ["a", "b"], Bleu())
    with pytest.raises(DataError, match="1 values against 2"):
        compare_values("x", [1.0], [1.0, 2.0])
    with pytest.raises(DataError, match="0 values against 0"):
        compare_values("x", [], [])
    with pytest.raises(DataError, match="resamples=0 is below 1"):
        compare_values("x", [1.0], [1.0], resamples=0)
