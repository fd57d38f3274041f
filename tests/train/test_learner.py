from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tests import tiny

import manyheads as mh
from manyheads.core.dropout import Dropout
from manyheads.data import Dataset
from manyheads.errors import ConfigError, DataError, ManyHeadsError, RecipeError
from manyheads.generate import Settings
from manyheads.hub import Pretrained
from manyheads.text import Windows
from manyheads.train import EarlyStopping

QUICK = mh.Recipe(batch_size=8, learning_rate=3e-3, epochs=3, probe_examples=0)


@pytest.fixture(scope="module")
def data() -> Dataset:
    return tiny.moods(
        48,
        valid=tiny.columns(tiny.mood_rows(12, seed=5)),
        test=tiny.columns(tiny.mood_rows(20, seed=6)),
    )


@pytest.fixture(scope="module")
def body(data: Dataset) -> Pretrained:
    return tiny.body(data)


def recipe(**changes: Any) -> mh.Recipe:
    return mh.Recipe(**{**QUICK.to_json(), **changes})


def learner(body: Pretrained, data: Dataset, **changes: Any) -> mh.Learner:
    return mh.Learner(body, mh.Classification(), data, recipe(**changes), quiet=True)


@pytest.fixture(scope="module")
def trained(body: Pretrained, data: Dataset) -> mh.Learner:
    one = learner(body, data, epochs=8)
    one.fit()
    return one


def test_training_learns_what_is_easy(trained: mh.Learner):
    evaluation = trained.evaluate()
    assert evaluation.split == "test"
    assert evaluation.scores.accuracy >= 0.9  # type: ignore[attr-defined]
    losses = [step.loss for step in trained.history.steps]
    assert sum(losses[-6:]) < 0.5 * sum(losses[:6])


def test_from_scratch_the_tokenizer_is_learnt_from_the_texts(data: Dataset):
    one = mh.Learner(tiny.SCRATCH, mh.Classification(), data, QUICK, quiet=True)
    assert one.pretrained.tokenizer.vocabulary_size <= 300
    assert one.recipe.probe_examples == 0
    one.fit(epochs=1)
    assert len(one.history.steps) == 6


def test_training_leaves_the_given_body_alone(body: Pretrained, data: Dataset):
    before = {n: t.clone() for n, t in body.transformer.state_dict().items()}
    learner(body, data).fit(epochs=0.5)
    assert all(torch.equal(t, before[n]) for n, t in body.transformer.state_dict().items())


def test_the_seed_decides_the_head(body: Pretrained, data: Dataset):
    def head(seed: int) -> torch.Tensor:
        return learner(body, data, seed=seed).model.head.out.weight

    assert torch.equal(head(1), head(1))
    assert not torch.equal(head(1), head(2))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"epochs": 0}, "epochs"),
        ({"epochs": -1.0}, "epochs"),
        ({"learning_rate": -1e-3}, "learning_rate"),
        ({"learning_rate": float("nan")}, "learning_rate"),
    ],
)
def test_what_fit_is_given_is_checked(
    body: Pretrained, data: Dataset, arguments: dict[str, float], words: str
):
    with pytest.raises(RecipeError, match=words):
        learner(body, data).fit(**arguments)  # type: ignore[arg-type]


def test_fit_takes_epochs_and_rate_for_this_run_alone(body: Pretrained, data: Dataset):
    one = learner(body, data)
    history = one.fit(epochs=0.5, learning_rate=1e-4)
    assert len(history.steps) == 3
    assert max(step.learning_rate for step in history.steps) <= 1e-4
    assert one.recipe == QUICK


def test_fit_onecycle_rises_and_falls(body: Pretrained, data: Dataset):
    rates = [s.learning_rate for s in learner(body, data).fit_onecycle(2, 1e-2).steps]
    peak = rates.index(max(rates))
    assert 0 < peak < len(rates) - 1
    assert rates[:peak] == sorted(rates[:peak])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert rates[-1] < 0.2 * rates[peak]


def test_validations_need_not_write():
    task = mh.Translation(search=Settings(max_tokens=4), write_in_training=False)
    one = mh.Learner(tiny.SEQ2SEQ, task, tiny.translations(16, valid=4), QUICK, quiet=True)
    for validation in one.fit(epochs=1).validations:
        assert {"loss", "perplexity"} <= set(validation.scores)
        assert "bleu" not in validation.scores
    assert "bleu" in one.evaluate().scores.numbers()
    with pytest.raises(RecipeError, match="bleu"):
        mh.Learner(
            tiny.SEQ2SEQ, task, one.data, QUICK.with_settings(["metric=bleu"]), quiet=True
        ).fit()


def test_autofit_stops_by_itself(body: Pretrained, data: Dataset):
    one = learner(body, data, early_stopping={"patience": 1}, batch_size=16)
    history = one.autofit(learning_rate=5e-3)
    assert 2 <= len(history.validations) < 20
    assert len({step.learning_rate for step in history.steps[3:]}) == 1
    assert max(history.values("accuracy")) >= 0.8


def test_autofit_with_epochs_is_one_cycle(body: Pretrained, data: Dataset):
    rates = [s.learning_rate for s in learner(body, data).autofit(1e-3, epochs=1).steps]
    assert len(rates) == 6 and rates.index(max(rates)) not in (0, 5)


def test_autofit_needs_to_know_when_to_stop(body: Pretrained):
    with pytest.raises(RecipeError, match="validation split"):
        learner(body, tiny.moods(16)).autofit(learning_rate=1e-3)


def test_evaluate_stands_beside_a_bag_of_words(trained: mh.Learner):
    evaluation = trained.evaluate()
    assert evaluation.baseline is not None
    shown = str(evaluation)
    assert "bag of words" in shown and "accuracy" in shown
    assert "good" in shown and "bad" in shown
    assert f"{evaluation.scores.accuracy:.4f}" in shown  # type: ignore[attr-defined]
    document = evaluation.to_json()
    assert document["baseline"]["accuracy"] >= 0.9
    assert document["truncated"] == {
        "texts": 0,
        "rows": 20,
        "dropped_tokens": 0,
        "tokens": evaluation.truncated.tokens,
    }
    assert trained.evaluate(baseline=False).baseline is None


def test_evaluate_any_split(trained: mh.Learner):
    assert trained.evaluate("valid").truncated.rows == 12
    assert trained.evaluate("train").baseline is None
    with pytest.raises(DataError, match="no split 'tests'"):
        trained.evaluate("tests")


def test_evaluating_takes_a_split_to_evaluate_on(body: Pretrained):
    with pytest.raises(DataError, match="no test or validation split"):
        learner(body, tiny.moods(16)).evaluate()


def test_the_wrong_label_has_the_highest_loss(body: Pretrained):
    rows = tiny.mood_rows(20, seed=6)
    text, label = rows[7]
    rows[7] = (text, "bad" if label == "good" else "good")
    data = tiny.moods(60, test=tiny.columns(rows))
    one = learner(body, data, epochs=8)
    one.fit()
    hardest, *others = one.top_losses(4)
    assert hardest.text == text and hardest.label == rows[7][1]
    assert hardest.where.endswith("row 8")
    assert str(hardest.prediction) == label
    assert hardest.loss > 2 * others[0].loss
    assert [one.loss for one in others] == sorted((one.loss for one in others), reverse=True)
    assert "row 8" in str(hardest) and "\n" not in str(hardest)


def test_a_maximum_length_above_the_models_is_refused_with_both(body: Pretrained, data: Dataset):
    with pytest.raises(RecipeError, match=r"max_tokens=65 exceeds the 64 tokens"):
        learner(body, data, max_tokens=65)
    assert learner(body, data, max_tokens=64).reader.truncation.max_tokens == 64


def test_truncation_is_counted_split_by_split(body: Pretrained, data: Dataset):
    one = learner(body, data, max_tokens=8)
    expected = {}
    for split in data.splits():
        lengths = [e.tokens for e in body.tokenizer.encode(split.columns["text"])]
        expected[split.name] = (
            sum(length > 8 for length in lengths),
            sum(max(0, length - 8) for length in lengths),
            sum(lengths),
        )
    found = one.truncated()
    assert {n: (c.texts, c.dropped_tokens, c.tokens) for n, c in found.items()} == expected
    assert found["train"].texts > 0
    assert f"{found['train'].texts} of 48 texts were cut" in str(found["train"])
    assert str(learner(body, data).truncated()["train"]) == "none of 48 texts was cut"


def test_windows_cut_nothing_and_train(body: Pretrained, data: Dataset):
    keep = {"kind": "windows", "stride": 2}
    one = learner(body, data, max_tokens=8, truncation=keep)
    assert one.reader.truncation == Windows(8, stride=2)
    assert one.truncated()["train"].dropped_tokens == 0
    assert one.fit(epochs=0.5).tokens > 0
    assert len(one.predictor()([data.train.columns["text"][0]])) == 1


def test_dropout_of_the_recipe_is_everywhere(body: Pretrained, data: Dataset):
    one = learner(body, data, dropout=0.25)
    found = [module.p for module in one.model.modules() if isinstance(module, Dropout)]
    assert found and set(found) == {0.25}


@pytest.mark.parametrize(
    ("labels", "task", "words"),
    [
        (["good"] * 8, mh.Classification(), "have the label 'good'"),
        ([0.5, 1.5] * 4, mh.Classification(), "Regression"),
        (["x"] * 8, mh.Regression(), "not a finite number"),
        ([1.5] * 8, mh.Regression(), "values that differ"),
    ],
)
def test_labels_that_cannot_be_learnt_are_refused_before_a_model_is_opened(
    labels: list[Any], task: Any, words: str
):
    data = tiny.table([(f"text {i}", label) for i, label in enumerate(labels)])
    with pytest.raises(DataError, match=words):
        mh.Learner("no/such-model-anywhere", task, data, QUICK, quiet=True)


def test_a_class_that_only_validation_has_is_named_with_its_row(body: Pretrained):
    valid = {"text": ["a", "b"], "label": ["good", "terrible"]}
    with pytest.raises(DataError, match=r"row 2 has the label 'terrible', which the model does"):
        learner(body, tiny.moods(12, valid=valid))


def test_data_without_labels_are_refused(body: Pretrained):
    data = mh.read({"text": ["a", "b"]}, valid=0)
    with pytest.raises(DataError, match="no label column"):
        mh.Learner(body, mh.Classification(), data, QUICK, quiet=True)


@pytest.mark.parametrize("labels", [(0, 4), (False, True), ("负面", "正面")])
def test_labels_of_every_kind_are_predicted_by_name(body: Pretrained, labels: tuple[Any, Any]):
    rows = [(text, labels[label == "good"]) for text, label in tiny.mood_rows(40)]
    one = mh.Learner(body, mh.Classification(), tiny.table(rows), QUICK, quiet=True)
    one.fit(epochs=6)
    guesses = one.predictor()(["lovely great superb", "awful poor broken"])
    assert [guess.label for guess in guesses] == [str(labels[1]), str(labels[0])]


def test_label_sets_are_learnt(body: Pretrained):
    rows = [
        (f"{text} {'spicy' if i % 3 == 0 else ''}", label)
        for i, (text, label) in enumerate(tiny.mood_rows(60))
    ]
    sets = [(text, f"{label}|hot" if "spicy" in text else label) for text, label in rows]
    one = mh.Learner(
        body, mh.MultiLabel(), tiny.table(sets, test=tiny.columns(sets)), QUICK, quiet=True
    )
    one.fit(epochs=10)
    assert one.evaluate().scores.value("micro_f1") > 0.9
    (guess,) = one.predictor()(["lovely great spicy superb spicy"])
    assert set(guess.labels) == {"good", "hot"}


def test_numbers_are_learnt_in_their_own_units(body: Pretrained):
    rows = [(text, 500.0 if label == "good" else 100.0) for text, label in tiny.mood_rows(60)]
    data = tiny.table(rows, test=tiny.columns(rows))
    one = mh.Learner(body, mh.Regression(), data, recipe(weight_decay=0.0), quiet=True)
    one.fit(epochs=10)
    assert one.evaluate().scores.value("pearson") > 0.9
    high, low = one.predictor()(["lovely great superb", "awful poor broken"])
    assert 350 < high.value < 650 and -50 < low.value < 250


def test_text_pairs_are_learnt_from_both_sides(body: Pretrained):
    rows = tiny.mood_rows(60)
    table = {
        "text": ["the food"] * 60,
        "other": [text for text, _ in rows],
        "label": [label for _, label in rows],
    }
    data = mh.read(table, pair="other", valid=0, test=table)
    one = mh.Learner(body, mh.Classification(), data, QUICK, quiet=True)
    one.fit(epochs=6)
    evaluation = one.evaluate()
    assert evaluation.scores.accuracy > 0.9  # type: ignore[attr-defined]
    assert evaluation.baseline.accuracy > 0.9  # type: ignore[union-attr]
    assert one.predictor()("the food", "awful poor sad").label == "bad"


def test_weighing_the_rare_class_moves_the_guesses_towards_it(body: Pretrained):
    rows = [("the same text", "often")] * 30 + [("the same text", "rare")] * 6
    data = tiny.table(rows)

    def share(task: mh.Classification) -> float:
        one = mh.Learner(body, task, data, recipe(learning_rate=1e-2), quiet=True)
        one.fit(epochs=8)
        return float(one.predictor().probabilities(["the same text"])[0, 1])

    assert share(mh.Classification()) == pytest.approx(1 / 6, abs=0.12)
    assert share(mh.Classification(class_weights=mh.Balance.INVERSE)) == pytest.approx(0.5, abs=0.2)


def test_the_predictor_is_a_copy(trained: mh.Learner):
    predictor = trained.predictor()
    with torch.no_grad():
        predictor.model.head.out.weight.zero_()
    assert trained.model.head.out.weight.abs().sum() > 0


def test_the_probed_head_starts_ahead(body: Pretrained, data: Dataset):
    plain = learner(body, data).fit(epochs=0.2).steps[0].loss
    probed = learner(body, data, probe_examples=48).fit(epochs=0.2).steps[0].loss
    assert probed < plain


def test_the_probe_sees_all_classes_of_a_table_that_is_sorted_by_them(
    body: Pretrained, data: Dataset
):
    labels = data.train.columns["label"]
    ordered = data.train.take(sorted(range(len(labels)), key=lambda row: labels[row]))
    counts = Counter(labels)
    one = learner(body, replace(data, train=ordered), probe_examples=min(counts.values()))
    one.fit(epochs=0.2, learning_rate=1e-9)
    said = Counter(map(str, one.predictor()(ordered.columns["text"])))
    assert said.keys() == counts.keys()


@pytest.mark.parametrize(
    "settings", [{"metric": "acuracy"}, {"early_stopping": {"metric": "acuracy"}}]
)
def test_a_misspelt_metric_is_refused_before_training(
    body: Pretrained, data: Dataset, settings: dict[str, Any]
):
    one = learner(body, data, **settings)
    with pytest.raises(RecipeError, match="accuracy"):
        one.fit()
    assert not one.history.steps


def test_a_second_fit_goes_on_from_the_first(body: Pretrained, data: Dataset):
    one = learner(body, data, probe_examples=48)
    first = one.fit(epochs=6).steps
    second = one.fit(epochs=0.2, learning_rate=1e-9).steps
    assert second[0].loss < first[0].loss / 2


def test_a_head_that_was_trained_for_these_labels_is_kept(
    body: Pretrained, data: Dataset, tmp_path: Path
):
    trained = learner(body, data, probe_examples=48)
    trained.fit(epochs=6)
    trained.predictor().save(tmp_path)
    again = mh.Learner(tmp_path, mh.Classification(), data, QUICK, quiet=True)
    assert torch.allclose(again.model.head.out.weight, trained.model.head.out.weight)
    again.recipe = again.recipe.model_copy(update={"probe_examples": 48})
    assert again.fit(epochs=0.2, learning_rate=1e-9).steps[0].loss < 0.5


def test_a_head_that_was_trained_for_other_labels_is_not(
    body: Pretrained, data: Dataset, tmp_path: Path
):
    trained = learner(body, data)
    trained.fit(epochs=1)
    trained.predictor().save(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config["id2label"] = {number: f"other {number}" for number in config["id2label"]}
    (tmp_path / "config.json").write_text(json.dumps(config))
    again = mh.Learner(tmp_path, mh.Classification(), data, QUICK, quiet=True)
    assert not torch.allclose(again.model.head.out.weight, trained.model.head.out.weight)


def test_the_curve_is_drawn(trained: mh.Learner, tmp_path: Path):
    picture = trained.draw_history(tmp_path / "curve.png")
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_reader_of_the_errors_can_catch_them_all(body: Pretrained, data: Dataset):
    with pytest.raises(ManyHeadsError):
        learner(body, data, freeze=["transfromer"]).fit()


@pytest.mark.parametrize("stops", [None, EarlyStopping(patience=3)])
def test_a_correlation_that_is_undefined_stops_nothing(
    body: Pretrained, stops: EarlyStopping | None, capsys: pytest.CaptureFixture[str]
):
    rows = [(text, 5.0 if label == "good" else 1.0) for text, label in tiny.mood_rows(24)]
    data = tiny.table(rows, valid={"text": ["lovely", "great"], "label": [5.0, 5.0]})
    settings = QUICK if stops is None else recipe(early_stopping=stops)
    one = mh.Learner(body, mh.Regression(), data, settings)
    history = one.fit(epochs=3)
    assert all(math.isnan(found) for found in history.values("pearson"))
    losses = history.values("loss")
    assert history.best("pearson") == losses.index(min(losses))
    said = capsys.readouterr().err
    assert said.count("pearson is undefined") == 1 and "pearson –" in said


@pytest.mark.parametrize(
    ("task", "words"),
    [
        (mh.Classification(calibration=mh.Calibrated(precision=0.9)), "calibration: chosen on"),
        (mh.FewShot(calibration=mh.Calibrated()), "calibration: chosen on"),
        (mh.MultiLabel(thresholds=mh.Thresholds()), "thresholds: chosen on"),
        (mh.ManyHeads({"a": mh.Classification(calibration=mh.Calibrated())}), "calibration of 'a'"),
    ],
)
def test_a_rule_takes_rows_that_are_held_out(body: Pretrained, task: Any, words: str):
    label = [["good"], ["bad"]] if isinstance(task, mh.MultiLabel) else ["good", "bad"]
    data: Any = mh.read({"text": ["lovely film", "poor film"] * 8, "label": label * 8}, valid=0)
    data = {"a": data} if isinstance(task, mh.ManyHeads) else data
    with pytest.raises(RecipeError, match=f"{words}.* held out, and none are; .*--valid 0.1"):
        mh.Learner(body, task, data, QUICK, quiet=True)


@pytest.mark.parametrize(
    ("task", "given", "words"),
    [
        (mh.Classification, None, r"'Classification' is a name or a class; give one, as mh\."),
        ("Classification", None, "'Classification' is a name or a class"),
        (mh.Classification(), {"text": ["a"], "label": [1]}, "data of type list: nothing says"),
    ],
)
def test_what_is_no_task_and_no_data(
    body: Pretrained, data: Dataset, task: Any, given: Any, words: str
):
    with pytest.raises(ConfigError, match=words):
        mh.Learner(body, task, data if given is None else given, QUICK, quiet=True)


def test_some_of_the_hardest_rows(trained: mh.Learner):
    with pytest.raises(ConfigError, match="n=-1 shows nothing"):
        trained.top_losses(-1)
