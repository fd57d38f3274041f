from __future__ import annotations

import numpy as np
import pytest
import torch

import manyheads as mh
from manyheads.tasks import Example, TaskModel
from manyheads.tasks.probe import best_penalty, minimise, probe


def probe_head(learner: mh.Learner, model: TaskModel, examples: list[Example]) -> None:
    with torch.no_grad():
        features = model.eval().features(learner.task.collate(examples))
    targets = torch.tensor([example.target for example in examples])
    probe(model.head.out, features, targets, learner.task.losses)


GOOD, BAD = ("good film", "great food", "nice day", "lovely room"), ("bad film", "poor food")


@pytest.fixture(scope="module")
def learner(minilm: str) -> mh.Learner:
    texts = [f"{text} {number}" for number in range(4) for text in (*GOOD, *BAD)]
    labels = [label for _ in range(4) for label in (*("pos",) * 4, *("neg",) * 2)]
    data = mh.read({"text": texts, "label": labels}, valid=0)
    return mh.Learner(minilm, mh.Classification(), data, mh.Recipe(max_tokens=16), quiet=True)


def test_the_head_is_the_penalised_logistic_regression(learner: mh.Learner) -> None:
    from sklearn.linear_model import LogisticRegression

    examples = learner.examples["train"]
    with torch.no_grad():
        features = learner.model.eval().features(learner.task.collate(examples))
    wanted = torch.tensor([example.target for example in examples])
    minimise(learner.model.head.out, features, wanted, learner.task.losses, 5.0)
    with torch.no_grad():
        ours = learner.task.probabilities(learner.model(learner.task.collate(examples))).numpy()
    targets = np.array([example.target for example in examples])
    # The same objective: sklearn's C is the inverse of the penalty. Its two-class form has one row
    # of weights where ours has two of half the size, so half the penalty is as strong.
    oracle = LogisticRegression(C=2 / 5.0, tol=1e-8, max_iter=10_000).fit(features.numpy(), targets)
    np.testing.assert_allclose(ours, oracle.predict_proba(features.numpy()), atol=2e-3)


def test_only_the_last_layer_changes_and_nothing_keeps_a_gradient(learner: mh.Learner) -> None:
    before = {name: one.clone() for name, one in learner.model.state_dict().items()}
    probe_head(learner, learner.model, learner.examples["train"][:10])
    changed = {n for n, one in learner.model.state_dict().items() if not one.equal(before[n])}
    assert changed == {"head.out.weight", "head.out.bias"}
    assert all(parameter.grad is None for parameter in learner.model.parameters())


def test_it_does_not_depend_on_the_random_start(learner: mh.Learner) -> None:
    results = []
    for seed in (1, 2):
        head = learner.task.head(learner.pretrained, seed=seed)
        model = TaskModel(learner.model.transformer, head)
        probe_head(learner, model, learner.examples["train"])
        results.append(head.out.weight.detach().clone())
    torch.testing.assert_close(*results, atol=0, rtol=0)


def some(count: int, noise: float, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Features of which one tells the number that is sought, up to noise."""
    draw = torch.Generator().manual_seed(seed)
    features = torch.randn(count, 64, generator=draw)
    return features, features[:, 0] + noise * torch.randn(count, generator=draw)


def squares(outputs: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    losses = (outputs[:, 0] - targets).square()
    return losses, torch.ones_like(losses)


@pytest.mark.parametrize("noise", [1.0, 2.0, 5.0])
def test_the_penalty_is_about_the_one_that_is_best_for_new_examples(noise: float) -> None:
    layer, (features, targets) = torch.nn.Linear(64, 1), some(120, noise, seed=1)
    unseen, known = some(2000, noise, seed=2)

    def loss(penalty: float) -> float:
        minimise(layer, features, targets, squares, penalty)
        with torch.no_grad():
            return float(squares(layer(unseen), known)[0].mean())

    chosen = best_penalty(layer, features, targets, squares)
    best = min(loss(5.0 * 4.0**step) for step in range(7))
    assert loss(chosen) < 1.1 * best


def test_features_that_say_nothing_are_not_fitted() -> None:
    """With the usual penalty the layer would be worse than none."""
    layer, (features, _) = torch.nn.Linear(64, 1), some(120, 0.0, seed=1)
    targets = torch.randn(120, generator=torch.Generator().manual_seed(3))
    probe(layer, features, targets, squares)
    unseen = some(2000, 0.0, seed=2)[0]
    with torch.no_grad():
        assert float(layer(unseen).square().mean()) < 0.1
    minimise(layer, features, targets, squares, 5.0)
    with torch.no_grad():
        assert float(layer(unseen).square().mean()) > 0.5


def test_a_few_examples_choose_no_penalty() -> None:
    features, targets = some(19, 1.0, seed=1)
    assert best_penalty(torch.nn.Linear(64, 1), features, targets, squares) == 5.0


def test_classes_that_take_turns_are_in_all_folds() -> None:
    """Labels of an even table of two classes alternate often: no fold may hold one class alone."""
    draw = torch.Generator().manual_seed(0)
    targets = torch.arange(80) % 2
    features = torch.randn(80, 8, generator=draw) + targets[:, None]
    layer = torch.nn.Linear(8, 2)

    def losses(outputs: torch.Tensor, wanted: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        found = torch.nn.functional.cross_entropy(outputs, wanted, reduction="none")
        return found, torch.ones_like(found)

    assert best_penalty(layer, features, targets, losses) == 5.0
