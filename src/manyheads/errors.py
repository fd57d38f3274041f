"""Everything that manyheads raises on purpose, as one tree.

    ManyHeadsError (ValueError)      something that the user can mend; the message says how
    ├── ReferenceNotFound            a model reference that leads nowhere
    ├── ConfigError                  a model folder whose configuration is missing or not understood
    ├── CheckpointError              weights that are damaged, missing or of other shapes
    ├── LayoutError                  tensors that do not fit the lengths of their sequences
    ├── TextError                    a text that cannot be tokenized
    │   ├── TooLong                  a text that is longer than the model reads, and not to be cut
    │   └── TooMany                  more texts than a service takes in one request
    ├── ImageError                   an image that cannot be decoded, or is none
    ├── DataError                    a table that cannot be read or learnt from
    ├── RecipeError                  a training setting that is unknown or out of range
    ├── TrainingError                a run that cannot go on: a loss of NaN, a full disk
    ├── GenerationError              a text that cannot be written as asked, for limits or NaN
    ├── ServiceError                 a request that a service could not answer
    │   ├── Overloaded               too much waits already; says when to come back
    │   ├── DeadlineExceeded         the answer did not come in the time that was given
    │   ├── OutOfMemory              a text that is too much for the memory, by itself
    │   ├── UnknownModel             a model that is not served
    │   ├── WrongModel               a model that does not do what is asked of it
    │   ├── WorkerLost               a text over which two workers died, or no worker starts
    │   ├── Draining                 the service is about to end and takes nothing new
    │   └── Unreachable              nobody answers at the address of a service
    └── MissingExtra                 a feature whose optional dependency is not installed

A message names the value, the limit and the remedy, in one line where it fits:
``max_tokens=4096 exceeds the 512 positions of this model; choose at most 512``.
``assert`` is kept for our own invariants and never guards user input.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

# What torch says, in no type of its own, where memory runs out.
_NO_MEMORY = ("can't allocate memory", "not enough memory", "out of memory")


class ManyHeadsError(ValueError):
    """Something that the user can mend; the message says how."""


class ReferenceNotFound(ManyHeadsError):  # noqa: N818 - reads as what happened
    """A model reference (folder, ``package:NAME/PATH`` or Hub id) that leads nowhere."""


class ConfigError(ManyHeadsError):
    """A model folder whose configuration is missing or not understood."""


class CheckpointError(ManyHeadsError):
    """Weights that are damaged, missing, or of other shapes than the model's."""


class LayoutError(ManyHeadsError):
    """Tensors that do not fit the lengths of their sequences."""


class TextError(ManyHeadsError):
    """A text that cannot be tokenized."""


class TooLong(TextError):  # noqa: N818 - reads as what is wrong
    """A text that is longer than the model reads, and that is not to be cut."""


class TooMany(TextError):  # noqa: N818
    """More texts than a service takes in one request."""


class ImageError(ManyHeadsError):
    """An image that cannot be decoded, or that is none."""


class DataError(ManyHeadsError):
    """A table that cannot be read, or that cannot be learnt from."""


class RecipeError(ManyHeadsError):
    """A training setting that is unknown or out of range."""


class TrainingError(ManyHeadsError):
    """A run that cannot go on."""


class GenerationError(ManyHeadsError):
    """A text that cannot be written as it was asked for."""


class ServiceError(ManyHeadsError):
    """A request that a service could not answer."""


class Overloaded(ServiceError):  # noqa: N818
    """Too much waits already; `retry_after` seconds from now there should be room."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class DeadlineExceeded(ServiceError):  # noqa: N818
    """An answer that did not come in the time that was given."""


class OutOfMemory(ServiceError):  # noqa: N818
    """A text that is too much for the memory, by itself."""


class UnknownModel(ServiceError):  # noqa: N818
    """A model that is not served."""


class WrongModel(ServiceError):  # noqa: N818
    """A model that does not do what is asked of it."""


class WorkerLost(ServiceError):  # noqa: N818
    """A text over which two workers died, or a service of which no worker starts."""


class Draining(ServiceError):  # noqa: N818
    """A service that is about to end and takes nothing new."""


class Unreachable(ServiceError):  # noqa: N818
    """A service at whose address nobody answers, or whose connection broke."""


class MissingExtra(ManyHeadsError, ImportError):  # noqa: N818
    """A feature whose optional dependency is not installed."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs the package {package!r}; install it with "
            f"`pip install 'manyheads[{extra}]'`"
        )


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ``" Did you mean 'x'?"`` for the nearest known name, or an empty string."""
    nearest = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f" Did you mean {nearest[0]!r}?" if nearest else ""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out: that of a device, or that of the machine."""
    return isinstance(error, MemoryError) or any(words in str(error) for words in _NO_MEMORY)
