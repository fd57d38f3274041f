"""Folders of sentence-transformers, old and new: read, written, refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from manyheads.core.similarity import Similarity
from manyheads.core.spec import Activation, LayerNorm, Pooling
from manyheads.core.vectors import Projection, UnitLength, VectorSpec
from manyheads.errors import ConfigError
from manyheads.hub.sentences import (
    Sentences,
    makes_vectors,
    published_pooling,
    read_sentences,
    write_sentences,
)
from manyheads.text import Prompts

TRANSFORMER, POOLING = ("models.Transformer", ""), ("models.Pooling", "1_Pooling")


def folder(tmp_path: Path, pooling: str = "{}", *modules: tuple[str, str], **files: Any) -> Path:
    """A folder of a Transformer, a pooling, more modules, and further files by their stems."""
    listed = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.{kind}"}
        for i, (kind, path) in enumerate((TRANSFORMER, POOLING, *modules))
    ]
    (tmp_path / "modules.json").write_text(json.dumps(listed))
    for _, path in (POOLING, *modules):
        (tmp_path / path).mkdir()
    (tmp_path / "1_Pooling" / "config.json").write_text(pooling)
    for stem, content in files.items():
        (tmp_path / f"{stem}.json").write_text(json.dumps(content))
    return tmp_path


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}, (Pooling.MEAN,)),
        ({"pooling_mode_mean_tokens": False, "pooling_mode_cls_token": True}, (Pooling.FIRST,)),
        (
            {"pooling_mode_max_tokens": True, "pooling_mode_mean_tokens": True},
            (Pooling.MAX, Pooling.MEAN),
        ),
        ({"pooling_mode_weightedmean_tokens": True}, (Pooling.LATER_MORE,)),
        ({"pooling_mode_mean_sqrt_len_tokens": True}, (Pooling.ROOT_MEAN,)),
        ({"pooling_mode_lasttoken": True, "include_prompt": True}, (Pooling.LAST,)),
        ({"pooling_mode": "mean", "embedding_dimension": 8}, (Pooling.MEAN,)),
        ({"pooling_mode": ["mean", "cls"]}, (Pooling.MEAN, Pooling.FIRST)),
        ({"word_embedding_dimension": 8}, (Pooling.MEAN,)),
    ],
)
def test_poolings_of_old_and_new_folders(
    tmp_path: Path, settings: dict[str, object], expected: tuple[Pooling, ...]
) -> None:
    made = folder(tmp_path, json.dumps(settings))
    found = read_sentences(made)
    assert found is not None and found.spec == VectorSpec(expected)
    assert published_pooling(made) is (expected[0] if len(expected) == 1 else None)


def test_a_plain_folder_says_nothing(tmp_path: Path) -> None:
    assert read_sentences(tmp_path) is None
    assert published_pooling(tmp_path) is None
    assert not makes_vectors(tmp_path)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    made = folder(tmp_path, "{")
    for read in (read_sentences, published_pooling):
        with pytest.raises(ConfigError, match=r"1_Pooling.config\.json is not valid JSON"):
            read(made)


def test_texts_and_prompts(tmp_path: Path) -> None:
    found = read_sentences(
        folder(
            tmp_path,
            '{"include_prompt": false}',
            sentence_roberta_config={"max_seq_length": 12, "do_lower_case": True},
            config_sentence_transformers={
                "__version__": {},
                "prompts": {"query": "ask: ", "document": ""},
                "default_prompt_name": "query",
                "similarity_fn_name": "dot",
            },
        )
    )
    assert found is not None
    assert found.max_tokens == 12
    assert found.prompts == Prompts({"query": "ask: ", "document": ""}, "query", False, True)
    assert found.similarity is Similarity.DOT


WHOLE = Sentences(
    spec=VectorSpec(
        (Pooling.MAX, Pooling.MEAN),
        (
            Projection(3, activation=Activation.TANH),
            LayerNorm(1e-5),
            Projection(2, bias=False),
            UnitLength(),
        ),
    ),
    tensors={
        "steps.0.0.weight": torch.randn(3, 8),
        "steps.0.0.bias": torch.randn(3),
        "steps.1.weight": torch.randn(3),
        "steps.1.bias": torch.randn(3),
        "steps.2.0.weight": torch.randn(2, 3),
    },
    prompts=Prompts({"query": "ask: "}, default="query", counted=False, lowercase=True),
    max_tokens=20,
    similarity=Similarity.EUCLIDEAN,
)


@pytest.mark.parametrize(
    "poolings", [(Pooling.MAX, Pooling.MEAN), (Pooling.MEAN, Pooling.MAX)], ids=["old", "new"]
)
def test_what_is_written_is_read(tmp_path: Path, poolings: tuple[Pooling, ...]) -> None:
    """The older form knows one order of poolings; in another order, the newer one is written."""
    written = Sentences(**vars(WHOLE) | {"spec": VectorSpec(poolings, WHOLE.spec.steps)})
    write_sentences(tmp_path, written, width=4)
    found = read_sentences(tmp_path)
    assert found is not None and makes_vectors(tmp_path)
    assert {**vars(found), "tensors": None} == {**vars(written), "tensors": None}
    assert found.tensors.keys() == WHOLE.tensors.keys()
    for name, tensor in WHOLE.tensors.items():
        assert torch.equal(found.tensors[name], tensor)
    flags = json.loads((tmp_path / "1_Pooling" / "config.json").read_text())
    assert ("pooling_mode" in flags) == (poolings[0] is Pooling.MEAN)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"pooling": '{"pooling_mode": "attention"}'}, "pools by 'attention'"),
        ({"pooling": '{"pooling_mode_median": true}'}, "pooling_mode_median=True, which is not"),
        ({"modules": [("models.LSTM", "2_LSTM")]}, "has a module LSTM, which is not understood"),
        ({"sentence_bert_config": {"max_len": 3}}, "max_len=3, which is not understood"),
        (
            {"sentence_bert_config": {"module_output_name": "sentence_embedding"}},
            "module_output_name='sentence_embedding', which is not understood; only 'token_emb",
        ),
        (
            {"config_sentence_transformers": {"model_type": "SparseEncoder"}},
            "model_type='SparseEncoder', which is not understood; only 'SentenceTransformer'",
        ),
        (
            {"config_sentence_transformers": {"similarity_fn_name": "maxsim"}},
            "similarity_fn_name='maxsim', which is not understood; known are cosine, dot",
        ),
        (
            {"config_sentence_transformers": {"default_prompt_name": "ask"}},
            "has no prompt 'ask', which it calls the default; it has none",
        ),
    ],
)
def test_what_is_not_understood_is_refused(
    tmp_path: Path, files: dict[str, Any], message: str
) -> None:
    """It would be a vector that looks like one, and is wrong."""
    modules = files.pop("modules", [])
    made = folder(tmp_path, files.pop("pooling", "{}"), *modules, **files)
    with pytest.raises(ConfigError, match=message):
        read_sentences(made)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"use_residual": True}, "use_residual=True, which is not understood; only False is"),
        ({"activation_function": "torch.nn.modules.activation.Mish"}, "is not understood; known"),
        ({"activation_function": "mine.Tanh"}, "activation_function='mine.Tanh'"),
        ({"module_input_name": "token_embeddings"}, "only 'sentence_embedding' is"),
        ({"out_features": None}, "lacks out_features"),
    ],
)
def test_projections_that_are_not_understood(
    tmp_path: Path, settings: dict[str, object], message: str
) -> None:
    made = folder(tmp_path, "{}", ("models.Dense", "2_Dense"))
    dense = {"in_features": 8, "out_features": 3, "bias": True} | settings
    (made / "2_Dense" / "config.json").write_text(json.dumps(dense))
    with pytest.raises(ConfigError, match=message):
        read_sentences(made)


def test_code_of_others_is_not_run(tmp_path: Path) -> None:
    made = folder(tmp_path)
    modules = json.loads((made / "modules.json").read_text())
    modules[1]["type"] = "custom_st.Pooling"
    (made / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(ConfigError, match=r"module 'custom_st\.Pooling' of its own code"):
        read_sentences(made)


def test_modules_must_begin_with_a_transformer(tmp_path: Path) -> None:
    (tmp_path / "modules.json").write_text("[]")
    with pytest.raises(ConfigError, match=r"modules\.json begins with nothing"):
        read_sentences(tmp_path)
    (tmp_path / "modules.json").write_text("{}")
    with pytest.raises(ConfigError, match="no list of JSON objects"):
        read_sentences(tmp_path)
