from __future__ import annotations

import pytest
import torch
from torch import nn

from manyheads.errors import RecipeError
from manyheads.train.adamw import AdamW
from manyheads.train.optim import build_optimizer
from manyheads.train.recipe import Recipe


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.norm = nn.LayerNorm(4)
        self.scale = nn.RMSNorm(4)
        self.gain = nn.Parameter(torch.ones(4))  # one-dimensional, and neither norm nor bias


class Encoder(nn.Module):
    def __init__(self, depth: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block() for _ in range(depth))
        self.norm = nn.LayerNorm(4)


class Transformer(nn.Module):
    def __init__(self, depth: int) -> None:
        super().__init__()
        self.embed = nn.ModuleDict({"tokens": nn.Embedding(10, 4), "norm": nn.LayerNorm(4)})
        self.encoder = Encoder(depth)


class Model(nn.Module):
    def __init__(self, depth: int = 3) -> None:
        super().__init__()
        self.transformer = Transformer(depth)
        self.head = nn.Linear(4, 2)


def settings_of(model: nn.Module, optimizer: AdamW) -> dict[str, dict]:
    """Return the group of each trained parameter by the parameter's name."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return {names[id(p)]: group for group in optimizer.param_groups for p in group["params"]}


def test_weight_decay_leaves_norms_and_biases_alone():
    model = Model()
    groups = settings_of(model, build_optimizer(model, Recipe(weight_decay=0.1)))
    assert groups.keys() == dict(model.named_parameters()).keys()
    undecayed = {name for name, group in groups.items() if group["weight_decay"] == 0}
    assert undecayed == {name for name in groups if ".norm." in name or ".scale." in name} | {
        name for name in groups if name.endswith("bias")
    }
    assert groups["transformer.encoder.blocks.0.gain"]["weight_decay"] == 0.1


def test_without_layer_decay_two_groups_suffice():
    optimizer = build_optimizer(Model(), Recipe())
    assert len(optimizer.param_groups) == 2
    assert optimizer.fused
    assert all(group["base_lr"] == group["lr"] == 5e-5 for group in optimizer.param_groups)


def test_layer_decay_falls_from_the_head_to_the_embeddings():
    model = Model(depth=3)
    groups = settings_of(model, build_optimizer(model, Recipe(learning_rate=1.0, layer_decay=0.5)))
    expected = {
        "head.weight": 1.0,
        "transformer.encoder.norm.weight": 1.0,
        "transformer.encoder.blocks.2.linear.weight": 0.5,
        "transformer.encoder.blocks.1.norm.bias": 0.25,
        "transformer.encoder.blocks.0.gain": 0.125,
        "transformer.embed.tokens.weight": 0.0625,
        "transformer.embed.norm.weight": 0.0625,
    }
    for name, rate in expected.items():
        assert groups[name]["base_lr"] == pytest.approx(rate), name


def test_groups_are_the_same_every_time():
    def layout() -> list[tuple[str, int]]:
        optimizer = build_optimizer(Model(), Recipe(layer_decay=0.9))
        return [(group["name"], len(group["params"])) for group in optimizer.param_groups]

    assert layout() == layout()
    assert len(layout()) == 2 * (3 + 2)


def test_one_step_equals_torch_s_adamw():
    ours, theirs = Model(), Model()
    theirs.load_state_dict(ours.state_dict())
    recipe = Recipe(learning_rate=0.1, weight_decay=0.3, betas=(0.8, 0.95), epsilon=1e-6)
    optimizer = build_optimizer(ours, recipe)
    decayed = [p for n, p in theirs.named_parameters() if n.endswith("linear.weight")]
    reference = torch.optim.AdamW(decayed, lr=0.1, weight_decay=0.3, betas=(0.8, 0.95), eps=1e-6)
    for model in (ours, theirs):
        sum((p**3).sum() for p in model.parameters()).backward()
    optimizer.step()
    reference.step()
    for index in range(3):
        name = f"transformer.encoder.blocks.{index}.linear.weight"
        torch.testing.assert_close(ours.get_parameter(name), theirs.get_parameter(name))


@pytest.mark.parametrize(
    ("pattern", "trained"),
    [
        ("transformer", {"head.weight", "head.bias"}),
        ("transformer.*", {"head.weight", "head.bias"}),
        ("*.blocks.[0-9]", None),
    ],
)
def test_frozen_parameters_are_not_trained(pattern: str, trained: set[str] | None):
    model = Model()
    groups = settings_of(model, build_optimizer(model, Recipe(freeze=(pattern,))))
    expected = trained or {n for n, _ in model.named_parameters() if ".blocks." not in n}
    assert groups.keys() == expected
    assert {n for n, p in model.named_parameters() if p.requires_grad} == expected


def test_a_pattern_that_matches_nothing_names_the_nearest():
    with pytest.raises(RecipeError) as caught:
        build_optimizer(Model(), Recipe(freeze=("transfomer.embed.*",)))
    assert str(caught.value) == (
        "freeze pattern 'transfomer.embed.*' matches no parameter. "
        "Did you mean 'transformer.embed'?"
    )
    with pytest.raises(RecipeError, match="Top-level names: transformer, head"):
        build_optimizer(Model(), Recipe(freeze=("xyz",)))


def test_freezing_everything_is_refused():
    with pytest.raises(RecipeError, match="leaves nothing to train"):
        build_optimizer(Model(), Recipe(freeze=("*",)))


def test_shared_parameters_are_updated_once():
    model = Model()
    model.head.weight = nn.Parameter(model.transformer.embed["tokens"].weight)
    optimizer = build_optimizer(model, Recipe(layer_decay=0.5))
    trained = [id(p) for group in optimizer.param_groups for p in group["params"]]
    assert len(trained) == len(set(trained))


def test_a_decoder_stands_on_its_encoder():
    model = Model(depth=2)
    model.transformer.decoder = Encoder(2)
    recipe = Recipe(learning_rate=1.0, layer_decay=0.5)
    groups = settings_of(model, build_optimizer(model, recipe))
    rates = [
        groups[f"transformer.{name}"]["base_lr"]
        for name in (
            "embed.tokens.weight",
            "encoder.blocks.0.gain",
            "encoder.blocks.1.gain",
            "decoder.blocks.0.gain",
            "decoder.blocks.1.gain",
            "decoder.norm.weight",
        )
    ]
    assert rates == [0.5**5, 0.5**4, 0.5**3, 0.5**2, 0.5, 1.0]
