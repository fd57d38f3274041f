"""What is known of a request while it is answered, for logs and traces: never what its texts say.

    request ─→ notes ─→ reader, model, batcher: each writes down what it knows ─→ recorders

Whoever answers finds the notes of its own request by `notes()`, however deep it stands.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

NO_ROUTE = "none"
ZEROMQ = "ZMQ"  # how a request came that did not come over HTTP


@dataclass
class Notes:
    """A request; times are in seconds.

    Attributes:
        request_id: What its client and the service both call it.
        method: How it came: GET, POST, …
        trace: Headers by which the trace goes on that it is a part of.
        began: When it came, in seconds since 1970.
        route: What was asked, as the service calls it; none for what is none of its routes.
        status: What was answered, as HTTP has it.
        seconds: How long that took.
        model: The name of the model that was asked.
        items: How many texts that model was asked about, or to write for.
        tokens: How many tokens it reads of those.
        written: How many tokens it writes.
        read: How long it took to make tokens of them.
        waited: How long the text that waited longest had to wait until its turn.
        worked: How long the slowest batch with one of its texts took.
        error: The type of what went wrong.
    """

    request_id: str = ""
    method: str = ""
    trace: Mapping[str, str] = field(default_factory=dict)
    began: float = field(default_factory=time.time)
    route: str = NO_ROUTE
    status: int = 500
    seconds: float = 0.0
    model: str = ""
    items: int = 0
    tokens: int = 0
    written: int = 0
    read: float = 0.0
    waited: float = 0.0
    worked: float = 0.0
    error: str = ""

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Its texts are read in here."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.read += time.perf_counter() - begun

    def asks(self, items: int, tokens: int) -> None:
        """A model is asked about so many texts."""
        self.items += items
        self.tokens += tokens

    def has_written(self, tokens: int) -> None:
        """One of its texts was written."""
        self.written += tokens

    def has_waited(self, seconds: float) -> None:
        """It is the turn of one of its texts."""
        self.waited = max(self.waited, seconds)

    def has_worked(self, seconds: float) -> None:
        """A batch with one of its texts was answered."""
        self.worked = max(self.worked, seconds)

    def failed(self, error: BaseException) -> None:
        """It ends with an error."""
        self.error = type(error).__name__


_notes: ContextVar[Notes | None] = ContextVar("notes", default=None)


def notes() -> Notes:
    """Return the notes of the request that is being answered here."""
    return _notes.get() or Notes()  # which nobody reads: there is no request


@contextmanager
def noting(noted: Notes) -> Iterator[None]:
    """Let all that is done here, and in tasks that begin here, write into these notes."""
    token = _notes.set(noted)
    try:
        yield
    finally:
        _notes.reset(token)
