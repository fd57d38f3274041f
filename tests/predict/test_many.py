"""Many heads answer together as each of them does alone, and the body runs once for all."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tests import many, questions, tiny

import manyheads as mh
from manyheads.core.layers import lower_part
from manyheads.core.layout import Layout
from manyheads.errors import CheckpointError, ManyHeadsError, TextError
from manyheads.hub import Pretrained, load_model
from manyheads.predict import ManyPredictor

TEXTS = [
    *(text for text, _ in tiny.mood_rows(6, seed=3)),
    "Anna met Béla in Rome.",
    "今天去图书馆",
    "   ",
    " ".join(text for text, _ in tiny.mood_rows(20)),  # longer than the model reads
]
CONTEXTS = list(questions.rows(len(TEXTS), seed=4)["context"])
SINGLE = ("mood", "names", "score", "topics")


@pytest.fixture(scope="module")
def predictor() -> ManyPredictor:
    learner = many.learner()
    learner.fit(epochs=2)
    made = learner.predictor()
    assert isinstance(made, ManyPredictor)
    return made


@pytest.fixture(scope="module")
def folder(predictor: ManyPredictor, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return predictor.save(tmp_path_factory.mktemp("many") / "model")


def plain(prediction: Any) -> Any:
    """A prediction without the last digits of its numbers."""
    if isinstance(prediction, float):
        return round(prediction, 3) + 0.0
    if isinstance(prediction, dict):
        return {name: plain(one) for name, one in prediction.items()}
    if isinstance(prediction, list | tuple):
        return [plain(one) for one in prediction]
    return plain(vars(prediction)) if hasattr(prediction, "__dataclass_fields__") else prediction


def test_all_heads_answer_as_each_does_alone(predictor: ManyPredictor) -> None:
    together = predictor(TEXTS)
    assert tuple(together) == SINGLE
    for head, predictions in together.items():
        assert plain(predictions) == plain(predictor[head](TEXTS)), head


def test_with_second_texts_heads_of_pairs_answer_too(predictor: ManyPredictor) -> None:
    asked = ["which color was it?"] * len(TEXTS)
    together = predictor(asked, CONTEXTS)
    assert tuple(together) == predictor.heads == (*SINGLE, "answer")
    assert plain(together["answer"]) == plain(predictor["answer"](asked, CONTEXTS))
    assert plain(together["mood"]) == plain(predictor["mood"](asked))
    one = predictor(asked[0], CONTEXTS[0])
    assert str(one["answer"]) == str(together["answer"][0])


def passes(predictor: ManyPredictor, texts: list[str]) -> int:
    """How many tokens went through the body, by its first block."""
    tokens: list[int] = []
    block = predictor.model.transformer.encoder.blocks[0]
    hook = block.register_forward_hook(lambda _, __, hidden_TD: tokens.append(len(hidden_TD)))
    predictor(texts)
    hook.remove()
    return sum(tokens)


def test_the_body_runs_once_for_all_heads(predictor: ManyPredictor) -> None:
    texts = TEXTS[:8]
    tokens = sum(one.tokens for one in predictor["mood"].reader.read(texts))
    assert tokens <= passes(predictor, texts) < tokens + 16  # a batch ends with a round number
    assert passes(predictor, texts[:1]) < 32
    assert passes(predictor, texts[:1] * 50) == passes(predictor, texts[:1])


def test_one_text_and_none_are_answered(predictor: ManyPredictor) -> None:
    one = predictor(TEXTS[0])
    assert {head: str(said) for head, said in one.items()} == {
        head: str(said[0]) for head, said in predictor(TEXTS[:1]).items()
    }
    assert predictor([]) == {head: [] for head in SINGLE}
    told: list[int] = []
    predictor.answers(TEXTS, progress=told.append)
    assert sum(told) >= len(TEXTS)


def test_what_was_saved_answers_the_same(predictor: ManyPredictor, folder: Path) -> None:
    opened = mh.load(folder)
    assert isinstance(opened, ManyPredictor)
    assert opened.heads == predictor.heads
    expected = predictor(TEXTS, CONTEXTS)
    assert {h: plain(p) for h, p in opened(TEXTS, CONTEXTS).items()} == {
        head: plain(said) for head, said in expected.items()
    }
    bodies = {id(opened[head].model.transformer.embed) for head in opened.heads}
    assert bodies == {id(opened.model.transformer.embed)}
    again = opened.save(folder.parent / "again")
    assert load_model(again).config == load_model(folder).config
    for name in ("model.safetensors", "manyheads.json"):
        assert (again / name).read_bytes() == (folder / name).read_bytes()


def test_the_manifest_names_the_heads(folder: Path) -> None:
    task = json.loads((folder / "manyheads.json").read_text())["task"]
    assert task["name"] == "many-heads"
    assert task["heads"]["mood"] == {"name": "classification", "labels": ["bad", "good"]}
    assert list(task["heads"]) == list(many.TASK.tasks) and task["paired"] == ["answer"]


def test_a_lost_weight_of_a_head_is_named(folder: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(folder, broken)
    weights = load_file(broken / "model.safetensors")
    del weights["heads.mood.classifier.weight"]
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match=r"lacks 1 of .* out.weight"):
        mh.load(broken)


def test_an_unknown_head_is_named(predictor: ManyPredictor) -> None:
    with pytest.raises(ManyHeadsError, match=r"no head 'moods'\. Did you mean 'mood'"):
        predictor["moods"]


def test_heads_of_pairs_alone_need_pairs() -> None:
    task = mh.ManyHeads({"answer": mh.Answering()})
    learner = mh.Learner(questions.MODEL, task, {"answer": questions.data(8, 0)}, quiet=True)
    learner.fit(epochs=1)
    with pytest.raises(TextError, match="give the second texts too"):
        learner.predictor()("which color was it?")


@pytest.fixture(scope="module")
def averaged(minilm: str) -> Pretrained:
    """The first block of a BERT that was trained to be averaged."""
    model = load_model(minilm)
    return replace(model, transformer=lower_part(model.transformer, 1))


@pytest.fixture(scope="module")
def bert(averaged: Pretrained, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    tasks = {"mood": mh.Classification(), "names": mh.Tagging(), "answer": mh.Answering()}
    data = {name: one for name, one in many.data().items() if name in tasks}
    recipe = mh.Recipe(epochs=1, batch_size=16)
    learner = mh.Learner(averaged, mh.ManyHeads(tasks), data, recipe, quiet=True)
    learner.fit()
    folder = tmp_path_factory.mktemp("bert") / "heads"
    return learner.predictor(), learner.predictor().save(folder)


def test_what_is_appended_for_labels_is_read_by_no_other_head(bert: tuple[Any, Path]) -> None:
    predictor, folder = bert
    for one in (predictor, mh.load(folder)):
        blocks = {head: len(one[head].model.transformer.encoder.blocks) for head in one.heads}
        assert blocks == {"mood": 2, "names": 1, "answer": 1}
        for head, said in one(TEXTS[:8], CONTEXTS[:8]).items():
            second = (CONTEXTS[:8],) if head == "answer" else ()
            assert plain(said) == plain(one[head](TEXTS[:8], *second)), head


def test_heads_learn_what_they_learn_alone_from_the_same_start(averaged: Pretrained) -> None:
    """The tagger beside a classifier starts as the one without: nothing was put below it."""
    recipe = mh.Recipe(epochs=1, probe_examples=0)
    together = mh.Learner(
        averaged,
        mh.ManyHeads({"mood": mh.Classification(), "names": mh.Tagging()}),
        {"mood": tiny.moods(8), "names": tiny.names(8)},
        recipe,
        quiet=True,
    )
    alone = mh.Learner(averaged, mh.Tagging(), tiny.names(8), recipe, quiet=True)
    assert alone.model.state_dict().keys() == together.model.of("names").state_dict().keys()
    for name, tensor in alone.model.state_dict().items():
        assert torch.equal(tensor, together.model.of("names").state_dict()[name]), name


def test_other_tools_open_the_body(bert: tuple[Any, Path]) -> None:
    transformers = pytest.importorskip("transformers")
    _, folder = bert
    theirs = transformers.AutoModel.from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    encoded = tokenizer("Anna met Béla in Rome.", return_tensors="pt")
    with torch.no_grad():
        expected = theirs(**encoded).last_hidden_state[0]
        ours = load_model(folder)
        (one,) = ours.require_tokenizer().encode(["Anna met Béla in Rome."])
        ids_T, layout = Layout.flatten([one.pieces[0].ids])
        found = ours.transformer.eval().encode(ids_T, layout)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


AUTO = {
    "mood": "AutoModelForSequenceClassification",
    "names": "AutoModelForTokenClassification",
    "answer": "AutoModelForQuestionAnswering",
}


@pytest.mark.parametrize("head", AUTO)
def test_one_head_is_saved_as_an_ordinary_folder(
    head: str, bert: tuple[Any, Path], tmp_path: Path
) -> None:
    transformers = pytest.importorskip("transformers")
    predictor, _ = bert
    alone = predictor[head].save(tmp_path / head)
    opened = mh.load(alone)
    assert type(opened) is type(predictor[head])
    np.testing.assert_allclose(
        opened.check_vectors(TEXTS[:4]), predictor[head].check_vectors(TEXTS[:4]), atol=1e-5
    )
    theirs = getattr(transformers, AUTO[head]).from_pretrained(alone).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(alone)
    text = "anna saw a red fox"
    with torch.no_grad():
        if head == "mood":
            logits = theirs(**tokenizer(text, return_tensors="pt")).logits
            torch.testing.assert_close(logits, opened.outputs([text]), atol=1e-4, rtol=1e-4)
        elif head == "names":
            logits = theirs(**tokenizer(text, return_tensors="pt")).logits[0, 1:-1]
            expected = logits.log_softmax(-1)
            found = torch.from_numpy(opened.check_vectors([text]))
            torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
        else:
            encoded = tokenizer(text, text, return_tensors="pt")
            said = theirs(**encoded)
            first = encoded.token_type_ids[0].argmax()
            places = [0, *range(int(first), encoded.input_ids.shape[1] - 1)]
            expected = torch.stack((said.start_logits[0], said.end_logits[0]), 1)[places]
            found = torch.from_numpy(opened.check_vectors([text]))
            torch.testing.assert_close(found, expected.log_softmax(0), atol=1e-4, rtol=1e-4)
