"""Which weights of a model learn: few beside it, its head, its biases, or layer after layer.

All by replacing or freezing modules; `whole` makes the model again that every tool opens.
"""

from __future__ import annotations

import copy
from fnmatch import fnmatchcase

from torch import nn

from manyheads.core.attention import Attend
from manyheads.core.block import Block
from manyheads.core.dropout import Dropout
from manyheads.core.low_rank import LowRankLinear
from manyheads.core.recompute import RecomputedBlock
from manyheads.core.swap import swap
from manyheads.errors import RecipeError
from manyheads.train.settings import Adaptation, Biases, Gradual, LowRank

_BODY = "transformer."
_PUT_IN = (LowRankLinear, RecomputedBlock)


def adapt(model: nn.Module, adaptation: Adaptation | None) -> None:
    """Freeze and replace what an adaptation says, in place; a gradual one begins with the run.

    Raises `RecipeError` for low-rank patterns that match no linear layer, and for a model that has
    no biases to learn.
    """
    if adaptation is None or isinstance(adaptation, Gradual):
        return
    body = {n: one for n, one in model.named_parameters() if n.startswith(_BODY)}
    for parameter in body.values():
        parameter.requires_grad_(False)
    match adaptation:
        case LowRank():
            _add_low_rank(model, adaptation)
        case Biases():
            biases = [parameter for name, parameter in body.items() if name.endswith("bias")]
            if not biases:
                raise RecipeError("this model has no biases to learn; choose adapt='low_rank'")
            for parameter in biases:
                parameter.requires_grad_(True)


def recompute(model: nn.Module) -> None:
    """Let every block be computed again for its gradients instead of keeping what they take."""
    swap(model, lambda _, module: RecomputedBlock(module) if isinstance(module, Block) else None)


def set_dropout(model: nn.Module, probability: float) -> None:
    """Let every dropout of a model be of this probability."""
    for module in model.modules():
        if isinstance(module, Dropout):
            module.p = probability
        elif isinstance(module, Attend):
            module.dropout = probability


def whole(model: nn.Module) -> nn.Module:
    """Return the model without what was put in: itself where nothing was, otherwise a copy."""
    if not any(isinstance(module, _PUT_IN) for module in model.modules()):
        return model
    model = copy.deepcopy(model)
    swap(model, lambda _, module: module.block if isinstance(module, RecomputedBlock) else None)
    swap(model, lambda _, module: module.merged() if isinstance(module, LowRankLinear) else None)
    for parameter in model.parameters():
        parameter.requires_grad_(True)
    return model


def _add_low_rank(model: nn.Module, adaptation: LowRank) -> None:
    def beside(path: str, module: nn.Module) -> nn.Module | None:
        wanted = path.startswith(_BODY) and any(
            fnmatchcase(path, pattern) for pattern in adaptation.layers
        )
        if not wanted or not isinstance(module, nn.Linear):
            return None
        return LowRankLinear(module, adaptation.rank, adaptation.alpha, adaptation.dropout)

    if not swap(model, beside):
        names = [path for path, module in model.named_modules() if isinstance(module, nn.Linear)]
        raise RecipeError(
            f"layers={list(adaptation.layers)} matches no linear layer of the body; there are such "
            f"as {', '.join(names[:6])}"
        )
