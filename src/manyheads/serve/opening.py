"""From settings to a model that answers: opened, measured, tried; then the other workers join."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from manyheads.serve.batcher import Batcher
from manyheads.serve.crew import Crew
from manyheads.serve.encoding import ServedEncoder
from manyheads.serve.model import ServedEmbedder, ServedFiller, ServedModel
from manyheads.serve.predictors import ServedLabeller, ServedTagger
from manyheads.serve.process import WorkerProcess
from manyheads.serve.reception import Limits
from manyheads.serve.scribes import Scribes
from manyheads.serve.served_answerer import ServedAnswerer
from manyheads.serve.served_heads import ServedHeads
from manyheads.serve.served_writer import ServedWriter
from manyheads.serve.settings import ModelSettings
from manyheads.serve.sizing import Size, sized
from manyheads.serve.watch import Watch

_ASKED = {
    "embedding": ServedEmbedder,
    "labelling": ServedLabeller,
    "tagging": ServedTagger,
    "filling": ServedFiller,
    "answering": ServedAnswerer,
    "heads": ServedHeads,
}


@dataclass(frozen=True)
class Opened:
    """A model that answers, and the size that it has."""

    settings: ModelSettings
    size: Size
    model: ServedModel | ServedEncoder

    def __str__(self) -> str:
        settings, size = self.settings, self.size
        workers = "1 worker" if size.workers == 1 else f"{size.workers} workers"
        cores = "1 core" if settings.cores == 1 else f"{settings.cores} cores"
        work = (
            f"{settings.rows} texts at once"
            if isinstance(self.model, ServedWriter)
            else f"batches of {size.batch_tokens:,} tokens"
        )
        return f"{workers} on {cores}, {work}, {settings.queue_tokens:,} tokens may wait"


async def open_model(settings: ModelSettings, watch: Watch, threads: ThreadPoolExecutor) -> Opened:
    """Open a model, choose its size where that is left open, and let it answer.

    Raises what the model is refused for.
    """
    first = WorkerProcess(settings.opened())
    crew = Crew([first], watch)
    await crew.start()
    try:
        size = await sized(first, settings)
        model = _served(settings, crew, settings.limits(size.batch_tokens), threads)
    except BaseException:
        await crew.end()
        raise
    crew.add([WorkerProcess(settings.opened()) for _ in range(size.workers - 1)])
    return Opened(settings, size, model)


def _served(
    settings: ModelSettings, crew: Crew, limits: Limits, threads: ThreadPoolExecutor
) -> ServedModel | ServedEncoder:
    if settings.encoding is not None:
        return ServedEncoder(settings.called, Batcher(crew, limits), settings.encoding, threads)
    return served(settings.called, crew, limits, threads)


def served(name: str, crew: Crew, limits: Limits, threads: ThreadPoolExecutor) -> ServedModel:
    """Return the model that a crew has opened, by its kind."""
    match crew.card["kind"]:
        case "writing":
            return ServedWriter(name, Scribes(crew, limits), threads)
        case kind:
            return _ASKED[kind](name, Batcher(crew, limits), threads)
