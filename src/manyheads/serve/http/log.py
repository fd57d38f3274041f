"""A log of requests: a line of JSON for each, without its texts and without keys."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from logging.handlers import WatchedFileHandler
from pathlib import Path

import orjson

from manyheads.errors import ConfigError
from manyheads.serve.notes import Notes

STDERR = "-"


class Log:
    """Writes requests into a file, or to stderr.

    A file that was moved away is begun anew, as those expect who rotate logs.
    """

    def __init__(self, target: str) -> None:
        """Open the file, or stderr for "-"; raises `ConfigError` where that cannot be."""
        if target == STDERR:
            self._handler: logging.Handler = logging.StreamHandler()
            return
        try:
            self._handler = WatchedFileHandler(Path(target), encoding="utf-8")
        except OSError as error:
            raise ConfigError(
                f"--log {target} cannot be written ({error.strerror}); choose another file, or - "
                "for stderr"
            ) from error

    def record(self, notes: Notes) -> None:
        """Write a line."""
        line = orjson.dumps(_said_of(notes)).decode()
        self._handler.handle(logging.makeLogRecord({"msg": line}))

    def close(self) -> None:
        """Let go of the file."""
        self._handler.close()


def _said_of(notes: Notes) -> dict[str, object]:
    said: dict[str, object] = {
        "time": datetime.fromtimestamp(notes.began, UTC).isoformat(timespec="milliseconds"),
        "request_id": notes.request_id,
        "method": notes.method,
        "route": notes.route,
        "status": notes.status,
        "seconds": _rounded(notes.seconds),
    }
    known = {
        "model": notes.model,
        "items": notes.items,
        "tokens": notes.tokens,
        "written_tokens": notes.written,
        "read_seconds": notes.read,
        "queue_seconds": notes.waited,
        "batch_seconds": notes.worked,
        "error": notes.error,
    }
    return said | {name: _rounded(value) for name, value in known.items() if value}


def _rounded(value: str | int | float) -> str | int | float:
    return round(value, 6) if isinstance(value, float) else value
