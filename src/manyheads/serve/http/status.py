"""What a service does just now, and did in the last minute, as a document."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from manyheads._version import __version__
from manyheads.serve.encoding import ServedEncoder
from manyheads.serve.http.metrics import Metrics
from manyheads.serve.http.recent import Asked, Minute, Worked, quantile, rate
from manyheads.serve.model import ServedModel
from manyheads.serve.service import Service

_KNOWN = ("task", "labels", "heads", "dimensions", "mask")  # of what a model says of itself
_QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


def status(service: Service, metrics: Metrics) -> dict[str, Any]:
    """Return how fast a service answers, what waits, what went wrong, and the state of each model.

    Rates are a second's, durations are in seconds; a series has a number for each of the last
    sixty seconds, oldest first.
    """
    return {
        "version": __version__,
        "ready": service.is_ready,
        "requests": _requests(metrics.minute),
        "errors": _errors(metrics),
        "models": [
            _model(name, one.model, metrics.minutes[name].whole())
            for name, one in service.opened.items()
        ],
    }


def _model(
    name: str, model: ServedModel | ServedEncoder, seconds: Sequence[Worked]
) -> dict[str, Any]:
    reception, limits, card = model.reception, model.reception.limits, model.reception.card
    workers = reception.crew.workers
    return {
        "name": name,
        "kind": card["kind"],
        **{key: card[key] for key in _KNOWN if key in card},
        "ready": reception.is_ready,
        "workers": len(workers),
        "workers_ready": sum(worker.is_ready for worker in workers),
        "restarts": reception.watch.restarts,
        "limits": {
            "texts_per_request": limits.texts_per_request,
            "text_tokens": model.reader.max_tokens,
            "batch_tokens": limits.batch_tokens,
            "rows": limits.rows,
            "queue_tokens": limits.queue_tokens,
            "threads": limits.threads,
        },
        "queued_tokens": reception.queued_tokens,
        "items": _series([one.items for one in seconds]),
        "tokens": _series([one.tokens for one in seconds]),
        "batches": _series([one.batches for one in seconds]),
    }


def _series(numbers: list[int]) -> dict[str, Any]:
    return {"per_second": rate(numbers), "series": numbers}


def _requests(minute: Minute[Asked]) -> dict[str, Any]:
    seconds = minute.whole()
    together: Counter[int] = Counter()
    for one in seconds:
        together.update(one.durations)
    latency = {name: quantile(together, share) for name, share in _QUANTILES.items()}
    series = [quantile(one.durations, _QUANTILES["p95"]) for one in seconds]
    return _series([one.requests for one in seconds]) | {"latency": latency | {"series": series}}


def _errors(metrics: Metrics) -> dict[str, dict[str, int]]:
    """Return how many requests and how many texts ended with an error, by its type."""
    requests, texts = metrics.failed_requests, metrics.failed_texts
    return {
        kind: {"requests": requests[kind], "texts": texts[kind]}
        for kind in sorted({*requests, *texts})
    }
