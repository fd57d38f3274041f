from __future__ import annotations

import io
import json

import pytest
from rich.console import Console
from tests import tiny

import manyheads as mh
from manyheads.errors import DataError
from manyheads.predict import Predictor
from manyheads.tasks import Classification, MultiLabel, Regression, SequenceTask
from manyheads.text import Cleaning, Encoded, Piece
from manyheads.train.progress import Reporter
from manyheads.train.report.evaluation import Truncated, evaluate_predictor

QUIET = Reporter(quiet=True)


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    recipe = mh.Recipe(batch_size=8, learning_rate=3e-3, epochs=6, max_tokens=8)
    data = tiny.moods(48, labels=("good", "bad", "so-so"))
    learner = mh.Learner(tiny.SCRATCH, mh.Classification(), data, recipe, quiet=True)
    learner.fit()
    return learner.predictor()


def encoded(tokens: int, dropped: int) -> Encoded:
    return Encoded((Piece([], [], None),), tokens, dropped)


def test_what_truncation_took_is_counted_in_texts_and_tokens():
    counted = Truncated.of([encoded(10, 0), encoded(40, 20), encoded(50, 30)])
    assert counted == Truncated(texts=2, rows=3, dropped_tokens=50, tokens=100)
    assert str(counted) == "2 of 3 texts were cut; they lost 50.0% of all tokens"


def test_a_saved_predictor_is_scored_as_it_predicts(predictor: Predictor):
    rows = tiny.mood_rows(30, ("good", "bad", "so-so"), seed=9)
    split = tiny.table(rows).train
    evaluation = evaluate_predictor(predictor, split, QUIET)
    guesses = [one.label for one in predictor([text for text, _ in rows])]
    right = sum(guess == label for guess, (_, label) in zip(guesses, rows, strict=True))
    assert evaluation.scores.accuracy == pytest.approx(right / 30)  # type: ignore[attr-defined]
    answers = predictor.answers([text for text, _ in rows])
    assert evaluation.truncated.texts == sum(one.truncated > 0 for one in answers) > 0
    assert evaluation.truncated.dropped_tokens == sum(one.truncated for one in answers)
    probabilities = predictor.probabilities([text for text, _ in rows])
    positions = [predictor.labels.index(label) for _, label in rows]
    import numpy as np

    assert evaluation.loss == pytest.approx(
        float(-np.log(probabilities[range(30), positions]).mean()), rel=1e-4
    )


def test_the_report_shows_every_label_and_the_interval(predictor: Predictor):
    split = tiny.moods(30, labels=("good", "bad", "so-so"), seed=9).train
    evaluation = evaluate_predictor(predictor, split, QUIET)
    lines = str(evaluation).splitlines()
    assert lines[0].startswith("train: 30 rows of")
    assert any("95% interval" in line and "–" in line for line in lines)
    for label in ("good", "bad", "so-so"):
        assert any(line.split()[:1] == [label] and line.split()[-1] == "10" for line in lines)
    assert not any(line != line.rstrip() for line in lines)
    json.dumps(evaluation.to_json(), allow_nan=False)


def test_labels_with_brackets_are_shown_as_they_are():
    rows = [(text, "[red]" if label == "good" else "[/b]") for text, label in tiny.mood_rows(24)]
    data = tiny.table(rows, test=tiny.columns(rows))
    learner = mh.Learner(tiny.SCRATCH, mh.Classification(), data, mh.Recipe(epochs=1), quiet=True)
    learner.fit()
    shown = str(learner.evaluate(baseline=False))
    assert "[red]" in shown and "[/b]" in shown


def test_labels_that_the_predictor_does_not_know_are_named(predictor: Predictor):
    with pytest.raises(DataError, match="row 2 has the label 'god'"):
        evaluate_predictor(predictor, tiny.table([("a", "good"), ("b", "god")]).train, QUIET)


def test_a_split_without_labels_is_refused(predictor: Predictor):
    split = mh.read({"text": ["a", "b"]}, valid=0).train
    with pytest.raises(DataError, match="no label column"):
        evaluate_predictor(predictor, split, QUIET)


@pytest.mark.parametrize(
    ("task", "labels", "metric"),
    [
        (Classification(("bad", "good")), {"good": "good", "bad": "bad"}, "accuracy"),
        (MultiLabel(("bad", "good")), {"good": "good", "bad": "bad"}, "micro_f1"),
        (Regression(), {"good": 3.0, "bad": -1.0}, "pearson"),
    ],
)
def test_the_baseline_learns_every_task(task: SequenceTask, labels: dict[str, object], metric: str):
    train = tiny.columns([(text, labels[label]) for text, label in tiny.mood_rows(60)])
    test = tiny.columns([(text, labels[label]) for text, label in tiny.mood_rows(20, seed=8)])
    assert task.baseline(train, test, Cleaning())[1].value(metric) > 0.9


def test_the_baseline_reads_the_second_text_too():
    rows = tiny.mood_rows(60)
    columns = {
        "text": ["the same"] * 60,
        "pair": [text for text, _ in rows],
        "label": [label for _, label in rows],
    }
    name, scores = Classification(("bad", "good")).baseline(columns, columns, Cleaning())
    assert name == "bag of words"
    assert scores.value("accuracy") > 0.9


def test_a_reporter_speaks_unless_it_is_quiet():
    def said(quiet: bool) -> str:
        file = io.StringIO()
        reporter = Reporter(quiet, Console(file=file, width=60))
        reporter.say("[bold] is no markup, and a long line is not folded " * 2)
        reporter.validation(3, {"loss": 0.25, "accuracy": 0.9}, best=True)
        with reporter.rows("reading", 10) as advance:
            advance(10)
        return file.getvalue()

    assert said(quiet=True) == ""
    lines = said(quiet=False).splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("[bold] is no markup")
    assert " ".join(lines[1].split()) == ("epoch 3 validation loss 0.2500 accuracy 0.9000 ← best")
