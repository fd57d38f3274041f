from __future__ import annotations

import json
import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as sklearn_metrics

from manyheads.errors import DataError, RecipeError
from manyheads.tasks.metrics import (
    Interval,
    LabelScores,
    bootstrap_interval,
    classification_scores,
    multilabel_scores,
    regression_scores,
    wilson_interval,
)

# The order is not the alphabet's, which scikit-learn would sort by.
LABELS = ("pain", "acne", "birth control")
EXPECTED = ["pain", "pain", "pain", "pain", "acne", "acne", "birth control", "birth control"]
PREDICTED = ["pain", "pain", "pain", "acne", "acne", "pain", "birth control", "acne"]


def test_classification_by_hand():
    scores = classification_scores(EXPECTED, PREDICTED, LABELS)
    assert scores.count == 8
    assert scores.accuracy == pytest.approx(5 / 8)
    assert scores.balanced_accuracy == pytest.approx((3 / 4 + 1 / 2 + 1 / 2) / 3)
    assert scores.per_label == (
        LabelScores("pain", 3 / 4, 3 / 4, 3 / 4, 4),
        LabelScores("acne", 1 / 3, 1 / 2, pytest.approx(2 / 5), 2),
        LabelScores("birth control", 1.0, 1 / 2, pytest.approx(2 / 3), 2),
    )
    assert scores.macro_f1 == pytest.approx((3 / 4 + 2 / 5 + 2 / 3) / 3)
    assert scores.weighted_f1 == pytest.approx((4 * 3 / 4 + 2 * 2 / 5 + 2 * 2 / 3) / 8)
    assert scores.micro_f1 == pytest.approx(5 / 8)
    assert scores.confusion == ((3, 1, 0), (1, 1, 0), (0, 1, 1))
    assert scores.labels == LABELS
    assert scores.log_loss is None
    assert scores.roc_auc is None


def test_log_loss_takes_the_columns_in_the_order_of_the_labels():
    probabilities = np.array([[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.2, 0.3, 0.5]])
    scores = classification_scores(
        ["pain", "acne", "birth control"], ["pain", "acne", "birth control"], LABELS, probabilities
    )
    assert scores.log_loss == pytest.approx(-np.mean(np.log([0.7, 0.6, 0.5])))


def test_roc_auc_is_that_of_the_second_label():
    expected = ["no", "yes", "yes", "no"]
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.5, 0.5]])
    scores = classification_scores(expected, expected, ("no", "yes"), probabilities)
    assert scores.roc_auc == pytest.approx(3 / 4)  # one of four pairs is the wrong way round


def test_float32_probabilities_do_not_warn(recwarn: pytest.WarningsRecorder):
    logits = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32) * 9
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    expected = [LABELS[i % 3] for i in range(50)]
    classification_scores(expected, expected, LABELS, probabilities)
    assert not recwarn.list


def test_a_label_without_rows_is_listed_and_does_not_spoil_the_means():
    scores = classification_scores(["a", "b"], ["a", "b"], ("a", "b", "c"))
    assert scores.macro_f1 == scores.balanced_accuracy == 1.0
    assert scores.per_label[2] == LabelScores("c", 0.0, 0.0, 0.0, 0)


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("abcd")), min_size=1))
def test_classification_equals_scikit_learn_on_names(rows: list[tuple[str, str]]):
    expected, predicted = map(list, zip(*rows, strict=True))
    scores = classification_scores(expected, predicted, tuple("dcba"))

    def f1(average: str) -> float:
        return sklearn_metrics.f1_score(expected, predicted, average=average, zero_division=0)

    assert scores.macro_f1 == pytest.approx(f1("macro"))
    assert scores.weighted_f1 == pytest.approx(f1("weighted"))
    one_label = len({*expected, *predicted}) == 1
    matthews = 0 if one_label else sklearn_metrics.matthews_corrcoef(expected, predicted)
    assert scores.matthews_correlation == pytest.approx(matthews)
    assert sum(map(sum, scores.confusion)) == len(rows)


def test_multilabel_by_hand():
    expected = [["pain", "acne"], ["acne"], [], ["birth control"]]
    predicted = [["acne", "pain"], ["pain"], [], ["birth control", "acne"]]
    probabilities = [[0.9, 0.8, 0.1], [0.7, 0.4, 0.1], [0.1, 0.1, 0.1], [0.1, 0.6, 0.8]]
    scores = multilabel_scores(expected, predicted, LABELS, probabilities)
    assert scores.subset_accuracy == pytest.approx(2 / 4)
    assert scores.micro_f1 == pytest.approx(2 * 3 / (5 + 4))
    assert scores.macro_f1 == pytest.approx((2 / 3 + 1 / 2 + 1) / 3)
    assert scores.label_ranking_average_precision == pytest.approx((1 + 1 / 2 + 1 + 1) / 4)
    assert [label.support for label in scores.per_label] == [1, 2, 1]
    assert [label.label for label in scores.per_label] == list(LABELS)


def test_a_single_label_is_counted_where_it_is():
    # Two right, one too many, one missed, one rightly left out: two classes would have F1 0.583.
    truth, guess = [["a"], ["a"], [], ["a"], []], [["a"], ["a"], ["a"], [], []]
    scores = multilabel_scores(truth, guess, ["a"], [[0.9], [0.8], [0.6], [0.2], [0.1]])
    assert (scores.micro_f1, scores.macro_f1) == (pytest.approx(2 / 3), pytest.approx(2 / 3))
    assert scores.subset_accuracy == pytest.approx(3 / 5)
    assert scores.label_ranking_average_precision == 1  # there is nothing to rank
    assert scores.per_label == (
        LabelScores("a", pytest.approx(2 / 3), pytest.approx(2 / 3), pytest.approx(2 / 3), 3),
    )
    uneven = multilabel_scores([["a"], []], [["a"], ["a"]], ["a"])
    assert uneven.micro_f1 == uneven.macro_f1 == pytest.approx(2 / 3)  # of two classes: 1/2, 1/3
    assert uneven.per_label == (LabelScores("a", 0.5, 1.0, pytest.approx(2 / 3), 1),)
    nothing = multilabel_scores([[], []], [[], []], ["a"])
    assert (nothing.micro_f1, nothing.per_label[0].support) == (0, 0)


def test_regression_against_numpy():
    generator = np.random.default_rng(1)
    truth = generator.normal(size=40)
    guess = truth + generator.normal(size=40)
    scores = regression_scores(truth, guess)
    assert scores.mean_absolute_error == pytest.approx(np.abs(truth - guess).mean())
    assert scores.root_mean_squared_error == pytest.approx(np.sqrt(((truth - guess) ** 2).mean()))
    assert scores.r2 == pytest.approx(1 - ((truth - guess) ** 2).sum() / (40 * truth.var()))
    assert scores.pearson == pytest.approx(np.corrcoef(truth, guess)[0, 1])
    ranks = np.corrcoef(truth.argsort().argsort(), guess.argsort().argsort())[0, 1]
    assert scores.spearman == pytest.approx(ranks)


def test_correlations_with_a_constant_have_no_meaning(recwarn: pytest.WarningsRecorder):
    scores = regression_scores([1.0, 2.0, 3.0], [2.0, 2.0, 2.0])
    assert scores.pearson is scores.spearman is None
    assert scores.r2 == pytest.approx(0.0)
    assert regression_scores([1.0, 1.0], [1.0, 2.0]).r2 is None
    assert not recwarn.list


def test_scores_by_name():
    scores = classification_scores(EXPECTED, PREDICTED, LABELS)
    assert scores.value("accuracy") == scores.accuracy
    assert "log_loss" not in scores.numbers()  # None without probabilities
    assert "count" not in scores.numbers()
    with pytest.raises(RecipeError, match=r"'acuracy' is unknown here\. Did you mean 'accuracy'"):
        scores.value("acuracy")


def test_scores_are_json_with_labels_by_name():
    scores = classification_scores(EXPECTED, PREDICTED, LABELS, np.full((8, 3), 1 / 3))
    document = json.loads(json.dumps(scores.to_json()))
    assert document["labels"] == list(LABELS)
    assert document["per_label"][1]["label"] == "acne"
    assert document["accuracy_interval"]["level"] == 0.95
    json.dumps(multilabel_scores([["pain"]], [["pain"]], LABELS).to_json())
    json.dumps(regression_scores([1.0, 2.0], [1.0, 2.5]).to_json())


@pytest.mark.parametrize(
    ("expected", "predicted", "probabilities", "message"),
    [
        ([], [], None, "no rows"),
        (["pain"], [], None, "0 predictions for 1 expected rows"),
        (["pian"], ["pain"], None, "row 1 has the label 'pian'.* Did you mean 'pain'"),
        (["pain"], ["pain"], [[0.5, 0.5]], r"shape \(1, 2\) instead of \(1, 3\)"),
    ],
)
def test_rows_that_cannot_be_scored(expected, predicted, probabilities, message: str):
    with pytest.raises(DataError, match=message):
        classification_scores(expected, predicted, LABELS, probabilities)


@given(trials=st.integers(1, 500), share=st.floats(0, 1))
def test_wilson_equals_scipy(trials: int, share: float):
    successes = round(share * trials)
    ours = wilson_interval(successes, trials)
    theirs = stats.binomtest(successes, trials).proportion_ci(0.95, method="wilson")
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


def test_bootstrap_agrees_with_the_normal_interval_of_a_mean():
    values = np.random.default_rng(2).normal(size=400)
    interval = bootstrap_interval(lambda rows: float(values[rows].mean()), 400, seed=3)
    half = 1.96 * values.std() / math.sqrt(400)
    assert interval.low == pytest.approx(values.mean() - half, abs=0.02)
    assert interval.high == pytest.approx(values.mean() + half, abs=0.02)
    again = bootstrap_interval(lambda rows: float(values[rows].mean()), 400, seed=3)
    assert again == interval
    assert isinstance(interval, Interval)


def test_without_scikit_learn_the_extra_is_named():
    program = (
        "import sys; sys.modules['sklearn'] = None\n"
        "from manyheads.errors import MissingExtra\n"
        "from manyheads.tasks.metrics import classification_scores\n"
        "try: classification_scores(['a'], ['a'], ['a', 'b'])\n"
        "except MissingExtra as error: print(error)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "pip install 'manyheads[eval]'" in run.stdout
