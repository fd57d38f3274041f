from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from manyheads.errors import DataError
from manyheads.tasks import Balance, Classification, MultiLabel, task_type

DESCRIBE = "table.csv, line {}".format


def fitted(labels: list[Any], task: Classification | None = None) -> Classification:
    return (task or Classification()).fit_to({"label": labels}, DESCRIBE)


def test_labels_are_found_in_the_data():
    assert fitted(["b", "a", "b"]).labels == ("a", "b")


def test_labels_zero_and_four_become_two_outputs():
    task = fitted([4, 0, 0, 4])
    assert task.labels == ("0", "4")
    assert task.targets([0, 4, 4], DESCRIBE) == [0, 1, 1]


def test_given_labels_keep_their_order_and_may_lack_examples():
    task = fitted(["b", "a"], Classification(labels=("c", "b", "a")))
    assert task.labels == ("c", "b", "a")
    assert task.targets(["a", "c"], DESCRIBE) == [2, 0]


def test_a_label_outside_the_given_ones_is_refused_with_its_row():
    task = fitted(["a", "b"], Classification(labels=("a", "b")))
    with pytest.raises(DataError, match=r"line 1 has the label 'x'"):
        task.targets(["a", "x"], DESCRIBE)


def test_one_class_is_refused():
    with pytest.raises(DataError, match=r"all 3 training examples have the label 'a'"):
        fitted(["a", "a", "a"])


def test_lists_of_labels_are_another_task():
    with pytest.raises(DataError, match="MultiLabel"):
        fitted([["a"], ["b"]])


@pytest.mark.parametrize("smoothing", [-0.1, 1.0, float("nan")])
def test_label_smoothing_has_limits(smoothing: float):
    with pytest.raises(DataError, match="label_smoothing"):
        Classification(label_smoothing=smoothing)


@given(
    seed=st.integers(0, 99),
    smoothing=st.sampled_from([0.0, 0.1, 0.5]),
    weights=st.lists(st.floats(0.1, 5), min_size=3, max_size=3),
)
def test_the_loss_is_torchs_weighted_cross_entropy_without_smoothing(
    seed: int, smoothing: float, weights: list[float]
):
    generator = torch.Generator().manual_seed(seed)
    outputs = torch.randn(7, 3, generator=generator)
    targets = torch.randint(0, 3, (7,), generator=generator)
    named = dict(zip("abc", weights, strict=True))
    task = Classification(("a", "b", "c"), class_weights=named, label_smoothing=smoothing)
    losses, scale = task.losses(outputs, targets)
    plain = functional.cross_entropy(outputs, targets, reduction="none", label_smoothing=smoothing)
    torch.testing.assert_close(losses, plain)
    torch.testing.assert_close(scale, torch.tensor(weights)[targets])
    if not smoothing:
        torch.testing.assert_close(
            (losses * scale).sum() / scale.sum(),
            functional.cross_entropy(outputs, targets, weight=torch.tensor(weights)),
        )


def test_smoothing_moves_probability_to_the_other_labels():
    # By hand: with smoothing s over C labels, the target has 1 - s + s/C and each other s/C.
    outputs = torch.tensor([[2.0, 0.0, -1.0]])
    log = outputs.log_softmax(-1)[0]
    task = Classification(("a", "b", "c"), label_smoothing=0.3)
    losses, _ = task.losses(outputs, torch.tensor([0]))
    assert float(losses[0]) == pytest.approx(float(-(0.8 * log[0] + 0.1 * log[1] + 0.1 * log[2])))


def test_balance_lets_every_class_weigh_the_same():
    labels = ["a"] * 6 + ["b"] * 2 + ["c"]
    task = fitted(labels, Classification(class_weights=Balance.INVERSE))
    assert task.class_weights == pytest.approx({"a": 0.5, "b": 1.5, "c": 3.0})
    _, weights = task.losses(torch.zeros(9, 3), torch.tensor(task.targets(labels, DESCRIBE)))
    assert [float(weights[:6].sum()), float(weights[6:8].sum()), float(weights[8])] == (
        pytest.approx([3.0, 3.0, 3.0])
    )


def test_balance_bears_a_given_label_without_examples():
    task = fitted(["a", "b"], Classification(labels=("a", "b", "c"), class_weights=Balance.INVERSE))
    assert isinstance(task.class_weights, dict)
    assert all(0 < weight < float("inf") for weight in task.class_weights.values())


def test_class_weights_by_an_unknown_name_are_refused():
    with pytest.raises(DataError, match=r"'goood'.*Did you mean 'good'"):
        fitted(["good", "bad"], Classification(class_weights={"goood": 2.0}))


@pytest.mark.parametrize("weight", [0.0, -1.0, float("nan"), float("inf")])
def test_class_weights_are_positive_numbers(weight: float):
    with pytest.raises(DataError, match=r"class_weights.*'bad'"):
        fitted(["good", "bad"], Classification(class_weights={"bad": weight}))


def test_predictions_have_the_names_and_probabilities_of_all_labels():
    task = Classification(("负面", "正面"))
    (one,) = task.predict(torch.tensor([[0.0, 1.0]]))
    assert one.label == str(one) == "正面"
    assert one.probabilities == pytest.approx({"负面": 0.2689414, "正面": 0.7310586})
    assert one.probability == one.probabilities["正面"]


def test_a_task_survives_being_saved():
    task = fitted([4, 0, 10])
    saved = task.to_json()
    again = task_type(task.name).from_json(saved)
    assert again.labels == ("0", "4", "10")
    assert task.hub_settings()["id2label"] == {"0": "0", "1": "4", "2": "10"}
    assert task.hub_settings()["label2id"] == {"0": 0, "4": 1, "10": 2}


def fitted_sets(labels: list[Any], task: MultiLabel | None = None) -> MultiLabel:
    return (task or MultiLabel()).fit_to({"label": labels}, DESCRIBE)


def test_label_sets_come_as_lists_or_with_a_separator():
    from_text = fitted_sets(["b|a", "", "c", None])
    from_lists = fitted_sets([["b", "a"], [], ["c"], ()])
    assert from_text.labels == from_lists.labels == ("a", "b", "c")
    expected = [[1.0, 1.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    assert from_text.targets(["b | a", "", " c |"], DESCRIBE) == expected
    assert from_lists.targets([["a", "b"], [], ["c"]], DESCRIBE) == expected


def test_another_separator():
    task = fitted_sets(["红;绿", "蓝"], MultiLabel(separator=";"))
    assert set(task.labels) == {"红", "绿", "蓝"}
    again = task_type(task.name).from_json(task.to_json())
    assert again == task


def test_an_unknown_label_of_a_set_names_its_row():
    with pytest.raises(DataError, match=r"line 2 has the label 'x'"):
        fitted_sets(["a|b"]).targets(["a", "b", "a|x"], DESCRIBE)


def test_no_labels_at_all_names_the_separator():
    with pytest.raises(DataError, match=r"separator.*'\|'"):
        fitted_sets(["", None])


def test_an_empty_separator_is_refused():
    with pytest.raises(DataError, match="separator"):
        MultiLabel(separator="")


def test_the_loss_of_label_sets_is_torchs_mean_binary_cross_entropy():
    outputs, targets = torch.randn(5, 4), torch.randint(0, 2, (5, 4)).float()
    losses, weights = MultiLabel(labels=tuple("abcd")).losses(outputs, targets)
    torch.testing.assert_close(
        losses.mean(), functional.binary_cross_entropy_with_logits(outputs, targets)
    )
    assert weights.tolist() == [1.0] * 5


def test_label_sets_are_what_is_more_likely_than_not():
    task = MultiLabel(labels=("a", "b", "c"))
    two, none = task.predict(torch.tensor([[0.1, -0.1, 3.0], [-1.0, -1.0, -1.0]]))
    assert two.labels == ("a", "c") and str(two) == "a, c"
    assert none.labels == () and str(none) == "(none)"
    assert two.probabilities["b"] == pytest.approx(0.4750208)


def test_an_unknown_task_suggests_the_nearest():
    with pytest.raises(ValueError, match="Did you mean 'multi-label'"):
        task_type("multilabel")
