"""Linear layers packed for inference on CPU: the same numbers, faster.

oneDNN multiplies by a weight that lies in blocks of its own choosing, and applies an activation
while a block of the result is still in the cache. `pack` puts such layers into a model:

    feed-forward    up ─ activation ─ down    →    PackedLinear with activation ─ PackedLinear
    tied output     the table of tokens       →    PackedTable, a copy of it
    elsewhere       nn.Linear                 →    PackedLinear

`halve` lets them multiply in bfloat16: half the bytes, and nearly the same numbers much sooner.
"""

from __future__ import annotations

from typing import Any, TypeGuard

import torch
from torch import Tensor, nn

from manyheads.core.feedforward import FeedForward, GatedFeedForward
from manyheads.core.machine import multiplies_bfloat16
from manyheads.core.output import Output
from manyheads.core.swap import swap
from manyheads.core.transformer import Transformer
from manyheads.errors import ConfigError, TrainingError

# Tokens of a typical batch: oneDNN chooses its blocks for it, and they serve other batches too.
_BATCH_TOKENS = 4096


class PackedLinear(nn.Module):
    """activation(x·Wᵀ + b) with W packed: (T, D) → (T, F), float32 on CPU, for inference alone.

    Halved, x, W, b and what comes out are rounded to bfloat16; sums are in float32.
    Its `state_dict` is that of the `nn.Linear` it is made from.
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.bias: Tensor | None
        self.register_buffer("bias", None if linear.bias is None else linear.bias.detach())
        self._packed = _packed(linear.weight.detach())
        self._fused: tuple[str, str | None] = ("none", None)
        self.activation: nn.Module = nn.Identity()

    @property
    def weight(self) -> Tensor:
        """A copy of the weight (F, D), unpacked, in float32."""
        return self._packed.to_dense().float()

    @property
    def shape(self) -> torch.Size:
        """The shape of the weight, (F, D)."""
        return self._packed.shape

    def fuse(self, activation: nn.Module) -> bool:
        """Apply `activation` to the products from now on, if oneDNN knows it; return whether."""
        match activation:
            case nn.GELU():
                self._fused = ("gelu", activation.approximate)
            case nn.ReLU():
                self._fused = ("relu", None)
            case nn.SiLU():
                self._fused = ("swish", None)
            case nn.Tanh():
                self._fused = ("tanh", None)
            case _:
                return False
        self.activation = activation
        return True

    def halve(self) -> None:
        """Multiply in bfloat16 from now on."""
        self._packed = _packed(self.weight.bfloat16())
        if self.bias is not None:
            self.bias = self.bias.bfloat16()

    def forward(self, x_TD: Tensor) -> Tensor:
        """Return the activated products (T, F).

        Raises `TrainingError` where a gradient would have to flow through.
        """
        if x_TD.requires_grad and torch.is_grad_enabled():
            raise TrainingError(
                "no gradient flows through a packed layer; differentiate a model that is not packed"
            )
        name, formula = self._fused
        products_TF: Tensor = torch.ops.mkldnn._linear_pointwise(
            x_TD.to(self._packed.dtype), self._packed, self.bias, name, [], formula
        )
        return products_TF.to(x_TD.dtype)

    def extra_repr(self) -> str:
        """Describe the layer as `nn.Linear` does, with the activation that is fused into it."""
        outputs, inputs = self.shape
        return f"{inputs}, {outputs}, bias={self.bias is not None}, fused={self._fused[0]}"

    def __getstate__(self) -> dict[str, Any]:
        """Return what copies and pickles hold: the weight unpacked, as blocks cannot be copied."""
        return {**self.__dict__, "_packed": self._packed.to_dense()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take what `__getstate__` gave."""
        self.__dict__.update(state, _packed=_packed(state["_packed"]))

    def _save_to_state_dict(
        self, destination: dict[str, Tensor], prefix: str, keep_vars: bool
    ) -> None:
        destination[f"{prefix}weight"] = self.weight
        if self.bias is not None:
            destination[f"{prefix}bias"] = self.bias.float()


class PackedTable(PackedLinear):
    """The projection by a table of token vectors, packed: a copy that no file keeps."""

    def _save_to_state_dict(
        self, destination: dict[str, Tensor], prefix: str, keep_vars: bool
    ) -> None:
        """Add nothing: the table and the bias are saved where they belong."""


def pack(model: nn.Module) -> list[str]:
    """Put packed layers in the place of a model's linear layers; return their paths.

    The model answers and saves as before, but learns no more: none of its parameters asks for a
    gradient. Layers that are not float32 on CPU stay as they are, and so does every layer where
    torch was built without oneDNN. Raises `TrainingError` for a model in train mode.
    """
    if model.training:
        raise TrainingError("a model in train mode cannot be packed; call model.eval() first")
    _let_go_of_file(model)
    replaced = swap(model, lambda _, module: PackedLinear(module) if _fits(module) else None)
    for module in model.modules():
        if isinstance(module, FeedForward) and not isinstance(module, GatedFeedForward):
            _fuse_activation(module)
        if isinstance(module, Transformer) and module.output is not None:
            _pack_table(module, module.output)
    if replaced:
        model.requires_grad_(False)
    return replaced


def halve(model: nn.Module) -> None:
    """Let the packed layers of a model multiply in bfloat16 from now on.

    Raises `ConfigError` where none is packed, and on a processor that would be slower for it.
    """
    packed = [module for module in model.modules() if isinstance(module, PackedLinear)]
    if not packed:
        raise ConfigError("only models on a CPU are halved, and this one has no layer there")
    if not multiplies_bfloat16():
        raise ConfigError(
            "this processor does not multiply in bfloat16 (AVX512-BF16 or AMX), which would only "
            "be slower and less precise; leave the model as it is"
        )
    for module in packed:
        module.halve()


def _let_go_of_file(model: nn.Module) -> None:
    """Copy what will not be packed, if anything will: parameters and buffers.

    What was read lies in the file, mapped together with its neighbours. As these are packed, one
    after the other, nothing keeps their part of the file in memory, and they are not held twice.
    """
    packed = {id(module.weight) for module in model.modules() if _fits(module)}
    if not packed:
        return
    for tensor in (*model.parameters(), *model.buffers()):
        if tensor.device.type == "cpu" and id(tensor) not in packed:
            tensor.data = tensor.data.clone()


def _packed(weight_FD: Tensor) -> Tensor:
    packed: Tensor = torch.ops.mkldnn._reorder_linear_weight(weight_FD, _BATCH_TOKENS)
    return packed


def is_plain(module: nn.Module) -> TypeGuard[nn.Linear]:
    """Whether this is a linear layer in float32 on CPU and no more; a subclass may do more."""
    return (
        type(module) is nn.Linear
        and module.weight.device.type == "cpu"
        and module.weight.dtype == torch.float32
    )


def _fits(module: nn.Module) -> TypeGuard[nn.Linear]:
    """Whether this is a linear layer that oneDNN can take over."""
    return is_plain(module) and torch.backends.mkldnn.is_available()


def tied_projection(transformer: Transformer) -> nn.Linear:
    """Return the projection by the table of token vectors as a layer, which shares its weight."""
    assert transformer.output is not None
    bias = transformer.output.bias
    linear = nn.Linear(1, 1, bias=bias is not None, device="meta")
    linear.weight = transformer.target_table.weight
    if bias is not None:
        linear.bias = bias
    return linear


def _pack_table(transformer: Transformer, output: Output) -> None:
    """Put a packed copy of the table into a tied output."""
    if output.project is None and _fits(linear := tied_projection(transformer)):
        output.project = PackedTable(linear)


def _fuse_activation(feedforward: FeedForward) -> None:
    up: nn.Module = feedforward.up
    if isinstance(up, PackedLinear) and up.fuse(feedforward.activation):
        feedforward.activation = nn.Identity()
