"""What Prometheus is told: requests, queues, batches, workers."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from manyheads.serve.service import Service
from manyheads.serve.watch import Watch

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60)
_TOKENS = (16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384)


class Metrics:
    """All numbers of a service."""

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

    def watching(self, model: str) -> Watch:
        """Return what counts the events of a model."""
        return _Watch(self, model)

    def text(self, service: Service) -> bytes:
        """Return everything as Prometheus reads it."""
        for name, model in service.models.items():
            self.queued.labels(name).set(model.batcher.queued_tokens)
        return generate_latest(self.registry)


class _Watch(Watch):
    def __init__(self, metrics: Metrics, model: str) -> None:
        super().__init__()
        self._metrics = metrics
        self._model = model

    def began(self, waited: float) -> None:
        self._metrics.waited.labels(self._model).observe(waited)

    def done(self, items: int, tokens: int, seconds: float) -> None:
        super().done(items, tokens, seconds)
        self._metrics.items.labels(self._model).inc(items)
        self._metrics.tokens.labels(self._model).observe(tokens)
        self._metrics.worked.labels(self._model).observe(seconds)

    def failed(self, error: Exception) -> None:
        super().failed(error)
        self._metrics.errors.labels(self._model, type(error).__name__).inc()

    def restarted(self) -> None:
        super().restarted()
        self._metrics.restarts.labels(self._model).inc()
