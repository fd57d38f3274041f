"""One reversible table between published weight names and ours.

A family lists its rules once; the same list reads a checkpoint and writes one. Names are module
paths in which `{i}` stands for the number of a layer; a rule covers a module's `weight` and
`bias`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from manyheads.core.spec import Spec

Tensors = Mapping[str, Tensor]

_PARAMETER = re.compile(r"(?P<module>.+)\.(?P<kind>weight|bias)")
# Checkpoints converted from TensorFlow keep its names for the parameters of a norm.
_TENSORFLOW = {".gamma": ".weight", ".beta": ".bias"}


@dataclass(frozen=True)
class Rename:
    """A module that exists on both sides under two names.

    `transposed` weights have an input in each row, as GPT-2 publishes them. `when` says for which
    models the rule writes, where several rules read the same module.
    """

    theirs: str
    ours: str
    transposed: bool = False
    when: Callable[[Spec], bool] | None = None

    @property
    def parts(self) -> tuple[str, ...]:
        """Their names, in the order of our rows."""
        return (self.theirs,)

    def join(self, tensors: Sequence[Tensor]) -> Tensor:
        """Return our tensor of theirs."""
        (tensor,) = tensors
        return tensor.mT.contiguous() if self.transposed and tensor.dim() == 2 else tensor

    def split(self, tensor: Tensor, spec: Spec | None) -> tuple[Tensor, ...]:
        """Return their tensors of ours."""
        return (tensor.mT if self.transposed and tensor.dim() == 2 else tensor,)


@dataclass(frozen=True)
class Fuse:
    """Modules of theirs whose rows, stacked in this order, are one module of ours.

    `shares` says how many rows of a model each part has, relative to the others; equally many
    where it is not given. `when` says for which models the rule writes.
    """

    parts: tuple[str, ...]
    ours: str
    shares: Callable[[Spec], tuple[int, ...]] | None = None
    when: Callable[[Spec], bool] | None = None

    def join(self, tensors: Sequence[Tensor]) -> Tensor:
        """Return our tensor of theirs."""
        return torch.cat(list(tensors))

    def split(self, tensor: Tensor, spec: Spec | None) -> tuple[Tensor, ...]:
        """Return their tensors of ours."""
        if self.shares is None:
            return tensor.chunk(len(self.parts))
        assert spec is not None
        shares = self.shares(spec)
        unit = len(tensor) // sum(shares)
        return tensor.split([unit * share for share in shares])


@dataclass(frozen=True)
class Whole:
    """A tensor of theirs that is named as a whole, and has one dimension of size 1 before ours."""

    theirs: str
    ours: str


@dataclass(frozen=True)
class Tied:
    """A second name of theirs for the weight, or bias (`kind`), that a module of ours already has:
    read where it is the only one, never written.
    """

    theirs: str
    ours: str
    kind: str = "weight"


@dataclass(frozen=True)
class Derived:
    """A tensor of theirs, by its whole name, that follows from the spec: written for readers that
    miss it, never read.
    """

    theirs: str
    make: Callable[[Spec], Tensor]


class Rules:
    """A reversible list of rules."""

    def __init__(self, *rules: Rename | Fuse | Whole | Tied | Derived) -> None:
        self.rules = [rule for rule in rules if isinstance(rule, Rename | Fuse)]
        self.whole = [rule for rule in rules if isinstance(rule, Whole)]
        self.tied = [rule for rule in rules if isinstance(rule, Tied)]
        self.derived = [rule for rule in rules if isinstance(rule, Derived)]

    def __add__(self, other: Rules) -> Rules:
        mine = (*self.rules, *self.whole, *self.tied, *self.derived)
        return Rules(*mine, *other.rules, *other.whole, *other.tied, *other.derived)

    def to_ours(self, theirs: Tensors) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return our tensors by our names, and what no rule speaks of by its own names."""
        rest = {modern_name(name): tensor for name, tensor in theirs.items()}
        ours: dict[str, Tensor] = {}
        for rule in self.rules:
            first = _pattern(rule.parts[0])
            for _, kind, layer in list(_matches(rest, first)):
                names = [f"{_fill(part, layer)}.{kind}" for part in rule.parts]
                if all(name in rest for name in names):
                    found = [rest.pop(name) for name in names]
                    ours[f"{_fill(rule.ours, layer)}.{kind}"] = rule.join(found)
        for one in self.whole:
            if one.theirs in rest:
                ours[one.ours] = rest.pop(one.theirs)[0]
        for twin in self.tied:
            if (name := f"{twin.theirs}.{twin.kind}") in rest:
                ours.setdefault(f"{twin.ours}.{twin.kind}", rest.pop(name))
        for given in self.derived:
            rest.pop(given.theirs, None)
        return ours, rest

    def to_theirs(self, ours: Tensors, spec: Spec | None = None) -> dict[str, Tensor]:
        """Return their tensors by their names: the inverse of `to_ours`.

        `spec` describes the model, for rules that need its sizes.
        """
        theirs: dict[str, Tensor] = {}
        for rule in self.rules:
            if rule.when is not None and not (spec and rule.when(spec)):
                continue
            for module, kind, layer in _matches(ours, _pattern(rule.ours)):
                tensors = rule.split(ours[f"{module}.{kind}"], spec)
                for part, tensor in zip(rule.parts, tensors, strict=True):
                    theirs[f"{_fill(part, layer)}.{kind}"] = tensor.contiguous()
        for one in self.whole:
            if one.ours in ours:
                theirs[one.theirs] = ours[one.ours][None]
        if spec is not None:
            theirs |= {given.theirs: given.make(spec) for given in self.derived}
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
