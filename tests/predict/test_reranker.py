"""Rerankers order documents as sentence-transformers' cross-encoders do, and by any pair model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests import tiny

import manyheads as mh
from manyheads.errors import ConfigError, TextError
from manyheads.hub import locate
from manyheads.tasks import Classification, Regression, Reranking

QUERY = "How many people live in Berlin?"
DOCUMENTS = ["Berlin has 3.7 million.", "柏林有三百七十万人。", "Go north " * 60, "A river."]


@pytest.fixture(scope="module")
def tokenizer(minilm: str):  # type: ignore[no-untyped-def]
    transformers = pytest.importorskip("transformers")
    return transformers.AutoTokenizer.from_pretrained(locate(minilm), model_max_length=64)


def published(folder: Path, tokenizer, outputs: int = 1, **settings: object) -> Path:  # type: ignore[no-untyped-def]
    """A model of pairs as `transformers` writes it, with random weights."""
    transformers = pytest.importorskip("transformers")
    config = transformers.BertConfig(
        vocab_size=30522,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        initializer_range=0.5,
        num_labels=outputs,
        **settings,
    )
    transformers.BertForSequenceClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"sentence_transformers": {"activation_fn": "torch.nn.modules.linear.Identity"}},
        {"sbert_ce_default_activation_function": "torch.nn.modules.linear.Identity"},
        {"sentence_transformers": {"activation_fn": "torch.nn.modules.activation.Sigmoid"}},
    ],
    ids=["usual", "identity", "old", "sigmoid"],
)
@pytest.mark.parametrize("saved", [False, True], ids=["plain", "resaved"])
def test_scores_are_those_of_a_cross_encoder(  # type: ignore[no-untyped-def]
    settings: dict[str, object], saved: bool, tokenizer, tmp_path: Path
) -> None:
    peers = pytest.importorskip("sentence_transformers")
    folder = published(tmp_path / "model", tokenizer, **settings)
    theirs = peers.CrossEncoder(str(folder), device="cpu")
    if saved:  # as its newest release writes it
        folder = tmp_path / "saved"
        theirs.save_pretrained(str(folder))
    reranker = mh.Reranker.open(folder)
    pairs = [(QUERY, one) for one in DOCUMENTS]
    expected = theirs.predict(pairs, show_progress_bar=False)
    np.testing.assert_allclose(reranker.predict(pairs), expected, atol=2e-5)
    ranks = theirs.rank(QUERY, DOCUMENTS, show_progress_bar=False)
    found = reranker.rank(QUERY, DOCUMENTS)
    assert [one.index for one in found] == [one["corpus_id"] for one in ranks]
    assert [one.text for one in found] == [DOCUMENTS[one.index] for one in found]
    assert found[:2] == reranker.rank(QUERY, DOCUMENTS, top_k=2)


def test_of_two_labels_the_second_one_counts(tokenizer, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    folder = published(tmp_path, tokenizer, outputs=2)
    pairs = [(QUERY, one) for one in DOCUMENTS]
    expected = mh.load(folder).probabilities([QUERY] * 4, DOCUMENTS)[:, 1]
    np.testing.assert_allclose(mh.Reranker.open(folder).predict(pairs), expected, atol=1e-6)


def test_an_ensemble_orders_by_the_mean_of_its_parts(tokenizer, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    folders = [published(tmp_path / name, tokenizer, outputs=2) for name in ("one", "other")]
    mh.ensemble([mh.load(folder) for folder in folders]).save(tmp_path / "both")
    pairs = [(QUERY, one) for one in DOCUMENTS]
    expected = np.mean([mh.Reranker.open(folder).predict(pairs) for folder in folders], axis=0)
    np.testing.assert_allclose(
        mh.Reranker.open(tmp_path / "both").predict(pairs), expected, atol=1e-6
    )


def test_models_that_order_nothing(tokenizer, tmp_path: Path, minilm: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ConfigError, match="LABEL_2"):
        mh.Reranker.open(published(tmp_path / "three", tokenizer, outputs=3))
    with pytest.raises(ConfigError, match="vectors of texts"):
        mh.Reranker.open(minilm)
    strange = {"sentence_transformers": {"activation_fn": "somebody.Else"}}
    with pytest.raises(ConfigError, match=r"somebody\.Else"):
        mh.Reranker.open(published(tmp_path / "strange", tokenizer, **strange))


def pairs_of(label: tuple[object, object]) -> mh.Dataset:
    rows = tiny.mood_rows(16)
    columns = {
        "text": ["lovely" for _ in rows],
        "pair": [text for text, _ in rows],
        "label": [label[mood == "good"] for _, mood in rows],
    }
    return mh.read(columns, pair="pair", valid=0)


@pytest.mark.parametrize(
    ("task", "label"),
    [(Reranking(), (0, 1)), (Classification(), ("no", "yes")), (Regression(), (1.5, 4.5))],
    ids=["reranking", "classification", "regression"],
)
def test_what_we_train_is_saved_and_orders(task, label, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    recipe = mh.Recipe(batch_size=8, learning_rate=1e-2, epochs=1, max_tokens=48)
    learner = mh.Learner(tiny.SCRATCH, task, pairs_of(label), recipe, quiet=True)
    learner.fit()
    folder = learner.predictor().save(tmp_path / "model")
    reranker = mh.Reranker.open(folder)
    pairs = [("lovely", "the food was superb"), ("lovely", "a broken table")]
    found = reranker.predict(pairs)
    queries, documents = map(list, zip(*pairs, strict=True))
    outputs = mh.load(folder).outputs(queries, documents).numpy()
    if isinstance(task, Reranking):
        assert isinstance(mh.load(folder), mh.Reranker)
        np.testing.assert_allclose(found, 1 / (1 + np.exp(-outputs[:, 0])), atol=1e-6)
        peers = pytest.importorskip("sentence_transformers")
        theirs = peers.CrossEncoder(str(folder), device="cpu")
        expected = theirs.predict(pairs, show_progress_bar=False)
        np.testing.assert_allclose(found, expected, atol=2e-5)
        manifest = json.loads((folder / "manyheads.json").read_text())
        assert manifest["task"]["name"] == "reranking"
    elif isinstance(task, Regression):
        np.testing.assert_allclose(found, outputs[:, 0], atol=1e-6)
    else:
        shares = 1 / (1 + np.exp(outputs[:, 0] - outputs[:, 1]))
        np.testing.assert_allclose(found, shares, atol=1e-6)


def test_nothing_and_what_is_no_list(tokenizer, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    reranker = mh.Reranker.open(published(tmp_path, tokenizer))
    assert reranker.rank(QUERY, []) == []
    assert reranker.predict([]).shape == (0,)
    with pytest.raises(TextError, match="one text"):
        reranker.rank(QUERY, "Berlin")
    with pytest.raises(TextError, match="top_k=0"):
        reranker.rank(QUERY, DOCUMENTS, top_k=0)
