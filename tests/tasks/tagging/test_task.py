from __future__ import annotations

import re

import pytest
import torch
from tests import tiny

import manyheads as mh
from manyheads.errors import ConfigError, DataError
from manyheads.tasks import Alignment, Reading, Tagging, task_type
from manyheads.text import Cleaning, Head

DESCRIBE = "table.csv, line {}".format
NER = ["O", "B-LOC", "I-LOC", "B-PER", "I-PER"]


def fitted(rows: list[list[str]], task: Tagging | None = None) -> Tagging:
    texts = [" ".join("w" for _ in tags) for tags in rows]
    return (task or Tagging()).fit_to({"text": texts, "label": rows}, DESCRIBE)


def learned(data: mh.Dataset, task: Tagging | None = None) -> mh.Learner:
    learner = mh.Learner(tiny.SCRATCH, task or Tagging(), data, tiny.TAGGING, quiet=True)
    learner.fit()
    return learner


@pytest.fixture(scope="module")
def learner() -> mh.Learner:
    return learned(tiny.names(80, valid=30))


def test_names_are_learnt_from_scratch(learner: mh.Learner) -> None:
    evaluation = learner.evaluate()
    assert evaluation.scores.value("f1") > 0.9
    assert evaluation.baseline_name == "gazetteer" and evaluation.baseline is not None
    assert evaluation.truncated.texts == 0
    assert re.search(r"label .* F1 +entities$", str(evaluation), re.MULTILINE)
    assert learner.task.labels == tuple(NER)
    assert learner.task.metric == "f1"


@pytest.mark.parametrize("task", [Tagging(alignment=Alignment.ALL), Tagging(label_smoothing=0.1)])
def test_other_ways_of_learning_learn_too(task: Tagging) -> None:
    assert learned(tiny.names(80, valid=20), task).evaluate().scores.value("f1") > 0.9


def test_what_each_word_is_is_learnt_too() -> None:
    learner = learned(tiny.speech(60))
    assert learner.task.metric == "accuracy" and not learner.task.finds_entities
    assert learner.task.labels == ("ADP", "NOUN", "PUNCT", "VERB")
    evaluation = learner.evaluate("train")
    assert evaluation.scores.value("accuracy") > 0.95
    assert re.search(r"label .* F1 +words$", str(evaluation), re.MULTILINE)


def test_the_worst_rows_show_the_words_that_differ(learner: mh.Learner) -> None:
    label = learner.data.valid.columns["label"][0]
    wrong = [tag.replace("PER", "LOC") for tag in label.tags]
    data = mh.read({"words": [label.spelled()], "tags": [wrong]}, valid=0)
    body = learner.predictor().pretrained
    other = mh.Learner(body, learner.task, data, quiet=True)
    other.model.load_state_dict(learner.model.state_dict())
    (row,) = other.top_losses(1, "train")
    pairs = zip(label.spelled(), label.tags, strict=True)
    said = " ".join(f"{word}/{tag}" for word, tag in pairs if tag.endswith("PER"))
    assert str(row.prediction) == said
    assert f"{said.replace('PER', 'LOC')} → {said}  " in str(row)


def test_the_loss_does_not_depend_on_company(learner: mh.Learner) -> None:
    task, model = learner.task, learner.model.eval()
    reader = task.reader(tiny.body(learner.data), Reading(Cleaning(), Head, 64))
    columns = learner.data.train.columns
    samples = task.read(reader, {role: rows[:9] for role, rows in columns.items()}, str)
    with torch.no_grad():
        together = task.loss(model, task.collate(samples))
        alone = [task.loss(model, task.collate([one])) for one in samples]
    assert together.weight == sum(one.weight for one in alone)
    assert together.total.item() == pytest.approx(sum(one.total.item() for one in alone), rel=1e-5)


def test_a_text_without_words_costs_nothing(learner: mh.Learner) -> None:
    task = learner.task
    reader = task.reader(tiny.body(learner.data), Reading(Cleaning(), Head, 64))
    samples = task.read(reader, {"text": [" "], "label": [[]]}, str)
    assert task.loss(learner.model, task.collate(samples)).total.item() == 0.0


def test_tags_of_other_schemes_are_learnt_as_iob2() -> None:
    rows = [["U-PER", "B-LOC", "L-LOC"], ["I-PER", "B-PER", "O"]]
    task = fitted(rows)
    assert task.labels == tuple(NER)
    columns = {"text": ["a b c", "d e f"], "label": rows}
    found = task._targets(task._rows(columns, DESCRIBE), DESCRIBE)
    assert [[task.labels[one] for one in row] for row in found] == [
        ["B-PER", "B-LOC", "I-LOC"],
        ["B-PER", "B-PER", "O"],
    ]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([["O", "O"]], "all words of the training texts are tagged 'O'"),
        ([[]], "no training text has any tag"),
        (
            [["B-PER"], ["O", "NN"]],
            r"table.csv, line 1, word 2: 'w' has the tag 'NN', which is neither",
        ),
    ],
)
def test_what_cannot_be_learnt(rows: list[list[str]], said: str) -> None:
    with pytest.raises(DataError, match=said):
        fitted(rows)


def test_unknown_tags_of_other_splits_are_named() -> None:
    task = fitted([["B-PER", "O"]])
    with pytest.raises(
        DataError, match=r"table.csv, line 1 has the label 'B-LOC', which the model does not"
    ):
        task.check({"text": ["a", "b"], "label": [["O"], ["B-LOC"]]}, DESCRIBE)


@pytest.mark.parametrize("smoothing", [-0.1, 1.0, float("nan")])
def test_label_smoothing_has_limits(smoothing: float) -> None:
    with pytest.raises(DataError, match="label_smoothing"):
        Tagging(label_smoothing=smoothing)


def test_saved_and_made_again() -> None:
    for task in (Tagging(tuple(NER)), Tagging(("A",), Alignment.ALL, strict=False)):
        assert task_type("tagging").from_json(task.to_json()) == task


def test_entities_begin_where_the_task_is_strict() -> None:
    import numpy as np

    scores_WC = np.log(np.array([[0.1, 0.2, 0.1, 0.1, 0.5], [0.1, 0.1, 0.2, 0.1, 0.5]], np.float32))
    assert Tagging(tuple(NER)).decode(scores_WC) == ["B-PER", "I-PER"]
    assert Tagging(tuple(NER), strict=False).decode(scores_WC) == ["I-PER", "I-PER"]


def test_a_family_without_a_head_for_words_is_refused() -> None:
    with pytest.raises(ConfigError, match="has no head for single words; choose an encoder"):
        mh.Learner(tiny.DECODER, Tagging(), tiny.names(8), quiet=True)
