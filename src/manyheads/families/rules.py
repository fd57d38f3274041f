"""One reversible table between published weight names and ours.

A family lists its rules once; the same list reads a checkpoint and writes one. Names are module
paths in which `{i}` stands for the number of a layer; a rule covers a module's `weight` and
`bias`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

Tensors = Mapping[str, Tensor]

_PARAMETER = re.compile(r"(?P<module>.+)\.(?P<kind>weight|bias)")
# Checkpoints converted from TensorFlow keep its names for the parameters of a norm.
_TENSORFLOW = {".gamma": ".weight", ".beta": ".bias"}


@dataclass(frozen=True)
class Rename:
    """A module that exists on both sides under two names."""

    theirs: str
    ours: str

    @property
    def parts(self) -> tuple[str, ...]:
        """Their names, in the order of our rows."""
        return (self.theirs,)


@dataclass(frozen=True)
class Fuse:
    """Modules of theirs whose rows, stacked in this order, are one module of ours."""

    parts: tuple[str, ...]
    ours: str


class Rules:
    """A reversible list of rules."""

    def __init__(self, *rules: Rename | Fuse) -> None:
        self.rules = rules

    def __add__(self, other: Rules) -> Rules:
        return Rules(*self.rules, *other.rules)

    def to_ours(self, theirs: Tensors) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return our tensors by our names, and what no rule speaks of by its own names."""
        rest = {modern_name(name): tensor for name, tensor in theirs.items()}
        ours: dict[str, Tensor] = {}
        for rule in self.rules:
            first = _pattern(rule.parts[0])
            for _, kind, layer in list(_matches(rest, first)):
                names = [f"{_fill(part, layer)}.{kind}" for part in rule.parts]
                if all(name in rest for name in names):
                    rows = [rest.pop(name) for name in names]
                    name = f"{_fill(rule.ours, layer)}.{kind}"
                    ours[name] = rows[0] if len(rows) == 1 else torch.cat(rows)
        return ours, rest

    def to_theirs(self, ours: Tensors) -> dict[str, Tensor]:
        """Return their tensors by their names: the inverse of `to_ours`."""
        theirs: dict[str, Tensor] = {}
        for rule in self.rules:
            for module, kind, layer in _matches(ours, _pattern(rule.ours)):
                rows = ours[f"{module}.{kind}"].chunk(len(rule.parts))
                for part, tensor in zip(rule.parts, rows, strict=True):
                    theirs[f"{_fill(part, layer)}.{kind}"] = tensor.contiguous()
        return theirs


def modern_name(name: str) -> str:
    """Return a parameter's name with TensorFlow's gamma and beta as weight and bias."""
    for old, new in _TENSORFLOW.items():
        if name.endswith(old):
            return name.removesuffix(old) + new
    return name


def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.escape(template).replace(r"\{i\}", r"(?P<layer>\d+)"))


def _fill(template: str, layer: str | None) -> str:
    return template if layer is None else template.replace("{i}", layer)


def _matches(tensors: Tensors, pattern: re.Pattern[str]) -> Iterator[tuple[str, str, str | None]]:
    """Yield (module, weight or bias, layer number) of each tensor whose module fits the pattern."""
    for name in tensors:
        parameter = _PARAMETER.fullmatch(name)
        module = parameter and pattern.fullmatch(parameter["module"])
        if parameter and module:
            yield parameter["module"], parameter["kind"], module.groupdict().get("layer")
