"""Fresh weights: what a model begins with before it has learnt anything."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from manyheads.core.position import grid_table
from manyheads.core.transformer import Transformer


def initialize(model: nn.Module, deviation: float = 0.02, seed: int = 0) -> None:
    """Draw fresh weights: normal of that deviation, biases 0, norms 1 (Devlin et al. 2019)."""

    def draw(fresh: Tensor, generator: torch.Generator, is_table: bool) -> None:
        fresh.normal_(0, deviation, generator=generator)

    _fill(model, seed, draw)


def initialize_by_fan(model: nn.Module, seed: int = 0) -> None:
    """Draw fresh weights: matrices by Glorot & Bengio 2010, token vectors normal of D^-1/2.

    As encoder-decoders after Vaswani et al. 2017 are begun: with token vectors multiplied by √D,
    all sub-layers see values of about one.
    """

    def draw(fresh: Tensor, generator: torch.Generator, is_table: bool) -> None:
        if is_table:
            fresh.normal_(0, fresh.shape[1] ** -0.5, generator=generator)
        else:
            bound = (6.0 / sum(fresh.shape)) ** 0.5
            fresh.uniform_(-bound, bound, generator=generator)

    _fill(model, seed, draw)


def initialize_for_images(model: Transformer, seed: int = 0) -> None:
    """Draw fresh weights by fan, and begin positions as the sines of where each patch lies.

    From few images a model learns sooner when it need not find out which patches are neighbours
    (Beyer, Zhai & Kolesnikov 2022, "Better plain ViT baselines for ImageNet-1k"). They are half as
    long as there, and of waves that suit few rows; all of them are learnt on.
    """
    initialize_by_fan(model, seed)
    patches, positions = model.spec.embed.patches, model.embed.positions
    assert patches is not None and positions is not None, "this model reads no images"
    table_TD = positions.weight
    with torch.no_grad():
        table_TD[:1].zero_()
        table_TD[1:] = grid_table(*patches.grid, table_TD.shape[1]) / 2


def _fill(
    model: nn.Module, seed: int, draw: Callable[[Tensor, torch.Generator, bool], None]
) -> None:
    """Set biases to 0, norms to 1, and what has two dimensions or more to what `draw` makes of it.

    It is told whether that is a table of tokens.
    """
    generator = torch.Generator().manual_seed(seed)
    tables = {id(one.weight) for one in model.modules() if isinstance(one, nn.Embedding)}
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.zero_()
            elif parameter.dim() == 1:
                parameter.fill_(1.0)
            else:
                fresh = torch.empty(parameter.shape)
                draw(fresh, generator, id(parameter) in tables)
                parameter.copy_(fresh)
