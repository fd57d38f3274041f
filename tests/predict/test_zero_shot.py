"""Labels without training: the scores of Hugging Face's pipeline, and the nearest descriptions."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import manyheads as mh
from manyheads.data import Split
from manyheads.errors import ConfigError, DataError, TextError
from manyheads.hub import locate
from manyheads.predict import ZeroShot
from manyheads.tasks import Labelled, MultiLabelled
from manyheads.train.progress import Reporter
from manyheads.train.report.evaluation import judge_predictor

TEXTS = [
    "The striker scored twice in the final minutes of the cup match.",
    "Parliament voted on the new tax law, and then " + "on many others " * 30,
    "央行上调利率，股市下跌。",
]
LABELS = ["sport", "politics", "财经"]


@pytest.fixture(scope="module")
def entailing(minilm: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier of pairs as `transformers` writes it: random weights, MiniLM's tokenizer."""
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("nli") / "tiny"
    names = ("contradiction", "neutral", "entailment")
    config = transformers.BertConfig(
        vocab_size=30522,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        initializer_range=0.5,
        id2label=dict(enumerate(names)),
        label2id={name: number for number, name in enumerate(names)},
    )
    transformers.BertForSequenceClassification(config).save_pretrained(folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(locate(minilm), model_max_length=64)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("multi_label", [False, True], ids=["one", "several"])
@pytest.mark.parametrize("template", ["This text is about {}.", "这段文字讲的是{}。"])
def test_scores_are_those_of_the_pipeline(
    entailing: Path, multi_label: bool, template: str
) -> None:
    transformers = pytest.importorskip("transformers")
    pipeline = transformers.pipeline("zero-shot-classification", str(entailing))
    theirs = pipeline(
        TEXTS, LABELS, hypothesis_template=template, multi_label=multi_label, truncation=True
    )
    ours = ZeroShot.open(entailing, LABELS, template=template, multi_label=multi_label)
    for found, row in zip(theirs, ours.probabilities(TEXTS), strict=True):
        by_label = dict(zip(found["labels"], found["scores"], strict=True))
        np.testing.assert_allclose(row, [by_label[name] for name in LABELS], atol=2e-5)
    assert ours.labels == tuple(LABELS)
    kind = MultiLabelled if multi_label else Labelled
    assert all(isinstance(one, kind) for one in ours(TEXTS))


def test_several_descriptions_of_a_label_are_averaged(entailing: Path) -> None:
    described = {"sport": ["football", "tennis"], "politics": "laws"}
    outputs = ZeroShot.open(entailing, described).outputs(TEXTS).numpy()
    alone = ZeroShot.open(entailing, ["football", "tennis", "laws"]).outputs(TEXTS).numpy()
    expected = np.stack([alone[:, :2].mean(1), alone[:, 2]], axis=1)
    np.testing.assert_allclose(outputs, expected, atol=1e-5)


def test_what_is_cut_is_told(entailing: Path) -> None:
    cut = [answer.truncated for answer in ZeroShot.open(entailing, LABELS).answers(TEXTS)]
    assert cut[0] == cut[2] == 0 < cut[1]


@pytest.fixture(scope="module")
def embedder(minilm: str) -> mh.Embedder:
    return mh.load(minilm)


def test_the_nearest_descriptions_by_vectors(embedder: mh.Embedder) -> None:
    described = {
        "sport": ["sport", "a football match"],
        "politics": "politics",
        "money": ["the economy", "stock markets"],
    }
    zero_shot = ZeroShot(embedder, described)
    assert [str(one) for one in zero_shot(TEXTS[:2])] == ["sport", "politics"]
    outputs = zero_shot.outputs(TEXTS).numpy()

    def unit(vectors: np.ndarray) -> np.ndarray:
        return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)

    def of_label(*descriptions: str) -> np.ndarray:
        sentences = [f"This text is about {one}." for one in descriptions]
        return unit(unit(embedder(sentences)).mean(0))

    labels = np.stack(
        [
            of_label("sport", "a football match"),
            of_label("politics"),
            of_label("the economy", "stock markets"),
        ]
    )
    np.testing.assert_allclose(outputs, 20 * unit(embedder(TEXTS)) @ labels.T, atol=1e-4)


def test_one_text_or_many_or_none(embedder: mh.Embedder) -> None:
    zero_shot = ZeroShot(embedder, LABELS)
    assert zero_shot(TEXTS[0]).label == "sport"
    assert zero_shot([]) == []
    assert zero_shot.probabilities([]).shape == (0, 3)
    shares = zero_shot.probabilities(TEXTS)
    np.testing.assert_allclose(shares.sum(1), 1, atol=1e-6)
    np.testing.assert_allclose(zero_shot.probabilities(TEXTS[2:]), shares[2:], atol=1e-5)


def test_it_is_judged_as_other_predictors_are(embedder: mh.Embedder) -> None:
    columns = {"text": TEXTS[:2], "label": ["sport", "财经"]}
    split = Split("test", "memory", [1, 2], columns)
    judgement, evaluation = judge_predictor(ZeroShot(embedder, LABELS), split, Reporter(quiet=True))
    assert evaluation.scores.numbers()["accuracy"] == 0.5
    assert str(judgement.prediction(0)) == "sport"
    assert "accuracy" in str(evaluation)


@pytest.mark.parametrize(
    ("labels", "settings", "words"),
    [
        (["one"], {}, "at least 2"),
        (["a", "a"], {}, "twice"),
        (["a", " "], {}, "no description"),
        ({"a": "x", "b": []}, {}, "'b' has no description"),
        ("sport", {}, "one text"),
        (["a", "b"], {"template": "about it"}, "no gap"),
    ],
)
def test_labels_that_are_none(
    embedder: mh.Embedder, labels: object, settings: dict[str, str], words: str
) -> None:
    with pytest.raises(DataError, match=words):
        ZeroShot(embedder, labels, **settings)  # type: ignore[arg-type]


def test_judges_that_cannot(embedder: mh.Embedder, entailing: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nearest"):
        ZeroShot(embedder, LABELS, multi_label=True)
    other = tmp_path / "other"
    shutil.copytree(entailing, other)
    config = other / "config.json"
    config.write_text(config.read_text().replace("contradiction", "nonsense"))
    with pytest.raises(ConfigError, match="nonsense"):
        ZeroShot.open(other, LABELS)
    with pytest.raises(TextError, match="pairs"):
        ZeroShot(embedder, LABELS)(TEXTS[:1], TEXTS[:1])
