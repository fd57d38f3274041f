"""A predictor gives the same answers wherever its folder is opened, and by whom."""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests import tiny

import manyheads as mh
from manyheads.errors import CheckpointError, ConfigError, ReferenceNotFound, TextError
from manyheads.hub.source import locate
from manyheads.tasks import Classification, MultiLabel, Regression

TEXTS = ["lovely food", "", "the table was awful and the food was poor", "we had it there", "好吃"]
QUICK = mh.Recipe(batch_size=8, learning_rate=3e-3, epochs=1, max_tokens=24)


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory, minilm: str) -> Path:
    """A BERT of random weights with the tokenizer of MiniLM, written by transformers."""
    from transformers import AutoTokenizer, BertConfig, BertModel

    folder = tmp_path_factory.mktemp("tiny-bert")
    torch.manual_seed(0)
    config = BertConfig(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=24,
        max_position_embeddings=48,
        initializer_range=0.3,
    )
    BertModel(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(locate(minilm)).save_pretrained(folder)
    return folder


def trained(model: Any, task: Any, data: mh.Dataset, recipe: mh.Recipe = QUICK) -> mh.Predictor:
    learner = mh.Learner(model, task, data, recipe, quiet=True)
    learner.fit()
    return learner.predictor()


@pytest.fixture(scope="session")
def bert(tiny_bert: Path) -> mh.Predictor:
    return trained(tiny_bert, Classification(), tiny.moods(24))


@pytest.fixture(scope="session")
def scratch() -> mh.Predictor:
    return trained(tiny.SCRATCH, Classification(), tiny.moods(24))


@pytest.fixture(scope="session")
def numbers(tiny_bert: Path) -> mh.Predictor:
    rows = [(text, 250.0 if label == "good" else -50.0) for text, label in tiny.mood_rows(24)]
    return trained(tiny_bert, Regression(), tiny.table(rows))


@pytest.fixture(scope="session")
def sets(tiny_bert: Path) -> mh.Predictor:
    rows = [
        (text, f"{label}|any" if i % 2 else label)
        for i, (text, label) in enumerate(tiny.mood_rows(24, ("good", "bad", "so-so")))
    ]
    return trained(tiny_bert, MultiLabel(), tiny.table(rows))


KINDS = ("bert", "scratch", "numbers", "sets")


@pytest.fixture(params=KINDS)
def predictor(request: pytest.FixtureRequest) -> mh.Predictor:
    return request.getfixturevalue(request.param)  # type: ignore[no-any-return]


def their_logits(folder: Path, texts: Sequence[str], pairs: Sequence[str] | None = None) -> Any:
    """What transformers computes of texts that its own tokenizer read."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    inputs = tokenizer(
        list(texts),
        None if pairs is None else list(pairs),
        padding=True,
        truncation=True,
        max_length=24,
        return_tensors="pt",
    )
    with torch.no_grad():
        return model(**inputs).logits


def test_a_folder_that_was_moved_answers_the_same(predictor: mh.Predictor, tmp_path: Path):
    expected = predictor.outputs(TEXTS)
    predictor.save(tmp_path / "first")
    shutil.move(tmp_path / "first", tmp_path / "second")
    again = mh.load(tmp_path / "second")
    assert again.labels == predictor.labels
    assert again.reader.truncation == predictor.reader.truncation
    torch.testing.assert_close(again.outputs(TEXTS), expected, rtol=1e-5, atol=1e-5)


def test_transformers_computes_the_same_logits(predictor: mh.Predictor, tmp_path: Path):
    folder = predictor.save(tmp_path / "model")
    torch.testing.assert_close(
        their_logits(folder, TEXTS), predictor.outputs(TEXTS), rtol=1e-5, atol=1e-4
    )


def test_transformers_finds_the_labels_by_name(bert: mh.Predictor, tmp_path: Path):
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(bert.save(tmp_path / "model"))
    assert config.id2label == {0: "bad", 1: "good"}
    assert config.label2id == {"bad": 0, "good": 1}
    assert config.problem_type == "single_label_classification"


def test_the_folder_of_a_regression_gives_values_in_their_own_units(
    numbers: mh.Predictor, tmp_path: Path
):
    folder = numbers.save(tmp_path / "model")
    values = [prediction.value for prediction in numbers(TEXTS)]
    assert their_logits(folder, TEXTS)[:, 0].tolist() == pytest.approx(values, rel=1e-4, abs=1e-2)
    # Trained on -50 and 250: standardised outputs would lie within a few units of zero.
    assert max(abs(value) for value in values) > 20
    assert [p.value for p in mh.load(folder)(TEXTS)] == pytest.approx(values, rel=1e-4, abs=1e-2)


def test_another_process_gives_the_same_answers(bert: mh.Predictor, tmp_path: Path):
    folder = bert.save(tmp_path / "model")
    code = (
        "import sys, json, manyheads as mh\n"
        "p = mh.load(sys.argv[1])\n"
        "print(json.dumps([p.probabilities(json.loads(sys.argv[2])).tolist(), list(p.labels)]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder), json.dumps(TEXTS)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=tiny.ENVIRONMENT,
        check=True,
    )
    probabilities, labels = json.loads(done.stdout)
    np.testing.assert_allclose(probabilities, bert.probabilities(TEXTS), rtol=1e-5, atol=1e-6)
    assert labels == list(bert.labels)


def test_the_folder_holds_no_pickle_and_no_path_of_this_machine(
    bert: mh.Predictor, tmp_path: Path, tiny_bert: Path
):
    folder = bert.save(tmp_path / "model")
    names = {path.name for path in folder.iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "manyheads.json"} <= names
    assert not any(name.endswith((".bin", ".pkl", ".pt")) or name[0] == "." for name in names)
    for path in folder.glob("*.json"):
        text = path.read_text(encoding="utf-8")
        assert str(tmp_path) not in text and str(tiny_bert) not in text


def test_saving_what_was_loaded_changes_nothing(bert: mh.Predictor, tmp_path: Path):
    first = bert.save(tmp_path / "first")
    second = mh.load(first).save(tmp_path / "second")
    for path in first.iterdir():
        assert (second / path.name).read_bytes() == path.read_bytes(), path.name


def test_one_text_or_a_list(bert: mh.Predictor):
    one = bert("lovely food")
    assert one.label in ("good", "bad")
    assert bert(["lovely food"]) == [one]
    assert bert([]) == []
    assert bert.answers([]) == []
    assert bert.probabilities([]).shape == (0, 2)
    assert bert.probabilities(TEXTS).sum(axis=1) == pytest.approx([1.0] * len(TEXTS), abs=1e-5)


def test_a_single_text_is_no_list_of_characters(bert: mh.Predictor):
    for method in (bert.probabilities, bert.answers, bert.outputs):
        with pytest.raises(TextError, match="list"):
            method("lovely food")


def test_any_sequence_of_texts_will_do(bert: mh.Predictor):
    assert bert(tuple(TEXTS)) == bert(TEXTS)
    assert bert(np.array(TEXTS, dtype=object)) == bert(TEXTS)


@pytest.mark.parametrize("wrong", [[None], [3.5], [["a"]], [b"bytes"]])
def test_what_is_no_text_is_refused(bert: mh.Predictor, wrong: list[Any]):
    with pytest.raises(TextError, match="text 1"):
        bert(wrong)


def test_company_and_order_change_nothing(predictor: mh.Predictor):
    texts = [text for text, _ in tiny.mood_rows(40, seed=3)] + ["x " * 50, ""]
    together = predictor.outputs(texts)
    alone = torch.cat([predictor.outputs([text]) for text in texts])
    backward = predictor.outputs(texts[::-1]).flip(0)
    scale = max(1.0, float(together.abs().max()))
    torch.testing.assert_close(alone / scale, together / scale, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(backward / scale, together / scale, rtol=1e-4, atol=1e-5)


def test_many_batches_answer_in_the_order_of_the_texts(bert: mh.Predictor):
    texts = [f"{'word ' * (i % 20)}number {i}" for i in range(700)]
    finished: list[int] = []
    answers = bert.answers(texts, progress=finished.append)
    assert len(finished) > 1 and sum(finished) == 700
    for i in (0, 19, 333, 699):
        assert answers[i].prediction.probabilities == pytest.approx(
            bert(texts[i]).probabilities, abs=1e-5
        )


def test_truncation_is_flagged_text_by_text(bert: mh.Predictor):
    long = "word " * 60
    short, cut = bert.answers(["word", long])
    assert (short.truncated, cut.truncated) == (0, 62 - 24)
    assert cut.prediction.probabilities == pytest.approx(bert("word " * 22).probabilities, abs=1e-5)


def test_windows_are_pooled_and_nothing_is_cut(tiny_bert: Path, tmp_path: Path):
    recipe = mh.Recipe(
        **{
            **QUICK.to_json(),
            "max_tokens": 12,
            "truncation": {"kind": "windows", "stride": 4},
        }
    )
    predictor = trained(tiny_bert, Classification(), tiny.moods(16), recipe)
    text = "word " * 33
    (answer,) = predictor.answers([text])
    assert answer.truncated == 0
    # Windows of 10 words, each 6 words after the one before: 0-10, 6-16, … as texts of their own.
    parts = ["word " * 10] * 4 + ["word " * 9]
    assert len(predictor.reader.read([text])[0].pieces) == len(parts)
    torch.testing.assert_close(
        predictor.outputs([text])[0], predictor.outputs(parts).mean(0), rtol=1e-4, atol=1e-5
    )
    again = mh.load(predictor.save(tmp_path / "model"))
    torch.testing.assert_close(again.outputs([text]), predictor.outputs([text]))


def test_pairs_are_read_side_by_side(tiny_bert: Path, tmp_path: Path):
    rows = tiny.mood_rows(16)
    table = {
        "text": ["a question"] * 16,
        "other": [text for text, _ in rows],
        "label": [label for _, label in rows],
    }
    predictor = trained(tiny_bert, Classification(), mh.read(table, pair="other", valid=0))
    folder = predictor.save(tmp_path / "model")
    firsts, seconds = ["what was it", "food"], ["lovely great", "the table was awful " * 9]
    outputs = mh.load(folder).outputs(firsts, seconds)
    torch.testing.assert_close(their_logits(folder, firsts, seconds), outputs, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(outputs, mh.load(folder).outputs(seconds, firsts), atol=1e-4)
    assert predictor("food", "lovely") == predictor(["food"], ["lovely"])[0]
    with pytest.raises(TextError, match="2 texts stand beside 1"):
        predictor(firsts, seconds[:1])


def test_a_failing_save_leaves_the_old_folder_whole(
    bert: mh.Predictor, scratch: mh.Predictor, tmp_path: Path
):
    folder = bert.save(tmp_path / "model")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    broken = mh.Predictor(scratch.model, Unsaveable(("a", "b")), scratch.reader, scratch.pretrained)
    with pytest.raises(CheckpointError, match="no space left"):
        broken.save(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


class Unsaveable(Classification):
    """Fails in the middle of a save, after the weights are written."""

    def to_json(self) -> dict[str, Any]:
        raise OSError("no space left on device")


def test_a_failing_first_save_leaves_no_model(scratch: mh.Predictor, tmp_path: Path):
    broken = mh.Predictor(scratch.model, Unsaveable(("a", "b")), scratch.reader, scratch.pretrained)
    with pytest.raises(CheckpointError, match="no space left"):
        broken.save(tmp_path / "new")
    assert not (tmp_path / "new").exists() or not list((tmp_path / "new").iterdir())


def test_a_full_disk_is_one_clear_error(bert: mh.Predictor, tmp_path: Path):
    folder = bert.save(tmp_path / "model")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        with pytest.raises(CheckpointError, match="cannot be saved"):
            bert.save(folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_folder_is_replaced_by_another_model(
    bert: mh.Predictor, scratch: mh.Predictor, tmp_path: Path
):
    folder = bert.save(tmp_path / "model")
    scratch.save(folder)
    torch.testing.assert_close(mh.load(folder).outputs(TEXTS), scratch.outputs(TEXTS))
    torch.testing.assert_close(
        their_logits(folder, TEXTS), scratch.outputs(TEXTS), rtol=1e-4, atol=1e-4
    )


def published(folder: Path, tiny_bert: Path, **config: Any) -> Path:
    """A classifier that transformers wrote, without anything of ours."""
    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

    torch.manual_seed(1)
    settings = BertConfig.from_pretrained(tiny_bert)
    for name, value in config.items():
        setattr(settings, name, value)
    BertForSequenceClassification(settings).eval().save_pretrained(folder)
    AutoTokenizer.from_pretrained(tiny_bert).save_pretrained(folder)
    return folder


def test_a_published_classifier_opens_with_its_labels(tmp_path: Path, tiny_bert: Path):
    names = {0: "negative", 1: "neutral", 2: "positive"}
    folder = published(
        tmp_path / "m", tiny_bert, id2label=names, label2id={v: k for k, v in names.items()}
    )
    predictor = mh.load(folder)
    assert isinstance(predictor.task, Classification)
    assert predictor.labels == ("negative", "neutral", "positive")
    torch.testing.assert_close(
        predictor.outputs(TEXTS), their_logits(folder, TEXTS), rtol=1e-5, atol=1e-5
    )


def test_a_published_classifier_without_names_numbers_its_labels(tmp_path: Path, tiny_bert: Path):
    folder = published(tmp_path / "m", tiny_bert)
    assert "id2label" not in json.loads((folder / "config.json").read_text())
    predictor = mh.load(folder)
    assert predictor.labels == ("LABEL_0", "LABEL_1")
    torch.testing.assert_close(
        predictor.outputs(TEXTS), their_logits(folder, TEXTS), rtol=1e-5, atol=1e-5
    )


def test_a_published_multi_label_model_judges_each_label_alone(tmp_path: Path, tiny_bert: Path):
    folder = published(
        tmp_path / "m",
        tiny_bert,
        id2label={0: "a", 1: "b", 2: "c"},
        problem_type="multi_label_classification",
    )
    predictor = mh.load(folder)
    assert isinstance(predictor.task, MultiLabel)
    np.testing.assert_allclose(
        predictor.probabilities(TEXTS),
        their_logits(folder, TEXTS).sigmoid().numpy(),
        rtol=1e-4,
        atol=1e-5,
    )


def test_a_published_model_with_one_output_is_a_regression(tmp_path: Path, tiny_bert: Path):
    folder = published(tmp_path / "m", tiny_bert, id2label={0: "LABEL_0"})
    predictor = mh.load(folder)
    assert isinstance(predictor.task, Regression)
    assert [one.value for one in predictor(TEXTS)] == pytest.approx(
        their_logits(folder, TEXTS)[:, 0].tolist(), rel=1e-4, abs=1e-5
    )


def test_a_body_alone_is_no_predictor(tiny_bert: Path):
    with pytest.raises(ConfigError, match=r"without a task.*manyheads train"):
        mh.load(tiny_bert)


def test_nothing_there_is_said(tmp_path: Path):
    with pytest.raises(ReferenceNotFound, match="leads nowhere"):
        mh.load(tmp_path / "nothing")
    with pytest.raises(ConfigError, match=r"config\.json"):
        mh.load(tmp_path)


def edit_manifest(folder: Path, **changes: Any) -> None:
    path = folder / "manyheads.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize("version", [2, None, "1"])
def test_another_format_is_refused_with_both_versions(
    bert: mh.Predictor, tmp_path: Path, version: Any
):
    folder = bert.save(tmp_path / "model")
    edit_manifest(folder, format=version)
    with pytest.raises(ConfigError, match=rf"format {version!r}, this version reads 1"):
        mh.load(folder)


def test_an_unknown_task_is_refused(bert: mh.Predictor, tmp_path: Path):
    folder = bert.save(tmp_path / "model")
    edit_manifest(folder, task={"name": "clasification", "labels": []})
    with pytest.raises(ConfigError, match="Did you mean 'classification'"):
        mh.load(folder)


@pytest.mark.parametrize(
    "content",
    ['{"format": 1', "[]", '"text"', '{"format": 1}', '{"format": 1, "task": {"name": 3}}'],
)
def test_a_damaged_manifest_is_refused_with_its_path(
    bert: mh.Predictor, tmp_path: Path, content: str
):
    folder = bert.save(tmp_path / "model")
    (folder / "manyheads.json").write_text(content)
    with pytest.raises(ConfigError, match=r"manyheads\.json"):
        mh.load(folder)


def test_truncated_weights_are_refused(bert: mh.Predictor, tmp_path: Path):
    folder = bert.save(tmp_path / "model")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    with pytest.raises(CheckpointError, match=r"model\.safetensors.*damaged or cut short"):
        mh.load(folder)


def test_weights_of_other_shapes_are_listed_together(bert: mh.Predictor, tmp_path: Path):
    folder = bert.save(tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    config["intermediate_size"] = 25
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=r"blocks\.0\.feedforward.*blocks\.1\.feedforward"):
        mh.load(folder)


def test_a_head_of_other_size_than_the_labels_is_refused(bert: mh.Predictor, tmp_path: Path):
    folder = bert.save(tmp_path / "model")
    edit_manifest(folder, task={"name": "classification", "labels": ["a", "b", "c"]})
    with pytest.raises(CheckpointError, match=r"\(2, 16\)"):
        mh.load(folder)


def test_bytes_that_no_encoding_can_write_are_named(bert: mh.Predictor):
    with pytest.raises(TextError, match="text 2 holds a lone surrogate"):
        bert(["a", "\udcff"])


def test_a_megabyte_of_text_is_answered(bert: mh.Predictor):
    (answer,) = bert.answers(["word " * 200_000])
    assert answer.truncated == 200_002 - 24
