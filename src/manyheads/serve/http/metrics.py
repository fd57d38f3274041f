"""What Prometheus is told: requests, queues, batches, workers."""

from __future__ import annotations

from collections import Counter as Count

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from manyheads.serve.http.recent import Asked, Minute, Worked
from manyheads.serve.notes import NO_ROUTE, ZEROMQ, Notes
from manyheads.serve.service import Service
from manyheads.serve.watch import Watch

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_ASKING = ("POST", ZEROMQ)  # methods of requests that ask a model
_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60)
_TOKENS = (16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384)


class Metrics:
    """All numbers of a service.

    `minute` is the last one of requests, `minutes` has that of each model by its name;
    `failed_requests` and `failed_texts` count those that ended with an error, by its type.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        of_model = {"labelnames": ["model"], "registry": self.registry, "namespace": "manyheads"}
        self.requests = Counter(
            "requests",
            "Requests, by route and status.",
            ["route", "status"],
            namespace="manyheads",
            registry=self.registry,
        )
        self.in_work = Gauge(
            "requests_in_work",
            "Requests that are being answered.",
            namespace="manyheads",
            registry=self.registry,
        )
        self.request_errors = Counter(
            "request_errors",
            "Requests that ended with an error, by type.",
            ["type"],
            namespace="manyheads",
            registry=self.registry,
        )
        self.seconds = Histogram(
            "request_seconds",
            "Seconds that a request took.",
            ["route"],
            namespace="manyheads",
            registry=self.registry,
            buckets=_SECONDS,
        )
        self.waited = Histogram(
            "queue_seconds", "Seconds an item waited.", buckets=_SECONDS, **of_model
        )
        self.worked = Histogram(
            "batch_seconds", "Seconds of a batch.", buckets=_SECONDS, **of_model
        )
        self.first = Histogram(
            "first_piece_seconds",
            "Seconds until the first piece of a text.",
            buckets=_SECONDS,
            **of_model,
        )
        self.tokens = Histogram("batch_tokens", "Tokens of a batch.", buckets=_TOKENS, **of_model)
        self.items = Counter("items", "Items answered.", **of_model)
        self.restarts = Counter("worker_restarts", "Workers started again.", **of_model)
        self.queued = Gauge("queue_tokens", "Tokens that wait.", **of_model)
        self.errors = Counter(
            "errors",
            "Items that ended with an error, by type.",
            ["model", "type"],
            namespace="manyheads",
            registry=self.registry,
        )
        self.minute = Minute(Asked)
        self.minutes: dict[str, Minute[Worked]] = {}
        self.failed_requests: Count[str] = Count()
        self.failed_texts: Count[str] = Count()

    def record(self, notes: Notes) -> None:
        """Count a request that was answered."""
        self.requests.labels(notes.route, notes.status).inc()
        self.seconds.labels(notes.route).observe(notes.seconds)
        if notes.error:
            self.request_errors.labels(notes.error).inc()
            self.failed_requests[notes.error] += 1
        if notes.method in _ASKING and notes.route != NO_ROUTE:
            self.minute.now.add(notes.seconds)

    def watching(self, model: str) -> Watch:
        """Return what counts the events of a model."""
        self.minutes.setdefault(model, Minute(Worked))
        return _Watch(self, model)

    def text(self, service: Service) -> bytes:
        """Return everything as Prometheus reads it."""
        for name, model in service.models.items():
            self.queued.labels(name).set(model.reception.queued_tokens)
        return generate_latest(self.registry)


class _Watch(Watch):
    def __init__(self, metrics: Metrics, model: str) -> None:
        super().__init__()
        # Looked up once: every item would pay for it.
        self._waited = metrics.waited.labels(model)
        self._first = metrics.first.labels(model)
        self._items = metrics.items.labels(model)
        self._tokens = metrics.tokens.labels(model)
        self._worked = metrics.worked.labels(model)
        self._restarts = metrics.restarts.labels(model)
        self._metrics = metrics
        self._model = model

    def began(self, waited: float) -> None:
        self._waited.observe(waited)

    def first(self, waited: float) -> None:
        self._first.observe(waited)

    def done(self, items: int, tokens: int, seconds: float) -> None:
        super().done(items, tokens, seconds)
        self._metrics.minutes[self._model].now.add(items, tokens)
        self._items.inc(items)
        self._tokens.observe(tokens)
        self._worked.observe(seconds)

    def failed(self, error: Exception) -> None:
        super().failed(error)
        kind = type(error).__name__
        self._metrics.errors.labels(self._model, kind).inc()
        self._metrics.failed_texts[kind] += 1

    def restarted(self) -> None:
        super().restarted()
        self._restarts.inc()
