from __future__ import annotations

import numpy as np
import pytest
import torch

import manyheads as mh
from manyheads.tasks import Example, TaskModel
from manyheads.tasks.probe import probe


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
    probe_head(learner, learner.model, examples)
    with torch.no_grad():
        features = learner.model.eval().features(learner.task.collate(examples)).numpy()
        ours = learner.task.probabilities(learner.model(learner.task.collate(examples))).numpy()
    targets = np.array([example.target for example in examples])
    # The same objective: sklearn's C is the inverse of the penalty. Its two-class form has one row
    # of weights where ours has two of half the size, so half the penalty is as strong.
    oracle = LogisticRegression(C=2 / 5.0, tol=1e-8, max_iter=10_000).fit(features, targets)
    np.testing.assert_allclose(ours, oracle.predict_proba(features), atol=2e-3)


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
