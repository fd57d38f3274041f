"""How many requests a second can be asked? A server that does nothing, and two that ask it.

    python benchmarks/canned.py

The server says the same vector to everybody, without reading what it was asked. It takes one core,
`manyheads bench serve` another; httpx, in its place, shows what a common client would cost.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time

CLIENTS = 32
SECONDS = 5.0
VECTOR = [number / 1000 for number in range(384)]
BODY = json.dumps({"items": [{"tokens": 8, "truncated": 0, "vector": VECTOR}]}).encode()
REPLY = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)


class Canned(asyncio.Protocol):
    """Replies to whatever comes; requests are so short that they come in one piece."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._transport.write(REPLY)


async def serve() -> None:
    server = await asyncio.get_running_loop().create_server(Canned, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


async def ask_with_httpx(url: str) -> float:
    """Return how many requests a second as many clients ask with httpx."""
    import httpx

    until = time.perf_counter() + SECONDS
    done = 0

    async def client(asking: httpx.AsyncClient) -> None:
        nonlocal done
        while time.perf_counter() < until:
            (await asking.post(f"{url}/v1/embed", json={"inputs": ["a text"]})).json()
            done += 1

    async with httpx.AsyncClient() as asking:
        await asyncio.gather(*(client(asking) for _ in range(CLIENTS)))
    return done / SECONDS


def main() -> None:
    command = [sys.executable, __file__, "serve"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    url = f"http://127.0.0.1:{int(server.stdout.readline())}"
    load = ("--clients", str(CLIENTS), "--seconds", str(SECONDS), "--warmup", "1", "--json")
    try:
        bench = [sys.executable, "-m", "manyheads", "bench", "serve", url, *load]
        report = json.loads(subprocess.run(bench, stdout=subprocess.PIPE, check=True).stdout)
        print(f"manyheads bench serve{report['items_per_second']:8,.0f} requests/s")
        print(f"httpx                {asyncio.run(ask_with_httpx(url)):8,.0f} requests/s")
    finally:
        server.kill()
        server.wait()


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        asyncio.run(serve())
    else:
        main()
