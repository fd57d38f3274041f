"""A service: models by their names, each with workers of its own, started and ended together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from manyheads.errors import ConfigError, UnknownModel, WrongModel, did_you_mean
from manyheads.serve.batcher import Batcher, Limits
from manyheads.serve.encoding import Encoding, ServedEncoder
from manyheads.serve.model import ServedEmbedder, ServedLabeller, ServedModel, served
from manyheads.serve.process import WorkerProcess
from manyheads.serve.watch import Watch

Kind = TypeVar("Kind", bound=ServedModel)
_READERS = 2  # threads that read texts: the tokenizers library has its own besides


@dataclass(frozen=True)
class ModelSettings:
    """A model to be served.

    Attributes:
        reference: A folder, `package:NAME/PATH` or Hub id.
        name: What clients call it; what the reference says where it is not given.
        workers: Processes that hold it.
        limits: What it is allowed.
        memory: Megabytes that a worker may hold besides its files; None for no limit.
        device: Where it is computed.
        encoding: How its layers are served, instead of what it says of texts.
    """

    reference: str
    name: str = ""
    workers: int = 1
    limits: Limits = field(default_factory=Limits)
    memory: int | None = None
    device: str = "cpu"
    encoding: Encoding | None = None

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise ConfigError(f"workers={self.workers} answer nothing; choose at least 1")

    def __str__(self) -> str:
        limits = self.limits
        return (
            f"{self.workers} workers on {limits.threads} cores, batches of "
            f"{limits.batch_tokens:,} tokens, {limits.queue_tokens:,} may wait"
        )

    @property
    def called(self) -> str:
        """What clients call it: a folder by its name, a package or a Hub id as it is written."""
        if self.name:
            return self.name
        folder = Path(self.reference)
        return folder.resolve().name if folder.exists() else self.reference.removeprefix("package:")


class Service:
    """Models that are served, the first one to clients who name none."""

    def __init__(
        self, models: Sequence[ModelSettings], watching: Callable[[str], Watch] = lambda _: Watch()
    ) -> None:
        names = [one.called for one in models]
        twice = next((name for name in names if names.count(name) > 1), None)
        if not models or twice is not None:
            raise ConfigError(
                f"two models are called {twice!r}; name one of them otherwise"
                if models
                else "no model to serve; name at least one"
            )
        self._settings = list(models)
        self._watching = watching
        self._threads = ThreadPoolExecutor(_READERS, "reader")
        self._models: dict[str, ServedModel] = {}
        self._encoders: dict[str, ServedEncoder] = {}

    async def start(self) -> None:
        """Open all models, at once; raises what one of them is refused for."""
        batchers = [self._batcher(one) for one in self._settings]
        found = await asyncio.gather(*(one.start() for one in batchers), return_exceptions=True)
        wrong = next((one for one in found if one is not None), None)
        if wrong is not None:
            await asyncio.gather(*(one.drain(timeout=0) for one in batchers))
            raise wrong
        for settings, batcher in zip(self._settings, batchers, strict=True):
            name, encoding = settings.called, settings.encoding
            if encoding is None:
                self._models[name] = served(name, batcher, self._threads)
            else:
                self._encoders[name] = ServedEncoder(batcher, encoding, self._threads)

    async def drain(self, timeout: float | None = None) -> None:
        """Take nothing new, answer what is there, and end all workers."""
        await asyncio.gather(*(one.drain(timeout) for one in self._batchers))
        self._threads.shutdown(wait=False)

    @property
    def models(self) -> Mapping[str, ServedModel]:
        """All models, by name."""
        return self._models

    @property
    def is_ready(self) -> bool:
        """Whether every model takes questions and makes progress."""
        return bool(self._batchers) and all(one.is_ready for one in self._batchers)

    @property
    def encoder(self) -> ServedEncoder:
        """The model whose layers are served; raises `WrongModel` where there is none."""
        found = next(iter(self._encoders.values()), None)
        if found is None:
            raise WrongModel("no layers of a model are served; start the service with --zmq-port")
        return found

    @property
    def _batchers(self) -> list[Batcher]:
        return [one.batcher for one in (*self._models.values(), *self._encoders.values())]

    def model(self, name: str | None) -> ServedModel:
        """Return a model by its name, the first one without; raises `UnknownModel`."""
        if name is None and self._models:
            return next(iter(self._models.values()))
        if name is None:
            raise UnknownModel("only layers of a model are served; name a second model to serve")
        if name not in self._models:
            raise UnknownModel(
                f"no model {name!r} is served.{did_you_mean(name, self._models)} There is "
                f"{', '.join(self._models) or 'none'}"
            )
        return self._models[name]

    def embedder(self, name: str | None) -> ServedEmbedder:
        """Return a model that makes vectors; raises `UnknownModel`, `WrongModel`."""
        return self._of(ServedEmbedder, name, "makes no vectors")

    def labeller(self, name: str | None) -> ServedLabeller:
        """Return a model that says labels or numbers; raises `UnknownModel`, `WrongModel`."""
        return self._of(ServedLabeller, name, "says no labels or numbers")

    def _of(self, kind: type[Kind], name: str | None, otherwise: str) -> Kind:
        """Return a model of a kind: the named one, or the first of them."""
        if name is None:
            of_kind = (one for one in self._models.values() if isinstance(one, kind))
            if (first := next(of_kind, None)) is not None:
                return first
        model = self.model(name)
        if not isinstance(model, kind):
            raise WrongModel(f"the model {model.name} {otherwise}; choose another one")
        return model

    def _batcher(self, settings: ModelSettings) -> Batcher:
        encoding = settings.encoding
        opened = {
            "reference": settings.reference,
            "device": settings.device,
            "memory": settings.memory,
            "encoding": None if encoding is None else encoding.to_json(),
        }
        workers = [WorkerProcess(opened) for _ in range(settings.workers)]
        return Batcher(workers, settings.limits, self._watching(settings.called))
