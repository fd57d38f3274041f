"""Groups of options of `manyheads serve`: workers, clients, records, clients of bert-serving."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from manyheads.cli import options
from manyheads.errors import ConfigError, MissingExtra
from manyheads.serve.strategy import Strategy

if TYPE_CHECKING:
    from manyheads.serve.encoding import Encoding
    from manyheads.serve.http.app import Access
    from manyheads.serve.http.noting import Recorder
    from manyheads.serve.http.running import Tls
    from manyheads.serve.notes import Notes
    from manyheads.serve.service import Service
    from manyheads.serve.settings import ModelSettings
    from manyheads.serve.zeromq import ZeroMqWire


@dataclass(frozen=True)
class Workers:
    """Who answers, and how much at once."""

    workers: Annotated[
        int | None,
        typer.Option(
            min=1, help="Processes for each model; as many as there are cores and memory for."
        ),
    ] = None
    threads: Annotated[
        int | None, typer.Option(min=1, help="Cores of all workers of a model together; all.")
    ] = None
    batch_tokens: Annotated[
        int | None, typer.Option(min=1, help="Tokens in a batch at most; measured at the start.")
    ] = None
    queue_tokens: Annotated[
        int, typer.Option(min=1, help="Tokens that may wait before clients are sent away.")
    ] = 200_000
    texts_per_request: Annotated[
        int, typer.Option(min=1, help="Texts that a client may send in one request.")
    ] = 100_000
    rows: Annotated[
        int, typer.Option(min=1, help="Texts that a worker writes at once, beams counted.")
    ] = 64
    worker_memory: Annotated[
        int | None, typer.Option(min=64, metavar="MB", help="Memory that a worker may take.")
    ] = None
    cache_megabytes: Annotated[
        int, typer.Option(min=0, help="Answers that are remembered for each model; 0 for none.")
    ] = 0
    device: options.Device = None

    def settings(self, models: Sequence[str], encoding: Encoding | None) -> list[ModelSettings]:
        """Return what is served; an `encoding` is how the layers of the first model are."""
        from manyheads.serve.settings import ModelSettings

        return [
            ModelSettings(
                reference,
                name,
                self.workers,
                self.threads,
                self.batch_tokens,
                self.queue_tokens,
                self.texts_per_request,
                self.rows,
                self.cache_megabytes,
                self.worker_memory,
                self.device or "cpu",
                encoding if number == 0 else None,
            )
            for number, (name, reference) in enumerate(map(_named, models))
        ]


@dataclass(frozen=True)
class Clients:
    """Who may ask, and from where."""

    api_keys: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keys, one in a line, that let clients in.")
    ] = None
    admin_keys: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Keys that let operators in: /admin/models, /admin/aliases."
        ),
    ] = None
    open_metrics: Annotated[
        bool, typer.Option("--open-metrics", help="Let /metrics be read without a key.")
    ] = False
    cors: Annotated[
        list[str] | None,
        typer.Option(metavar="ORIGIN", help="A web page that browsers may ask from; * for all."),
    ] = None
    body_megabytes: Annotated[int, typer.Option(min=1, help="The largest request.")] = 32
    tls_cert: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Certificate, for https.")
    ] = None
    tls_key: Annotated[Path | None, typer.Option(metavar="FILE", help="Its private key.")] = None

    def access(self) -> Access:
        """Return who is let in; raises `ConfigError` for a file of keys that is none."""
        from manyheads.serve.http.app import Access
        from manyheads.serve.http.guards import read_keys

        keys = () if self.api_keys is None else tuple(read_keys(self.api_keys))
        operators = () if self.admin_keys is None else tuple(read_keys(self.admin_keys))
        return Access(
            keys, operators, self.open_metrics, tuple(self.cors or ()), self.body_megabytes
        )

    def tls(self) -> Tls | None:
        """Return what https needs, None for http; raises `ConfigError` for half of it."""
        from manyheads.serve.http.running import Tls

        if self.tls_cert is None and self.tls_key is None:
            return None
        if self.tls_cert is None or self.tls_key is None:
            raise ConfigError("https needs both --tls-cert and --tls-key")
        return Tls(self.tls_cert, self.tls_key)


@dataclass(frozen=True)
class Records:
    """What is kept of requests, and where: never their texts."""

    log: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Write a line of JSON for each request; - for stderr."),
    ] = None
    telemetry: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Send a span of each request there, by OTLP over HTTP."),
    ] = None

    @contextmanager
    def recorders(self) -> Iterator[list[Recorder]]:
        """Open what was asked for, and close it at the end.

        Raises `ConfigError` for what cannot be opened, `MissingExtra` without OpenTelemetry.
        """
        from manyheads.serve.http.log import Log

        opened: list[Recorder] = []
        if self.log is not None:
            opened.append(Log(self.log))
        if self.telemetry is not None:
            opened.append(_telemetry(self.telemetry))
        try:
            yield opened
        finally:
            for one in opened:
                one.close()


@dataclass(frozen=True)
class BertServing:
    """What clients of bert-serving get, if any."""

    zmq_port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            help="Let clients of bert-serving ask the layers of the first model here.",
        ),
    ] = None
    zmq_port_out: Annotated[int, typer.Option(min=0, max=65535, help="Where it answers.")] = 5556
    pooling_layer: Annotated[
        list[int] | None,
        typer.Option(metavar="N", help="A layer for them, -1 is the last; several side by side."),
    ] = None
    pooling_strategy: Annotated[
        Strategy, typer.Option(help="How tokens become a vector for them.")
    ] = Strategy.REDUCE_MEAN
    max_seq_len: Annotated[
        str, typer.Option(metavar="N|NONE", help="Tokens of a text at most for them.")
    ] = "25"
    mask_cls_sep: Annotated[
        bool, typer.Option("--mask-cls-sep", help="Leave [CLS] and [SEP] out for them.")
    ] = False
    show_tokens_to_client: Annotated[
        bool, typer.Option("--show-tokens-to-client", help="Tell them the tokens.")
    ] = False
    fixed_embed_length: Annotated[
        bool, typer.Option("--fixed-embed-length", help="Fill matrices up to --max-seq-len.")
    ] = False
    allow_terminate: Annotated[
        bool, typer.Option("--allow-terminate", help="Let clients on this machine end the service.")
    ] = False

    def encoding(self) -> Encoding | None:
        """Return how layers are served, None where nobody asked for them."""
        from manyheads.serve.encoding import Encoding

        if self.zmq_port is None:
            return None
        return Encoding(
            tuple(self.pooling_layer or (-2,)),
            self.pooling_strategy,
            _length(self.max_seq_len),
            self.mask_cls_sep,
            self.show_tokens_to_client,
            self.fixed_embed_length,
        )

    def wires(
        self,
        service: Service,
        host: str,
        end: Callable[[], None],
        record: Callable[[Notes], None],
    ) -> list[ZeroMqWire]:
        """Return the wire of bert-serving, if it was asked for.

        `end` ends the service, `record` is told of each request.
        """
        from manyheads.serve.zeromq import ZeroMqWire

        if self.zmq_port is None:
            return []
        may_end = end if self.allow_terminate else None
        ports = self.zmq_port, self.zmq_port_out
        return [ZeroMqWire(service.encoder, host, *ports, may_end, record)]


def require_extra() -> None:
    """Raise `MissingExtra` where what serving needs is not installed."""
    for package in ("fastapi", "uvicorn", "orjson", "prometheus_client", "zmq"):
        if find_spec(package) is None:
            raise MissingExtra(package, "serve", "serving")


def _telemetry(url: str) -> Recorder:
    try:
        from manyheads.serve.http.telemetry import Telemetry
    except ImportError as error:
        package = "opentelemetry-exporter-otlp-proto-http"
        raise MissingExtra(package, "telemetry", "--telemetry") from error
    return Telemetry(url)


def _length(value: str) -> int | None:
    """Return a number of tokens, None for as many as the model reads."""
    if value.upper() == "NONE":
        return None
    if not value.isdigit():
        raise ConfigError(f"--max-seq-len {value!r} is no number; give one, or NONE")
    return int(value)


def named(model: str) -> tuple[str, str]:
    """Return what stands before and behind the =; raises `ConfigError` where something lacks."""
    name, _, reference = model.partition("=")
    if not name or not reference:
        raise ConfigError(f"{model!r} names no model; write NAME=MODEL")
    return name, reference


def _named(model: str) -> tuple[str, str]:
    return named(model) if "=" in model else ("", model)
