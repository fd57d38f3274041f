"""A real HTTP server whose answers a test writes down beforehand, in the order of requests."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Reply:
    """An answer: a status and a document; or a connection that breaks, or one that hangs.

    `pieces` are written one by one, `pause` seconds after each other.
    """

    status: int = 200
    document: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    breaks: bool = False
    pause: float = 0.0
    pieces: Sequence[str] = ()


@dataclass(frozen=True)
class Request:
    """What a client asked, when by the clock, and how many were under way with it."""

    path: str
    headers: dict[str, str]
    document: Any
    time: float
    at_once: int


class Script:
    """What is answered, the last reply again and again; and what was asked."""

    def __init__(self, replies: Sequence[Reply]) -> None:
        self.url = ""
        self.requests: list[Request] = []
        self._replies = list(replies)
        self._lock = threading.Lock()
        self._under_way = 0

    def asked(self, path: str, headers: dict[str, str], document: Any) -> Reply:
        """Write down a request, and return what it is answered."""
        with self._lock:
            self._under_way += 1
            request = Request(path, headers, document, time.monotonic(), self._under_way)
            self.requests.append(request)
            return self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]

    def over(self) -> None:
        """Write down that a request is over."""
        with self._lock:
            self._under_way -= 1


@contextmanager
def answering(*replies: Reply) -> Iterator[Script]:
    """Answer by a script at an address of its own."""
    script = Script(replies)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(None)

        def do_POST(self) -> None:
            self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def _answer(self, document: Any) -> None:
            reply = script.asked(self.path, dict(self.headers), document)
            try:
                self._reply(reply)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True  # the client is gone
            finally:
                script.over()

        def _reply(self, reply: Reply) -> None:
            pieces = reply.pieces or [json.dumps(reply.document)]
            if reply.breaks:
                self.close_connection = True
                if not reply.pieces:
                    return
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            length = sum(len(piece.encode()) for piece in pieces) + reply.breaks
            self.send_header("Content-Length", str(length))
            self.end_headers()
            for piece in pieces:
                time.sleep(reply.pause)
                self.wfile.write(piece.encode())
                self.wfile.flush()

        def log_message(self, format: str, *args: Any) -> None:
            """Keep silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    script.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield script
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
