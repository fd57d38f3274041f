"""A server that replies what a test says, over real sockets."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Script = Callable[[int], bytes]


def reply(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    """Return a reply with the length of its body."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


class Server(socketserver.ThreadingTCPServer):
    """Replies by a script, which is given the number of each request; nothing closes it."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, script: Script) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script = script
        self.requests: list[bytes] = []
        self.connections = 0
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(socketserver.StreamRequestHandler):
    server: Server

    def handle(self) -> None:
        self.server.connections += 1
        while (head := self._head()) is not None:
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
            self.server.requests.append(head + self.rfile.read(length))
            answer = self.server.script(len(self.server.requests))
            self.wfile.write(answer)
            if not answer or b"close" in answer.lower().split(b"\r\n\r\n")[0]:
                return

    def _head(self) -> bytes | None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            if not (line := self.rfile.readline()):
                return None
            head += line
        return head


@contextmanager
def scripted(script: Script) -> Iterator[Server]:
    """Run a server as long as this lasts."""
    with Server(script) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()
