"""`manyheads bench serve`: what a service does under load."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from manyheads.bench.routes import Route
from manyheads.cli import options
from manyheads.cli.opening import busy
from manyheads.cli.output import show
from manyheads.errors import ConfigError

EXAMPLES = """
\b
Examples:
  manyheads bench serve http://localhost:8000 --clients 32
  manyheads bench serve http://localhost:8000 --rate 50 --seconds 60
  manyheads bench serve http://localhost:8000 --route /v1/embeddings --model minilm --file texts.txt
"""

_RATE = 10.0  # requests a second, where nobody says

bench = typer.Typer(rich_markup_mode=None, no_args_is_help=True)


@bench.callback()
def overview() -> None:
    """Measure what a service does under load."""


@bench.command(epilog=EXAMPLES)
def serve(
    url: Annotated[str, typer.Argument(metavar="URL", help="Where it is: http://HOST:PORT.")],
    route: Annotated[Route, typer.Option(help="The route to ask.")] = Route.EMBED,
    rate: Annotated[
        float | None,
        typer.Option(metavar="N", help="Requests a second that come as they come; 10 if unset."),
    ] = None,
    clients: Annotated[
        int | None,
        typer.Option(metavar="N", help="Instead: clients that ask again once they are answered."),
    ] = None,
    seconds: Annotated[float, typer.Option(help="How long to measure.")] = 10.0,
    warmup: Annotated[float, typer.Option(help="Seconds before that, which do not count.")] = 2.0,
    file: Annotated[
        Path | None, typer.Option(help="Texts, one in a line; built-in ones without it.")
    ] = None,
    texts: Annotated[int, typer.Option(metavar="N", help="Texts in a request.")] = 1,
    model: Annotated[
        str | None, typer.Option(metavar="NAME", help="What the service calls the model.")
    ] = None,
    api_key: Annotated[
        str | None, typer.Option(metavar="KEY", envvar="MANYHEADS_API_KEY", help="Its key.")
    ] = None,
    timeout: Annotated[float, typer.Option(help="Seconds until a request has failed.")] = 60.0,
    seed: Annotated[int, typer.Option(help="Chooses texts and times.")] = 0,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Ask a service by HTTP, and say how many it answers and how fast.

    With --rate requests come at random times, whether others were answered or not, and latency
    counts from when each was due: no pause of the service stays hidden. With --clients the service
    itself sets the pace, which shows how much it can do.
    """
    import asyncio

    from manyheads.bench.load import ClosedLoop, Load, OpenLoop, Target, measure
    from manyheads.bench.texts import built_in, from_file, shuffled

    if rate is not None and clients is not None:
        raise ConfigError("--rate and --clients are two kinds of load; choose one")
    load: Load = OpenLoop(_RATE if rate is None else rate, seed)
    if clients is not None:
        load = ClosedLoop(clients)
    target = Target(url, route, model, api_key, texts, timeout)
    drawn = shuffled(built_in() if file is None else from_file(file), seed)
    with busy(f"{load}, {warmup + seconds:g} s", quiet):
        report = asyncio.run(measure(target, drawn, load, seconds, warmup))
    show(report, report.to_json(), as_json)
