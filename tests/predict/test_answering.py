"""Answers are parts of the untouched context, and those that transformers' logits say."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from tests import questions, tiny

import manyheads as mh
from manyheads.errors import CheckpointError, TextError
from manyheads.tasks.answering.model import log_softmax

CHINESE = ["我们今天去北京大学参观图书馆", "今天的天气很好", "他在图书馆看书"]
CORPUS = [*tiny.lines(60).train.columns["text"], *CHINESE * 3]
SIZES = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2} | {
    "intermediate_size": 24,
    "max_position_embeddings": 48,
}


def published(folder: Path, name: str, algorithm: Any) -> Path:
    """A model for answers of random weights, as `transformers` writes it."""
    import transformers

    tokenizer = mh.learn_tokenizer(CORPUS, algorithm)
    special = {"pad_token_id": tokenizer.pad_id, "sep_token_id": tokenizer.sep_id}
    config = getattr(transformers, f"{name}Config")(
        **SIZES, **special, vocab_size=tokenizer.vocabulary_size
    )
    torch.manual_seed(0)
    model = getattr(transformers, f"{name}ForQuestionAnswering")(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.3)
    model.save_pretrained(folder)
    tokenizer.save(folder)
    return folder


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return published(tmp_path_factory.mktemp("bert"), "Bert", mh.WordPiece(200))


@pytest.fixture(scope="module")
def answerer(bert: Path) -> mh.Answerer:
    opened = mh.load(bert)
    assert isinstance(opened, mh.Answerer)
    return opened


@pytest.fixture(scope="module")
def learner() -> mh.Learner:
    return questions.learnt(refusing=True)


LONG = " ".join(CORPUS[:20])
ASKED = ["what was it", "今天去哪里", "why", "who  ate?"]
CONTEXTS = [
    "The fo\u200bod wa\u0301s   great\r\nand lovely  ",
    "我们今天去北京大学参观图书馆。\u3000今天的天气很好！",
    LONG,
    "Café 😀 was (so-so)\tthere",
]


def theirs(folder: Path, question: str, context: str) -> torch.Tensor:
    """The logits (T, 2) that transformers gives the context of a short pair, behind the first."""
    from transformers import AutoModelForQuestionAnswering, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForQuestionAnswering.from_pretrained(folder).eval()
    inputs = tokenizer(question, context, return_tensors="pt")
    owners = inputs.sequence_ids(0)
    with torch.no_grad():
        said = model(**inputs)
    places = [0, *(place for place, owner in enumerate(owners) if owner == 1)]
    return torch.stack((said.start_logits[0], said.end_logits[0]), 1)[places]


@pytest.mark.parametrize("name", ["Bert", "Roberta", "Electra"])
@pytest.mark.parametrize("algorithm", [mh.WordPiece(200), mh.BytePair(320)], ids=["wp", "bpe"])
def test_published_models_open_and_say_what_they_say_there(
    name: str, algorithm: Any, tmp_path: Path
) -> None:
    folder = published(tmp_path / "published", name, algorithm)
    answerer = mh.load(folder)
    saved = answerer.save(tmp_path / "saved")
    question, context = "what was it", "the food was great"
    windows = answerer.reader.read([question], [context])
    (found,) = answerer.task.speak(answerer.model)(answerer.task.collate(windows))
    for one in (folder, saved):
        logits = theirs(one, question, context)
        torch.testing.assert_close(
            found.detach(), log_softmax(logits, [len(logits)]), atol=1e-4, rtol=1e-4
        )
    assert mh.load(saved)(ASKED, CONTEXTS) == answerer(ASKED, CONTEXTS)


def test_offsets_are_exact_in_the_untouched_context(answerer: mh.Answerer) -> None:
    for context, one in zip(CONTEXTS, answerer(ASKED, CONTEXTS), strict=True):
        assert one.text and one.text == context[one.start : one.end]
        assert not one.text[0].isspace()
        assert len(one.candidates) > 3
        assert 0 < one.probability <= 1
        for candidate in one.candidates:
            assert context[candidate.start : candidate.end] == candidate.text
        assert sum(candidate.probability for candidate in one.candidates) == pytest.approx(1)


def test_every_window_of_a_long_context_may_hold_the_answer(answerer: mh.Answerer) -> None:
    (found,) = answerer.answers(["why"], [LONG])
    windows = answerer.reader.read(["why"], [LONG])
    assert len(windows) > 5 and found.truncated == 0
    parts = answerer.task.speak(answerer.model)(answerer.task.collate(windows))
    best = max(
        (float(part[1 + i, 0] + part[1 + j, 1]), window.starts[i], window.ends[j])
        for window, part in zip(windows, parts, strict=True)
        for i in range(len(window.starts))
        for j in range(i, min(i + 30, len(window.starts)))
    )
    assert (found.prediction.start, found.prediction.end) == best[1:]


def test_company_and_order_change_nothing(answerer: mh.Answerer) -> None:
    together = answerer(ASKED * 20, CONTEXTS * 20)
    for number in range(4):
        alone = answerer(ASKED[number], CONTEXTS[number])
        for one in together[number::4]:
            assert (one.text, one.start) == (alone.text, alone.start)
            assert one.probability == pytest.approx(alone.probability, rel=1e-3)
    assert answerer([], []) == []


def test_several_questions_about_one_context(answerer: mh.Answerer) -> None:
    assert answerer(ASKED, LONG) == answerer(ASKED, [LONG] * 4)


def test_what_was_learnt_is_found_and_what_is_not_there_is_not(learner: mh.Learner) -> None:
    predictor = learner.predictor()
    valid = learner.data.valid
    assert valid is not None
    columns = valid.columns
    found = predictor(columns["text"], columns["pair"])
    right = [
        one.text in (label["text"] or [""])
        for one, label in zip(found, columns["label"], strict=True)
    ]
    assert sum(right) / len(right) == pytest.approx(learner.evaluate().scores.exact_match)
    refused = next(one for one in found if not one.text)
    assert (refused.start, refused.end) == (0, 0) and str(refused) == "(no answer)"
    assert any(candidate.text for candidate in refused.candidates)


def test_a_saved_predictor_says_the_same(learner: mh.Learner, tmp_path: Path) -> None:
    predictor = learner.predictor()
    folder = predictor.save(tmp_path / "model")
    again = mh.load(folder)
    assert again.task == predictor.task and again.reader.reader.truncation.max_tokens == 48
    columns = questions.rows(12, seed=9)
    expected = predictor(columns["question"], columns["context"])
    assert again(columns["question"], columns["context"]) == expected
    manifest = json.loads((folder / "manyheads.json").read_text())
    assert manifest["task"]["name"] == "answering" and manifest["task"]["may_refuse"] is True
    assert again.save(folder) == folder  # over itself
    assert mh.load(folder)("which color was it?", "it was red") == again(
        "which color was it?", "it was red"
    )


def test_training_goes_on_with_the_head_that_was_saved(learner: mh.Learner, tmp_path: Path) -> None:
    folder = learner.predictor().save(tmp_path / "model")
    again = mh.Learner(folder, mh.Answering(), learner.data, questions.RECIPE, quiet=True)
    before = learner.evaluate(baseline=False).loss
    assert again.evaluate(baseline=False).loss == pytest.approx(before, rel=1e-3)


def test_a_head_that_is_not_there_is_not_drawn(bert: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "without"
    shutil.copytree(bert, folder)
    tensors = load_file(folder / "model.safetensors")
    del tensors["qa_outputs.bias"]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match=r"out\.bias"):
        mh.load(folder)


def test_what_is_no_question_with_a_context(answerer: mh.Answerer) -> None:
    with pytest.raises(TextError, match="give one for each"):
        answerer.answers(["why"], None)
    with pytest.raises(TextError, match="1 texts stand beside 2"):
        answerer(["why"], ["a", "b"])
    with pytest.raises(TextError, match="second text 1 is 3"):
        answerer(["why"], [3])
    with pytest.raises(TextError, match="lone surrogate"):
        answerer("why", "a\ud800")
    assert answerer("", "a b").text in {"a", "b", "a b"}
    assert answerer("why", "").text == ""
