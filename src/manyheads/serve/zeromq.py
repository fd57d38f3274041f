"""The ZeroMQ wire of bert-serving 1.10.0, for its clients as they are.

    client PUSH ──→ PULL port       [identity, payload, number, how many]
    client SUB  ←── XPUB port_out   [identity, header, bytes, number]

A client subscribes to its identity. Its first reply is held until that has arrived: a publisher
that does not wait would lose it. The old server said nothing where something was wrong, and clients
waited for ever; here a text that cannot be encoded has a row of NaN, and the status says why.
"""

from __future__ import annotations

import asyncio
import json
import logging
import platform
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import zmq
import zmq.asyncio

from manyheads.errors import ConfigError, ManyHeadsError, TextError
from manyheads.serve.encoding import EncodedTexts, ServedEncoder
from manyheads.serve.notes import ZEROMQ, Notes, notes, noting

VERSION = "1.10.0"  # which clients ask for
_REMEMBERED = 100  # errors, for the status
_HELD = 60.0  # seconds that a reply waits for the subscription of its client
_TERMINATE = [b"0", b"TERMINATION", b"0", b"0"]
_LOOPBACK = ("127.0.0.1", "::1", "::ffff:127.0.0.1")
_log = logging.getLogger(__name__)


class ZeroMqWire:
    """Answers clients of bert-serving.

    `terminate` is called where a client of this machine asks for the end, if that is allowed,
    `record` for each request that was answered.
    """

    def __init__(
        self,
        encoder: ServedEncoder,
        host: str,
        port: int,
        port_out: int,
        terminate: Callable[[], None] | None = None,
        record: Callable[[Notes], None] = lambda _: None,
    ) -> None:
        self._encoder = encoder
        self._host, self.port, self.port_out = host, port, port_out
        self._terminate = terminate
        self._record = record
        self._context = zmq.asyncio.Context()
        self._tasks: set[asyncio.Task[None]] = set()
        self._subscribed: set[bytes] = set()
        self._held: deque[tuple[float, list[bytes]]] = deque()
        self._began = time.time()
        self._counts = {"requests": 0, "texts": 0, "bad_frames": 0, "bad_texts": 0}
        self._errors: deque[str] = deque(maxlen=_REMEMBERED)

    async def start(self) -> None:
        """Bind both ports, 0 for any that is free; raises `ConfigError` for one that is taken."""
        self._source = self._context.socket(zmq.PULL)
        self._target = self._context.socket(zmq.XPUB)
        for one in (self._source, self._target):
            one.setsockopt(zmq.LINGER, 1000)
            one.setsockopt(zmq.SNDHWM, 0)  # what is sent is never dropped
            one.setsockopt(zmq.RCVHWM, 0)
        self._target.setsockopt(zmq.XPUB_VERBOSER, 1)
        self.port = self._bound(self._source, self.port)
        self.port_out = self._bound(self._target, self.port_out)
        for work in (self._receive(), self._listen()):
            self._run(work)

    async def close(self) -> None:
        """Take nothing new, answer what is there, and let go of the ports."""
        self._source.close()
        answering = [one for one in self._tasks if one.get_name() == "answer"]
        if answering:
            await asyncio.wait(answering)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._target.close()
        self._context.term()

    def config(self) -> dict[str, Any]:
        """Return what clients are told of this server."""
        encoding = self._encoder.encoding
        return {
            "server_version": VERSION,
            "client_version": VERSION,
            "python_version": platform.python_version(),
            "pyzmq_version": zmq.pyzmq_version(),
            "server_start_time": time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self._began)),
            "port": self.port,
            "port_out": self.port_out,
            "max_seq_len": encoding.max_tokens,
            "pooling_layer": list(encoding.layers),
            "pooling_strategy": encoding.strategy.value,
            "mask_cls_sep": encoding.without_frame,
            "show_tokens_to_client": encoding.shows_tokens,
            "fixed_embed_length": encoding.fixed_length,
            "num_worker": len(self._encoder.reception.crew.workers),
        }

    def status(self) -> dict[str, Any]:
        """Return the same, with what has happened so far."""
        watch = self._encoder.reception.watch
        statistic = {
            **{f"num_{name}": count for name, count in self._counts.items()},
            "num_batches": watch.batches,
            "num_restarts": watch.restarts,
            "num_active_client": len(self._subscribed),
            "errors": list(self._errors),
        }
        return self.config() | {"statistic": statistic}

    def _bound(self, socket: zmq.asyncio.Socket, port: int) -> int:
        try:
            socket.bind(f"tcp://{self._host}:{port or '*'}")
        except zmq.ZMQError as error:
            raise ConfigError(
                f"{self._host}:{port} cannot be had ({error}); choose another port"
            ) from error
        address = socket.getsockopt(zmq.LAST_ENDPOINT)
        return int(bytes(address).rpartition(b":")[2].rstrip(b"\0"))  # type: ignore[arg-type]

    def _run(self, work: Any, name: str = "") -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _receive(self) -> None:
        with suppress(zmq.ZMQError, asyncio.CancelledError):  # closed
            while True:
                frames = await self._source.recv_multipart(copy=False)
                parts = [bytes(frame.buffer) for frame in frames]
                if parts == _TERMINATE and self._may_terminate(frames[0]):
                    assert self._terminate is not None
                    self._terminate()
                elif len(parts) != 4 or not parts[2].isdigit():
                    self._note("bad_frames", f"a request of {len(parts)} frames, not of 4")
                else:
                    self._run(self._noted(parts[0], parts[1], parts[2]), "answer")

    def _may_terminate(self, frame: zmq.Frame) -> bool:
        return self._terminate is not None and frame.get("Peer-Address") in _LOOPBACK

    async def _listen(self) -> None:
        """Learn who subscribes, and send what was held for it."""
        with suppress(zmq.ZMQError, asyncio.CancelledError):  # closed
            while True:
                event = await self._target.recv()
                known = self._subscribed.add if event[:1] == b"\x01" else self._subscribed.discard
                known(event[1:])
                held, self._held = self._held, deque()
                for since, reply in held:
                    await self._send(reply, since)

    async def _noted(self, identity: bytes, payload: bytes, number: bytes) -> None:
        """Answer a request, and let what is known of it be recorded."""
        request_id = f"{identity.decode('ascii', 'replace')}/{number.decode()}"
        noted = Notes(request_id, ZEROMQ, route="bert-serving", status=200)
        begun = time.perf_counter()
        with noting(noted):
            await self._answer(identity, payload, number)
        noted.seconds = time.perf_counter() - begun
        self._record(noted)

    async def _answer(self, identity: bytes, payload: bytes, number: bytes) -> None:
        self._counts["requests"] += 1
        if payload in (b"SHOW_CONFIG", b"SHOW_STATUS"):
            said = self.config() if payload == b"SHOW_CONFIG" else self.status()
            await self._send([identity, json.dumps(said).encode(), number])
            return
        try:
            texts = json.loads(payload)
            if not isinstance(texts, list) or not texts:
                raise ValueError("no list of texts")
        except ValueError as error:
            self._note("bad_frames", f"request {number.decode()}: {error}")
            self._failed(400, TextError(str(error)))
            return
        encoded = await self._encoded(texts)
        self._counts["texts"] += len(texts)
        for row, error in encoded.errors.items():
            self._note("bad_texts", f"request {number.decode()}, text {row + 1}: {error}")
        vectors = np.ascontiguousarray(encoded.vectors, dtype=np.float32)
        header = {
            "dtype": "float32",
            "shape": vectors.shape,
            "tokens": encoded.tokens if self._encoder.encoding.shows_tokens else "",
        }
        await self._send([identity, json.dumps(header).encode(), vectors.tobytes(), number])

    async def _encoded(self, texts: list[Any]) -> EncodedTexts:
        """Return the vectors of texts: nothing but NaN where all of them are sent away."""
        try:
            return await self._encoder.encode(texts)
        except ManyHeadsError as error:
            self._failed(503, error)
            return self._encoder.failed(len(texts), str(error))

    async def _send(self, reply: list[bytes], since: float | None = None) -> None:
        """Send a reply, or hold it until its client has subscribed."""
        now = time.monotonic()
        if any(reply[0].startswith(prefix) for prefix in self._subscribed):
            await self._target.send_multipart(reply)
        elif since is None or now - since < _HELD:
            self._held.append((now if since is None else since, reply))

    def _failed(self, status: int, error: ManyHeadsError) -> None:
        notes().status = status
        notes().failed(error)

    def _note(self, count: str, error: str) -> None:
        self._counts[count] += 1
        self._errors.append(error)
        _log.warning("%s", error)
