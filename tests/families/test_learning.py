"""Long texts are classified by the task that classifies short ones."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

import manyheads as mh

from .harness import CASES, original, publish


def texts(count: int, words: int) -> list[str]:
    chance = random.Random(0)
    return [" ".join(f"w{chance.randrange(5, 60)}" for _ in range(words)) for _ in range(count)]


@pytest.mark.parametrize("name", ["longformer", "bigbird"])
def test_a_predictor_of_long_texts_answers_as_the_original(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    folder = publish(original(case.base, case.configure()), tmp_path / "body")
    rows = texts(12, words=60)
    labels = ["good" if row < 6 else "bad" for row in range(12)]
    data = mh.read({"text": rows, "label": labels}, text="text", label="label", valid=0.25)
    learner = mh.Learner(folder, mh.Classification(), data, quiet=True)
    learner.fit(epochs=1)
    predictor = learner.predictor()
    predictor.save(tmp_path / "predictor")
    theirs = AutoModelForSequenceClassification.from_pretrained(tmp_path / "predictor").eval()
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "predictor")
    assert type(theirs) is case.classifier
    for text, answer in zip(rows, mh.load(tmp_path / "predictor")(rows), strict=True):
        inputs = tokenizer(text, return_tensors="pt")
        assert inputs["input_ids"].shape == (1, 62)
        with torch.no_grad():
            expected = theirs(**inputs).logits.softmax(-1)[0]
        found = [answer.probabilities[theirs.config.id2label[i]] for i in range(2)]
        torch.testing.assert_close(torch.tensor(found), expected, atol=1e-5, rtol=1e-5)
