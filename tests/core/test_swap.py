"""Replacing modules by others."""

from __future__ import annotations

import weakref

import torch
from torch import nn

from manyheads.core.layout import Layout
from manyheads.core.swap import swap

from . import small


class Doubled(nn.Module):
    """Twice what the module inside returns."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 2 * self.inner(x)


def test_swap_replaces_what_is_named_and_reports_it() -> None:
    model = small.make(small.post_norm())
    batch = (torch.tensor([3, 4, 5]), Layout([3]))
    before = model.encode(*batch)
    paths = swap(
        model, lambda path, module: Doubled(module) if path.endswith("feedforward.down") else None
    )
    assert paths == [f"encoder.blocks.{i}.feedforward.down" for i in range(2)]
    after = model.encode(*batch)
    assert not torch.allclose(before, after)
    swap(model, lambda _, module: module.inner if isinstance(module, Doubled) else None)
    assert torch.equal(model.encode(*batch), before)


def test_swap_does_not_look_inside_what_it_replaced() -> None:
    model = small.make(small.post_norm())
    paths = swap(model, lambda _, m: Doubled(m) if isinstance(m, nn.Linear | Doubled) else None)
    assert len(paths) == 8
    inner = [m.inner for m in model.modules() if isinstance(m, Doubled)]
    assert all(isinstance(module, nn.Linear) for module in inner)


def test_replacing_a_parent_leaves_its_children_alone() -> None:
    model = small.make(small.post_norm())
    asked = []

    def replace(path: str, module: nn.Module) -> nn.Module | None:
        asked.append(path)
        return nn.Identity() if path == "encoder.blocks.0" else None

    assert swap(model, replace) == ["encoder.blocks.0"]
    assert isinstance(model.encoder.blocks[0], nn.Identity)
    assert not any(path.startswith("encoder.blocks.0.") for path in asked)
    assert any(path.startswith("encoder.blocks.1.") for path in asked)


def test_swapping_nothing_changes_nothing() -> None:
    model = small.make(small.post_norm())
    modules = list(model.modules())
    assert swap(model, lambda _path, _module: None) == []
    assert [id(m) for m in model.modules()] == [id(m) for m in modules]


def test_swap_lets_go_of_what_it_replaced_at_once() -> None:
    model = nn.Sequential(*(nn.Linear(2, 2) for _ in range(4)))
    originals = [weakref.ref(module) for module in model]
    alive: list[int] = []

    def replace(_: str, module: nn.Module) -> nn.Module:
        alive.append(sum(original() is not None for original in originals))
        return nn.Identity()

    swap(model, replace)
    assert alive == [4, 3, 2, 1]
