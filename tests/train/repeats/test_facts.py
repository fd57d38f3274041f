"""What tells the runs of one recipe from those of another."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests import tiny

import manyheads as mh
from manyheads.errors import RecipeError
from manyheads.train.repeats.facts import model_fact, require_same


def test_a_reference_is_itself_and_a_blueprint_its_sizes() -> None:
    assert model_fact("package:a/b") == model_fact(Path("package:a/b")) == "package:a/b"
    small, large = (mh.Scratch(layers=layers, width=32, heads=2) for layers in (1, 2))
    assert model_fact(small) == model_fact(replace(large, layers=1)) != model_fact(large)


def test_an_opened_model_is_its_weights() -> None:
    one, same = tiny.body(tiny.moods(20)), tiny.body(tiny.moods(20))
    assert model_fact(one) == model_fact(same)
    with torch.no_grad():
        next(iter(same.transformer.parameters())).add_(1)
    assert model_fact(one) != model_fact(same)


def test_a_blueprint_of_another_kind_is_the_same_in_every_process() -> None:
    class Built:
        build_for = tiny.SCRATCH.build_for

    assert model_fact(Built()) == model_fact(Built()) != model_fact(tiny.SCRATCH)


def test_all_that_differs_is_named() -> None:
    require_same({"task": "a", "data": {"x": 1}}, {"task": "a", "data": {"x": 1}}, Path("fold-1"))
    with pytest.raises(RecipeError, match="fold-1 was trained with another task and another data;"):
        require_same({"task": "a", "data": 1}, {"task": "b", "data": 2}, Path("fold-1"))
