"""Read any activation by its name, without touching the model.

    with tap(model, "encoder.blocks.*.attention.weights", "encoder.blocks.3") as values:
        model.encode(ids, layout)
    values["encoder.blocks.0.attention.weights"]      # one (H, length, length) for each sequence

A name is a module's path, as `named_modules` lists it, and gives what that module returned; a path
to an attention module with `.weights` behind it gives the attention weights. `*` stands for any
part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from fnmatch import fnmatchcase

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from manyheads.core.attention import Attend, Attention, CrossAttention
from manyheads.core.layout import Layout
from manyheads.errors import ManyHeadsError, did_you_mean

Activation = Tensor | list[Tensor]
Installer = Callable[[], list[RemovableHandle]]
AttendInputs = tuple[Tensor, Tensor, Tensor, Layout, Layout, Tensor | None]


@contextmanager
def tap(model: nn.Module, *names: str) -> Iterator[dict[str, Activation]]:
    """Collect the named activations of every forward pass inside the `with` block.

    Gradients flow through hidden states; attention weights are computed again beside the fast
    way, from the same queries and keys. Raises `ManyHeadsError` for a name that matches nothing.
    """
    values: dict[str, Activation] = {}
    readers = _readers(model, values)
    with ExitStack() as hooks:
        for pattern in names:
            matching = [name for name in readers if fnmatchcase(name, pattern)]
            if not matching:
                raise ManyHeadsError(
                    f"no activation is called {pattern!r} in this model."
                    f"{did_you_mean(pattern, readers)} `activation_names(model)` lists them"
                )
            for name in matching:
                for handle in readers[name]():
                    hooks.callback(handle.remove)
        yield values


def activation_names(model: nn.Module) -> list[str]:
    """Return every name that `tap` knows in this model."""
    return list(_readers(model, {}))


def _readers(model: nn.Module, values: dict[str, Activation]) -> dict[str, Installer]:
    """Return, by activation name, what installs its hook."""
    readers: dict[str, Installer] = {}
    for path, module in model.named_modules():
        if path and not isinstance(module, nn.ModuleList):  # a list is never called
            readers[path] = _output_reader(path, module, values)
        if isinstance(module, Attention | CrossAttention):
            readers[f"{path}.weights"] = _weights_reader(f"{path}.weights", module, values)
    return readers


def _output_reader(name: str, module: nn.Module, values: dict[str, Activation]) -> Installer:
    def read(_module: nn.Module, _inputs: object, output: Tensor) -> None:
        values[name] = output

    return lambda: [module.register_forward_hook(read)]


def _weights_reader(
    name: str, module: Attention | CrossAttention, values: dict[str, Activation]
) -> Installer:
    def read(attend: Attend, inputs: AttendInputs) -> None:
        values[name] = _weights(attend, inputs)

    global_heads = module.global_heads if isinstance(module, Attention) else None
    if global_heads is None:
        return lambda: [module.attend.register_forward_pre_hook(read)]

    def read_global(attend: Attend, inputs: AttendInputs) -> None:
        counts = global_heads.counts(inputs[4])
        rows = zip(_weights(attend, inputs), values[name], counts, strict=True)
        values[name] = [torch.cat((own[:, :n], local[:, n:]), 1) for own, local, n in rows]

    return lambda: [
        module.attend.register_forward_pre_hook(read),
        global_heads.attend.register_forward_pre_hook(read_global),
    ]


def _weights(attend: Attend, inputs: AttendInputs) -> list[Tensor]:
    q_THK, k_SGK, _v_SGK, queries, keys, bias_HLL = inputs
    return attend.weights(q_THK, k_SGK, queries, keys, bias_HLL)
