"""Opening model folders."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import transformers

from manyheads.core.layout import Layout
from manyheads.errors import CheckpointError, ConfigError
from manyheads.hub import Pretrained, load_model, locate
from manyheads.hub.load import fill

from . import folder as small


def state(model: Pretrained) -> dict[str, torch.Tensor]:
    return dict(model.transformer.state_dict())


def assert_same_model(one: Pretrained, other: Pretrained) -> None:
    assert state(one).keys() == state(other).keys()
    for name, tensor in state(one).items():
        assert torch.equal(tensor, state(other)[name]), name


@pytest.fixture
def expected(tmp_path: Path) -> Pretrained:
    return load_model(small.write(tmp_path / "plain"))


def test_minilm_computes_what_the_original_computes(minilm: str) -> None:
    ours = load_model(minilm)
    texts = ["A small text.", "Worked within a day, no side effects at all!", "好"]
    encoded = [encoded.pieces[0] for encoded in ours.tokenizer.encode(texts)]
    ids_T, layout = Layout.flatten([piece.ids for piece in encoded])
    theirs = transformers.AutoModel.from_pretrained(locate(minilm)).eval()
    inputs = transformers.AutoTokenizer.from_pretrained(locate(minilm))(
        texts, padding=True, return_tensors="pt"
    )
    with torch.no_grad():
        hidden = ours.transformer.encode(ids_T, layout).split(layout.lengths)
        padded = theirs(**inputs).last_hidden_state
    for ragged, row, mask in zip(hidden, padded, inputs["attention_mask"], strict=True):
        torch.testing.assert_close(ragged, row[mask.bool()], atol=1e-5, rtol=1e-5)


def test_a_folder_opens_as_it_was_published(tmp_path: Path) -> None:
    model = load_model(small.write(tmp_path))
    assert model.family.name == "bert"
    assert model.config["custom_key_of_the_owner"] == "stays"
    assert sorted(model.head_weights) == ["bert.pooler.dense.bias", "bert.pooler.dense.weight"]
    assert not model.transformer.training
    tensors = small.tensors()
    assert torch.equal(
        state(model)["encoder.blocks.1.attention.out.weight"],
        tensors["encoder.layer.1.attention.output.dense.weight"],
    )


def test_a_relative_path_opens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, expected: Pretrained
) -> None:
    monkeypatch.chdir(tmp_path)
    assert_same_model(load_model("plain"), expected)
    assert_same_model(load_model("./plain"), expected)


def test_shards_open_as_one(tmp_path: Path, expected: Pretrained) -> None:
    assert_same_model(load_model(small.write_shards(tmp_path)), expected)


def test_a_prefix_makes_no_difference(tmp_path: Path, expected: Pretrained) -> None:
    weights = small.tensors(prefix="bert.") | {"cls.predictions.bias": torch.zeros(12)}
    model = load_model(small.write(tmp_path, weights))
    assert_same_model(model, expected)
    assert "cls.predictions.bias" in model.head_weights


def test_tensorflow_names_of_norms_open(tmp_path: Path, expected: Pretrained) -> None:
    def old(name: str) -> str:
        return name.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
            "LayerNorm.bias", "LayerNorm.beta"
        )

    weights = {old(name): tensor for name, tensor in small.tensors().items()}
    assert any(name.endswith(".gamma") for name in weights)
    assert_same_model(load_model(small.write(tmp_path, weights)), expected)


def test_buffers_of_older_releases_are_no_weights(tmp_path: Path, expected: Pretrained) -> None:
    weights = small.tensors() | {"embeddings.position_ids": torch.arange(16)[None]}
    model = load_model(small.write(tmp_path, weights))
    assert_same_model(model, expected)
    assert model.head_weights.keys() == expected.head_weights.keys()


def test_the_dtype_is_the_one_that_was_asked_for(tmp_path: Path) -> None:
    halves = {name: tensor.half() for name, tensor in small.tensors().items()}
    small.write(tmp_path, halves)
    assert {t.dtype for t in state(load_model(tmp_path)).values()} == {torch.float32}
    double = load_model(tmp_path, dtype=torch.float64)
    assert {t.dtype for t in state(double).values()} == {torch.float64}


def test_training_an_opened_model_does_not_touch_the_file(tmp_path: Path) -> None:
    before = (small.write(tmp_path) / "model.safetensors").read_bytes()
    model = load_model(tmp_path)
    with torch.no_grad():
        for parameter in model.transformer.parameters():
            parameter.add_(1.0)
    assert (tmp_path / "model.safetensors").read_bytes() == before


def test_an_unknown_family_is_refused_with_the_nearest_name(tmp_path: Path) -> None:
    small.write(tmp_path)
    small.write_config(tmp_path, model_type="brt")
    with pytest.raises(ConfigError, match=r"'brt' is not supported. Did you mean 'bert'\?"):
        load_model(tmp_path)


def test_a_folder_without_configuration_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"has no config.json"):
        load_model(tmp_path)


def test_missing_weights_are_counted_and_named(tmp_path: Path) -> None:
    weights = small.tensors()
    del weights["embeddings.LayerNorm.bias"]
    del weights["encoder.layer.1.attention.self.key.weight"]
    small.write(tmp_path, weights)
    with pytest.raises(CheckpointError, match=r"lacks 2 of \d+ weights") as caught:
        load_model(tmp_path)
    message = str(caught.value)
    assert "embed.norm.bias" in message
    assert "encoder.blocks.1.attention.qkv.weight" in message
    assert "\n" not in message


def test_weights_of_another_family_are_missing_weights(tmp_path: Path) -> None:
    small.write(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"model_type": "distilbert"}))
    with pytest.raises(CheckpointError, match=r"Is config.json the one of these weights"):
        load_model(tmp_path)


def test_shapes_that_do_not_fit_are_listed_together(tmp_path: Path) -> None:
    small.write(tmp_path)
    small.write_config(tmp_path, vocab_size=13, max_position_embeddings=20, intermediate_size=11)
    with pytest.raises(CheckpointError, match="weights of other shapes") as caught:
        load_model(tmp_path)
    message = str(caught.value)
    assert "embed.tokens.weight is (12, 8), the configuration says (13, 8)" in message
    assert "embed.positions.weight is (16, 8), the configuration says (20, 8)" in message
    for layer in range(2):
        assert f"encoder.blocks.{layer}.feedforward.up.weight is (10, 8)" in message
        assert f"encoder.blocks.{layer}.feedforward.down.weight is (8, 10)" in message
    assert "\n" not in message


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    path = small.write(tmp_path) / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match=r"model.safetensors .* damaged or cut short"):
        load_model(tmp_path)


def test_fill_takes_exactly_what_the_module_has() -> None:
    with torch.device("meta"):
        module = torch.nn.Linear(2, 3)
    tensors = {"weight": torch.randn(3, 2), "bias": torch.randn(3), "more": torch.zeros(1)}
    fill(module, tensors, "cpu", torch.float32, source="here")
    assert torch.equal(module.weight, tensors["weight"])
    with pytest.raises(CheckpointError, match=r"here lacks 1 of 2 weights: bias"):
        fill(module, {"weight": tensors["weight"]}, "cpu", torch.float32, source="here")
