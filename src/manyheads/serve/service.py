"""A service: models by their names, with workers of their own; they come and go while it runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from manyheads.errors import ConfigError, UnknownModel, WrongModel, did_you_mean
from manyheads.serve.encoding import ServedEncoder
from manyheads.serve.model import ServedEmbedder, ServedFiller, ServedModel
from manyheads.serve.opening import Opened, open_model
from manyheads.serve.predictors import ServedLabeller, ServedPredictor
from manyheads.serve.reception import Reception
from manyheads.serve.served_answerer import ServedAnswerer
from manyheads.serve.served_writer import ServedWriter
from manyheads.serve.settings import ModelSettings
from manyheads.serve.watch import Watch

Kind = TypeVar("Kind", bound=ServedModel)
_READERS = 2  # threads that read texts: the tokenizers library has its own besides


class Service:
    """Models that are served, the first one to clients who name none; `aliases` are other names."""

    def __init__(
        self,
        models: Sequence[ModelSettings],
        watching: Callable[[str], Watch] = lambda _: Watch(),
        aliases: Mapping[str, str] | None = None,
    ) -> None:
        names = [one.called for one in models]
        twice = next((name for name in names if names.count(name) > 1), None)
        if not models or twice is not None:
            raise ConfigError(
                f"two models are called {twice!r}; name one of them otherwise"
                if models
                else "no model to serve; name at least one"
            )
        self._first = list(models)
        self._watching = watching
        self._threads = ThreadPoolExecutor(_READERS, "reader")
        self._opened: dict[str, Opened] = {}
        self._models: dict[str, ServedModel] = {}
        self._encoders: dict[str, ServedEncoder] = {}
        self._aliases: dict[str, str] = {}
        self._changing = asyncio.Lock()
        self._retiring: dict[asyncio.Task[None], Reception[Any]] = {}
        for alias, name in (aliases or {}).items():
            if name not in names:
                raise ConfigError(f"alias {alias!r}: no model is called {name!r}; there is {names}")
            self._aliases[self._free(alias, names)] = name

    async def start(self) -> None:
        """Open all models, at once; raises what one of them is refused for."""
        opening = (self._open(one) for one in self._first)
        found = await asyncio.gather(*opening, return_exceptions=True)
        for one in found:
            if isinstance(one, Opened):
                self._take_in(one)
        wrong = next((one for one in found if isinstance(one, BaseException)), None)
        if wrong is not None:
            await self.drain(timeout=0)
            raise wrong

    async def load(self, settings: ModelSettings) -> Opened:
        """Open a model while others answer; one of the same name answers until it does.

        That one ends as soon as it has answered all that it was asked. Raises what the new one is
        refused for: then the old one stays.
        """
        async with self._changing:
            name = settings.called
            if name in self._aliases:
                raise ConfigError(f"{name!r} is an alias of {self._aliases[name]!r}; name it else")
            opened = await self._open(settings)
            old = self._models.get(name)
            self._take_in(opened)
            if old is not None:
                self._retire(old)
            return opened

    async def unload(self, name: str) -> None:
        """Serve a model no longer; it ends as soon as it has answered all that it was asked."""
        async with self._changing:
            model = self.model(name)
            del self._models[model.name], self._opened[model.name]
            self._aliases = {
                alias: one for alias, one in self._aliases.items() if one != model.name
            }
            self._retire(model)

    def alias(self, alias: str, name: str) -> None:
        """Let a model have another name; an alias that is there names that model from now on.

        Raises `UnknownModel`, and `ConfigError` for what is the name of a model.
        """
        model = self.model(name)
        self._aliases[self._free(alias, self._models)] = model.name

    def unalias(self, alias: str) -> None:
        """Forget another name of a model; raises `UnknownModel`."""
        if self._aliases.pop(alias, None) is None:
            raise UnknownModel(f"{alias!r} is no alias; there is {', '.join(self._aliases)}")

    async def drain(self, timeout: float | None = None) -> None:
        """Take nothing new, answer what is there, and end all workers."""
        ending = [*self._receptions, *self._retiring.values()]
        await asyncio.gather(*(one.drain(timeout) for one in ending))
        self._threads.shutdown(wait=False)

    @property
    def models(self) -> Mapping[str, ServedModel]:
        """All models, by name."""
        return self._models

    @property
    def opened(self) -> Mapping[str, Opened]:
        """All that is served, by name, with its size."""
        return self._opened

    @property
    def aliases(self) -> Mapping[str, str]:
        """Other names of models."""
        return self._aliases

    @property
    def is_ready(self) -> bool:
        """Whether every model takes questions and makes progress."""
        return bool(self._receptions) and all(one.is_ready for one in self._receptions)

    @property
    def encoder(self) -> ServedEncoder:
        """The model whose layers are served; raises `WrongModel` where there is none."""
        found = next(iter(self._encoders.values()), None)
        if found is None:
            raise WrongModel("no layers of a model are served; start the service with --zmq-port")
        return found

    def model(self, name: str | None) -> ServedModel:
        """Return a model by a name of it, the first one without; raises `UnknownModel`."""
        if name is None and self._models:
            return next(iter(self._models.values()))
        if name is None:
            raise UnknownModel("no model answers texts; name a second model to serve, or load one")
        found = self._models.get(self._aliases.get(name, name))
        if found is None:
            names = [*self._models, *self._aliases]
            raise UnknownModel(
                f"no model {name!r} is served.{did_you_mean(name, names)} There is "
                f"{', '.join(names) or 'none'}"
            )
        return found

    def embedder(self, name: str | None) -> ServedEmbedder:
        """Return a model that makes vectors; raises `UnknownModel`, `WrongModel`."""
        return self._of(ServedEmbedder, name, "makes no vectors")

    def predictor(self, name: str | None) -> ServedPredictor:
        """Return a model that says labels, numbers or tags; raises `UnknownModel`, `WrongModel`."""
        return self._of(ServedPredictor, name, "says no labels, numbers or tags")

    def labeller(self, name: str | None) -> ServedLabeller:
        """Return a model that says labels or numbers; raises `UnknownModel`, `WrongModel`."""
        return self._of(ServedLabeller, name, "says no labels or numbers")

    def filler(self, name: str | None) -> ServedFiller:
        """Return a model that fills in masks; raises `UnknownModel`, `WrongModel`."""
        return self._of(ServedFiller, name, "fills in no masks")

    def answerer(self, name: str | None) -> ServedAnswerer:
        """Return a model that finds answers; raises `UnknownModel`, `WrongModel`."""
        return self._of(ServedAnswerer, name, "answers no questions about a context")

    def writer(self, name: str | None) -> ServedWriter:
        """Return a model that writes; raises `UnknownModel`, `WrongModel`."""
        return self._of(ServedWriter, name, "writes no texts")

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

    @property
    def _receptions(self) -> list[Reception[Any]]:
        return [one.reception for one in (*self._models.values(), *self._encoders.values())]

    async def _open(self, settings: ModelSettings) -> Opened:
        return await open_model(settings, self._watching(settings.called), self._threads)

    def _take_in(self, opened: Opened) -> None:
        name, model = opened.settings.called, opened.model
        self._opened[name] = opened
        if isinstance(model, ServedEncoder):
            self._encoders[name] = model
        else:
            self._models[name] = model

    def _retire(self, model: ServedModel) -> None:
        task = asyncio.create_task(model.reception.retire())
        self._retiring[task] = model.reception
        task.add_done_callback(lambda _: self._retiring.pop(task))

    def _free(self, alias: str, names: Sequence[str] | Mapping[str, Any]) -> str:
        if not alias or alias in names:
            raise ConfigError(f"alias {alias!r} is the name of a model; choose another one")
        return alias
