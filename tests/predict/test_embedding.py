"""Vectors are those that sentence-transformers computes of the same folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests import tiny

import manyheads as mh
from manyheads.errors import ConfigError, TextError

pytest.importorskip("sentence_transformers")

LINES = tiny.lines(60).train.columns["text"]
CORPUS = [*LINES, *["我们今天去北京大学参观图书馆", "今天的天气很好"] * 3]
TEXTS = [*LINES[:6], "", "今天去图书馆", " ".join(LINES[:12]), "Loud and Clear"]
SIZES = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 48,
}


def body(folder: Path, family: str = "Bert") -> Path:
    """A model of random weights, as `transformers` writes it."""
    import transformers

    tokenizer = mh.learn_tokenizer(CORPUS, mh.WordPiece(vocabulary=150))
    config = getattr(transformers, f"{family}Config")(
        **SIZES, vocab_size=tokenizer.vocabulary_size, pad_token_id=tokenizer.pad_id
    )
    torch.manual_seed(0)
    model = getattr(transformers, f"{family}Model")(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.3)
    model.save_pretrained(folder)
    tokenizer.save(folder)
    return folder


def theirs(folder: Path) -> Any:
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(folder), device="cpu")


def saved(folder: Path, *modules: Any, family: str = "Bert", **settings: Any) -> Path:
    """A folder of sentence-transformers with these modules behind its Transformer."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Transformer

    first = Transformer(str(body(folder / "body", family)), max_seq_length=24)
    model = SentenceTransformer(modules=[first, *modules], device="cpu", **settings)
    for module in list(model)[2:]:
        for parameter in module.parameters():
            torch.nn.init.normal_(parameter)
    model.save(str(folder / "whole"))
    return folder / "whole"


def close(found: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(found, expected, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize(
    "pooling", ["cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"]
)
@pytest.mark.parametrize("family", ["Bert", "Llama"])
def test_every_pooling(tmp_path: Path, pooling: str, family: str) -> None:
    from sentence_transformers.models import Pooling

    folder = saved(tmp_path, Pooling(16, pooling_mode=pooling), family=family)
    embedder = mh.load(folder)
    assert isinstance(embedder, mh.Embedder) and embedder.dimensions == 16
    close(embedder(TEXTS), theirs(folder).encode(TEXTS, convert_to_numpy=True))


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything that can stand behind a Transformer."""
    from sentence_transformers.models import Dense, Dropout, LayerNorm, Normalize, Pooling

    return saved(
        tmp_path_factory.mktemp("full"),
        Pooling(16, pooling_mode=("max", "mean"), include_prompt=False),
        Dense(32, 12, activation_function=torch.nn.GELU()),
        Dropout(0.5),
        LayerNorm(12),
        Dense(12, 8, bias=False, activation_function=torch.nn.Identity()),
        Normalize(),
        prompts={"query": "some ancient words: ", "passage": "text: "},
        default_prompt_name="passage",
        similarity_fn_name="manhattan",
    )


def test_all_modules_in_a_row(full: Path) -> None:
    embedder, oracle = mh.load(full), theirs(full)
    for prompt in (None, "query", "passage"):
        close(embedder(TEXTS, prompt=prompt), oracle.encode(TEXTS, prompt_name=prompt))
    close(embedder(TEXTS[0]), oracle.encode(TEXTS[0]))
    assert embedder(TEXTS[0]).shape == (8,)


def test_training_goes_on_with_all_modules(full: Path, tmp_path: Path) -> None:
    """The layers behind the pooling learn too, prompts stay, and queries have their own."""
    columns = {"text": LINES[:20], "pair": LINES[20:40]}
    data = mh.read(columns, pair="pair", valid=0)
    learner = mh.Learner(full, mh.Embedding(), data, mh.Recipe(learning_rate=1e-2), quiet=True)
    (sample, *_) = learner.examples["train"]
    prompts = mh.load(full).sentences.prompts
    uncounted = [
        prompts.uncounted(prompts.texts[n], learner.pretrained.tokenizer)
        for n in ("query", "passage")
    ]
    assert list(sample.uncounted) == uncounted and uncounted[0] != uncounted[1]
    learner.fit(epochs=1)
    embedder = learner.predictor()
    embedder.save(tmp_path)
    before = mh.load(full).sentences.tensors
    after = mh.load(tmp_path).sentences.tensors
    assert before.keys() == after.keys() and before
    assert not any(torch.equal(before[name], after[name]) for name in before)
    oracle = theirs(tmp_path)
    for prompt in (None, "query", "passage"):
        close(embedder(TEXTS, prompt=prompt), oracle.encode(TEXTS, prompt_name=prompt))


def test_fewer_dimensions_have_unit_length_again(full: Path) -> None:
    expected = theirs(full).encode(TEXTS, truncate_dim=5, normalize_embeddings=True)
    close(mh.load(full)(TEXTS, dimensions=5), expected)


def test_similarity_is_that_of_the_folder(full: Path) -> None:
    embedder, oracle = mh.load(full), theirs(full)
    vectors = embedder(TEXTS)
    close(embedder.similarity(vectors[:3], vectors), oracle.similarity(vectors[:3], vectors))


@pytest.mark.parametrize("kind", ["cosine", "dot", "euclidean"])
def test_other_similarities(tmp_path: Path, kind: str) -> None:
    from sentence_transformers.models import Pooling

    folder = saved(tmp_path, Pooling(16), similarity_fn_name=kind)
    embedder, oracle = mh.load(folder), theirs(folder)
    vectors = embedder(TEXTS)
    close(embedder.similarity(vectors[:3], vectors), oracle.similarity(vectors[:3], vectors))


def test_tokens_have_vectors_of_their_own(full: Path) -> None:
    expected = theirs(full).encode(TEXTS, prompt="", output_value="token_embeddings")
    for found, wanted in zip(mh.load(full).tokens(TEXTS), expected, strict=True):
        close(found, wanted.numpy())


def test_what_is_saved_opens_in_sentence_transformers(full: Path, tmp_path: Path) -> None:
    embedder = mh.load(full)
    embedder.save(tmp_path)
    expected = embedder(TEXTS, prompt="query")
    close(theirs(tmp_path).encode(TEXTS, prompt_name="query"), expected)
    again = mh.load(tmp_path)
    assert np.array_equal(again(TEXTS, prompt="query"), expected)
    assert again.prompts == embedder.prompts
    embedder.save(tmp_path)  # over what is there
    assert np.array_equal(mh.load(tmp_path)(TEXTS, prompt="query"), expected)


def test_a_text_is_cut_and_counted_as_the_folder_says(full: Path) -> None:
    seen: list[int] = []
    found = mh.load(full).embed(TEXTS, progress=seen.append)
    assert sum(seen) == len(TEXTS)
    lengths = [
        len(one) for one in theirs(full).tokenizer([f"text: {text}" for text in TEXTS]).input_ids
    ]
    assert found.truncated == [max(0, length - 24) for length in found.tokens]
    assert max(found.truncated) > 0 and min(found.tokens) == min(lengths)


def test_a_long_text_in_windows_is_the_mean_of_their_tokens(tmp_path: Path) -> None:
    folder = body(tmp_path)
    whole = mh.Embedder.open(folder, pooling=mh.Pooling.MEAN)
    cut = mh.Embedder.open(folder, pooling=mh.Pooling.MEAN, truncation=mh.Windows(12))
    pieces = whole.tokenizer.encode([TEXTS[8]], truncation=mh.Windows(12))[0].pieces
    assert len(pieces) > 2
    sums = [vectors.sum(0) for vectors in map(_tokens_of(whole), pieces)]
    expected = np.sum(sums, axis=0) / sum(len(piece.ids) for piece in pieces)
    close(cut([TEXTS[8], TEXTS[0]])[0], expected)
    assert cut.embed([TEXTS[8]]).truncated == [0]
    with pytest.raises(ConfigError, match="in windows has tokens in several of them"):
        cut.tokens([TEXTS[8]])


def _tokens_of(embedder: mh.Embedder) -> Any:
    from manyheads.core.layout import Layout
    from manyheads.core.vectors import token_vectors

    def tokens(piece: Any) -> np.ndarray:
        with torch.inference_mode():
            ids_T = torch.tensor(piece.ids.tolist())
            return token_vectors(embedder.transformer, ids_T, Layout([len(ids_T)])).numpy()

    return tokens


def test_lower_case_where_the_folder_says_so(full: Path, tmp_path: Path) -> None:
    from dataclasses import replace

    embedder = mh.load(full)
    prompts = replace(embedder.sentences.prompts, lowercase=True)
    embedder.sentences = replace(embedder.sentences, prompts=prompts)
    embedder.save(tmp_path)
    found = mh.load(tmp_path)(["LOUD and Clear", "loud and clear"])
    close(found[0], found[1])
    close(found, theirs(tmp_path).encode(["LOUD and Clear", "loud and clear"]))


def test_no_texts_are_no_vectors(full: Path) -> None:
    assert mh.load(full)([]).shape == (0, 8)
    assert mh.load(full).tokens([]) == []


def test_a_text_by_itself_and_among_others(full: Path) -> None:
    embedder = mh.load(full)
    together = embedder(TEXTS)
    for text, vector in zip(TEXTS, together, strict=True):
        close(embedder(text), vector)


def test_bad_input_gets_one_clear_line(full: Path, tmp_path: Path) -> None:
    embedder = mh.load(full)
    with pytest.raises(
        ConfigError, match=r"no prompt 'querry'.*query.*It has document, passage, query"
    ):
        embedder("a", prompt="querry")
    for dimensions in (0, 9):
        with pytest.raises(ConfigError, match=f"dimensions={dimensions} of vectors that have 8"):
            embedder("a", dimensions=dimensions)
    with pytest.raises(TextError):
        embedder(["a", None])  # type: ignore[list-item]
    with pytest.raises(ConfigError, match="does not say how the vectors of tokens become one"):
        mh.Embedder.open(body(tmp_path))
    with pytest.raises(ConfigError, match="says itself how its vectors are made"):
        mh.Embedder.open(full, pooling=mh.Pooling.MEAN)


@pytest.mark.parametrize("family", ["Bert", "Llama"])
def test_a_body_by_itself_is_saved_as_it_was(tmp_path: Path, family: str) -> None:
    """A decoder that was published without the projection of its output has none to save."""
    folder = body(tmp_path / "theirs", family)
    embedder = mh.Embedder.open(folder, pooling=mh.Pooling.LAST)
    embedder.save(tmp_path / "ours")
    expected = embedder(TEXTS)
    close(theirs(tmp_path / "ours").encode(TEXTS), expected)
    assert np.array_equal(mh.load(tmp_path / "ours")(TEXTS), expected)
