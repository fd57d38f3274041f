"""AdamW with a learning rate and a weight decay for each kind of parameter."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from torch import nn

from manyheads.errors import RecipeError, did_you_mean
from manyheads.train.adamw import AdamW
from manyheads.train.recipe import Recipe

_NORMS = (nn.LayerNorm, nn.RMSNorm, nn.GroupNorm, nn.BatchNorm1d, nn.BatchNorm2d)
_EMBEDS = ("transformer.embed.", "transformer.target.")
_BLOCK = re.compile(r"transformer\.(encoder|decoder)\.blocks\.(\d+)\.")


def build_optimizer(model: nn.Module, recipe: Recipe) -> AdamW:
    """Freeze what the recipe freezes and return AdamW over the rest.

    Decoupled weight decay (Loshchilov & Hutter, 2019) leaves norms and biases alone. With
    `layer_decay` below 1 every layer learns more slowly than the one above it, the embeddings
    slowest (ULMFiT's discriminative fine-tuning, Howard & Ruder, 2018; in this form Clark et al.,
    2020, ELECTRA). Each group keeps its peak as ``base_lr`` and says in ``name`` what it is.

    Raises `RecipeError` where a pattern of `freeze` matches nothing, or all.
    """
    freeze(model, recipe.freeze)
    counts = _block_counts(model)
    top = sum(counts.values()) + 1
    undecayed = _undecayed(model)
    groups: dict[tuple[int, bool], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            depth = _depth(name, counts) if recipe.layer_decay < 1 else top
            groups.setdefault((depth, name not in undecayed), []).append(parameter)
    if not groups:
        raise RecipeError(f"freeze={list(recipe.freeze)} leaves nothing to train")
    described = []
    for (depth, decayed), parameters in sorted(groups.items(), key=lambda item: item[0]):
        rate = recipe.learning_rate * recipe.layer_decay ** (top - depth)
        described.append(
            {
                "params": parameters,
                "lr": rate,
                "base_lr": rate,
                "weight_decay": recipe.weight_decay if decayed else 0.0,
                "betas": recipe.betas,
                "eps": recipe.epsilon,
                "name": f"depth {depth} of {top}" + ("" if decayed else ", undecayed"),
            }
        )
    return AdamW(described)


def thaw(model: nn.Module, optimizer: AdamW, epoch: int) -> None:
    """Let the head learn, and as many layers from the top as epochs lie behind.

    What the optimizer has nothing to do with stays frozen.
    """
    counts, learnt = _block_counts(model), set(map(id, optimizer.parameters))
    for name, parameter in model.named_parameters():
        if id(parameter) in learnt:
            parameter.requires_grad_(_depth(name, counts) > sum(counts.values()) - epoch)


def freeze(model: nn.Module, patterns: Sequence[str]) -> None:
    """Exclude from training every parameter that a pattern matches, by its name or its module's.

    Patterns are those of the shell: ``transformer.embed`` and ``*.blocks.[0-3].*`` both work.
    Raises `RecipeError` naming a pattern that matches nothing and the nearest name.
    """
    parameters = dict(model.named_parameters())
    for pattern in patterns:
        matched = [name for name in parameters if _matches(name, pattern)]
        if not matched:
            modules = {module for name in parameters for module in _enclosing(name)}
            plain = pattern.strip("*.")
            hint = did_you_mean(plain, sorted(modules)) or (
                f" Top-level names: {', '.join(name for name, _ in model.named_children())}."
            )
            raise RecipeError(f"freeze pattern {pattern!r} matches no parameter.{hint}")
        for name in matched:
            parameters[name].requires_grad_(False)


def _matches(name: str, pattern: str) -> bool:
    return any(fnmatchcase(candidate, pattern) for candidate in _enclosing(name))


def _enclosing(name: str) -> Iterable[str]:
    """Yield ``a``, ``a.b``, ``a.b.c`` for the parameter name ``a.b.c``."""
    parts = name.split(".")
    return (".".join(parts[:count]) for count in range(1, len(parts) + 1))


def _undecayed(model: nn.Module) -> set[str]:
    """Return the names of the parameters that weight decay would only harm."""
    names = set()
    for prefix, module in model.named_modules():
        for name, _ in module.named_parameters(prefix, recurse=False):
            if isinstance(module, _NORMS) or name.endswith("bias"):
                names.add(name)
    return names


def _block_counts(model: nn.Module) -> dict[str, int]:
    """Return how many blocks each stack has."""
    counts: dict[str, int] = {}
    for name, _ in model.named_parameters():
        if match := _BLOCK.match(name):
            counts[match.group(1)] = max(counts.get(match.group(1), 0), int(match.group(2)) + 1)
    return counts


def _depth(name: str, counts: dict[str, int]) -> int:
    """Return 0 for the embeddings, 1 for the first block, …, and for what follows them all the
    number of blocks and one; a decoder stands on its encoder.
    """
    if name.startswith(_EMBEDS):
        return 0
    if (block := _BLOCK.match(name)) is None:
        return sum(counts.values()) + 1
    below = counts.get("encoder", 0) if block.group(1) == "decoder" else 0
    return below + int(block.group(2)) + 1
