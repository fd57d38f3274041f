"""The reversible table of weight names."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from manyheads.core.transformer import Transformer
from manyheads.families import Family
from manyheads.families.rules import Fuse, Rename, Rules, modern_name

from .harness import CASES, Case, published_name

RULES = Rules(
    Rename("emb", "embed.tokens"),
    Fuse(("layer.{i}.q", "layer.{i}.k", "layer.{i}.v"), "blocks.{i}.qkv"),
    Rename("layer.{i}.norm", "blocks.{i}.norm"),
)


def published(layers: int = 12) -> dict[str, Tensor]:
    tensors = {"emb.weight": torch.randn(5, 4)}
    for i in range(layers):
        for part in "qkv":
            tensors[f"layer.{i}.{part}.weight"] = torch.randn(4, 4)
            tensors[f"layer.{i}.{part}.bias"] = torch.randn(4)
        tensors[f"layer.{i}.norm.weight"] = torch.randn(4)
    return tensors


def assert_same(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert sorted(found) == sorted(expected)
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_rules_are_reversible() -> None:
    theirs = published()
    ours, rest = RULES.to_ours(theirs)
    assert rest == {}
    assert_same(RULES.to_theirs(ours), theirs)


def test_fused_rows_keep_their_order() -> None:
    theirs = published(layers=11)
    ours, _ = RULES.to_ours(theirs)
    rows = [theirs[f"layer.10.{part}.weight"] for part in "qkv"]
    assert torch.equal(ours["blocks.10.qkv.weight"], torch.cat(rows))
    biases = [theirs[f"layer.10.{part}.bias"] for part in "qkv"]
    assert torch.equal(ours["blocks.10.qkv.bias"], torch.cat(biases))


def test_what_no_rule_speaks_of_is_left_over() -> None:
    others = {
        "pooler.weight": torch.zeros(2),
        "layer.0.q.scale": torch.zeros(1),
        "emb": torch.ones(1),
    }
    ours, rest = RULES.to_ours(published(1) | others)
    assert_same(rest, others)
    assert "embed.tokens.weight" in ours


def test_an_incomplete_fusion_is_left_over() -> None:
    theirs = published(1)
    del theirs["layer.0.k.weight"]
    ours, rest = RULES.to_ours(theirs)
    assert sorted(rest) == ["layer.0.q.weight", "layer.0.v.weight"]
    assert "blocks.0.qkv.weight" not in ours
    assert "blocks.0.qkv.bias" in ours


def test_rules_do_not_confuse_dots_with_any_character() -> None:
    ours, rest = Rules(Rename("a.b", "x")).to_ours({"aXb.weight": torch.zeros(1)})
    assert ours == {}
    assert list(rest) == ["aXb.weight"]


def test_reading_leaves_the_given_tensors_alone() -> None:
    theirs = published(2)
    before = dict(theirs)
    RULES.to_ours(theirs)
    assert_same(theirs, before)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("bert.LayerNorm.gamma", "bert.LayerNorm.weight"),
        ("bert.LayerNorm.beta", "bert.LayerNorm.bias"),
        ("bert.gamma.weight", "bert.gamma.weight"),
        ("bert.alphabeta", "bert.alphabeta"),
    ],
)
def test_names_of_tensorflow_are_understood(old: str, new: str) -> None:
    assert modern_name(old) == new


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_every_weight_of_the_body_has_exactly_one_rule(case: Case) -> None:
    """Nothing is lost either way: names and shapes are those of the original's body."""
    family: Family = case.family
    ours = {
        name: torch.zeros(p.shape)
        for name, p in Transformer(family.to_spec(case.configure().to_dict())).named_parameters()
    }
    theirs = family.rules.to_theirs(ours)
    again, rest = family.rules.to_ours(theirs)
    assert rest == {}
    assert_same(again, ours)
    with torch.device("meta"):
        body = case.base(case.configure())
    expected = {
        published_name(f"{family.prefix}{name}"): p.shape for name, p in body.named_parameters()
    }
    pooler = {name for name in expected if ".pooler." in name}
    assert {name: t.shape for name, t in theirs.items()} == {
        name: shape for name, shape in expected.items() if name not in pooler
    }
