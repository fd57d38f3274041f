from __future__ import annotations

import math

import pytest

from manyheads.errors import RecipeError
from manyheads.train.early_stopping import EarlyStopping, best_index, is_better, lower_is_better


def stops_after(rule: EarlyStopping, metric: str, values: list[float]) -> int | None:
    """Return after how many validations a run ends."""
    for count in range(len(values) + 1):
        if rule.should_stop(metric, values[:count]):
            return count
    return None


def test_losses_and_errors_fall_and_all_else_rises():
    for metric in ("loss", "validation_loss", "log_loss", "root_mean_squared_error"):
        assert lower_is_better(metric)
    for metric in ("ter", "validation_wer", "cer", "perplexity", "bits_per_byte"):
        assert lower_is_better(metric)
    for metric in ("accuracy", "macro_f1", "pearson", "r2", "bleu", "chrf", "rougeL"):
        assert not lower_is_better(metric)


def test_stops_when_patience_runs_out():
    rule = EarlyStopping(patience=2)
    assert stops_after(rule, "accuracy", [0.5, 0.7, 0.6, 0.65, 0.9]) == 4
    assert stops_after(rule, "accuracy", [0.5, 0.7, 0.6, 0.8, 0.7]) is None
    assert stops_after(rule, "loss", [0.9, 0.5, 0.6, 0.55, 0.1]) == 4


def test_small_improvements_do_not_count_but_add_up():
    rule = EarlyStopping(patience=2, minimum_improvement=0.1)
    assert stops_after(rule, "accuracy", [0.50, 0.55, 0.59, 0.9]) == 3
    # Measured against the record that counted, so a slow but steady rise goes on.
    assert stops_after(rule, "accuracy", [0.50, 0.56, 0.62, 0.68, 0.74]) is None


def test_equal_values_are_no_improvement():
    assert stops_after(EarlyStopping(patience=1), "accuracy", [0.5, 0.5]) == 2


def test_not_a_number_is_never_an_improvement():
    assert stops_after(EarlyStopping(patience=2), "loss", [0.5, math.nan, math.nan]) == 3
    assert best_index("loss", [math.nan, 0.9, math.nan, 0.8]) == 3
    assert not is_better("loss", math.nan, than=math.nan)


def test_best_is_the_earliest_of_equals():
    assert best_index("accuracy", [0.1, 0.9, 0.9, 0.3]) == 1
    assert best_index("loss", [0.4, 0.2, 0.2]) == 1


@pytest.mark.parametrize(("settings", "message"), [
    ({"patience": 0}, "patience=0"),
    ({"minimum_improvement": -0.1}, "minimum_improvement=-0.1"),
    ({"minimum_improvement": math.nan}, "minimum_improvement=nan"),
])  # fmt: skip
def test_impossible_rules_are_refused(settings: dict[str, float], message: str):
    with pytest.raises(RecipeError, match=message):
        EarlyStopping(**settings)
