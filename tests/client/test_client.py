"""The client against a real service: the same answers as the library gives."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from tests import tiny
from tests.serve.http.server import Server, serving
from tests.serve.models import TEXTS

import manyheads as mh
from manyheads.client import Truncate
from manyheads.errors import (
    ConfigError,
    DeadlineExceeded,
    ManyHeadsError,
    ServiceError,
    TextError,
    TooLong,
    UnknownModel,
    Unreachable,
    WrongModel,
)


def close(found: np.ndarray, expected: np.ndarray) -> None:
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-5)


def run(code: str) -> str:
    """Return what a program prints in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env=tiny.ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_vectors(client: mh.Client, folders: dict[str, Path]) -> None:
    own = mh.load(folders["vectors"])
    close(client.embed(TEXTS), own(TEXTS))
    close(client.embed(TEXTS[0]), own(TEXTS[:1]))
    close(client.embed(tuple(TEXTS[:2]), model="vectors"), own(TEXTS[:2]))
    asked = client.embed(TEXTS[:2], prompt="query", dimensions=3)
    close(asked, own(TEXTS[:2], prompt="query", dimensions=3))
    assert client.embed([]).shape == (0, own.dimensions)
    found, expected = client.embeddings(TEXTS), own.embed(TEXTS)
    assert (found.tokens, found.truncated) == (expected.tokens, expected.truncated)
    own.truncation = mh.Tail(own.truncation.max_tokens)
    close(client.embed(TEXTS, truncate=Truncate.TAIL), own(TEXTS))


def test_long_lists_come_back_in_order(server: Server, folders: dict[str, Path]) -> None:
    expected = mh.load(folders["vectors"])(TEXTS)
    done: list[int] = []
    with mh.Client(server.url, timeout=60, texts_per_request=4, concurrency=3) as client:
        found = client.embeddings(TEXTS * 20, progress=done.append)
        close(found.vectors, np.tile(expected, (20, 1)))
        assert sum(done) == len(TEXTS) * 20 and max(done) == 4
        moods = client.predict(TEXTS * 3, model="moods")
    said = [one.label for one in mh.load(folders["moods"])(TEXTS)]
    assert [one["label"] for one in moods] == said * 3


def test_labels_and_numbers(client: mh.Client, folders: dict[str, Path]) -> None:
    own = mh.load(folders["moods"])
    for item, expected in zip(client.predict(TEXTS), own(TEXTS), strict=True):
        assert item["label"] == expected.label
        assert item["probabilities"] == pytest.approx(expected.probabilities, abs=1e-5)
        assert {"tokens", "truncated"} <= item.keys()
    (alone,) = client.predict(TEXTS[0])
    assert alone["label"] == own(TEXTS[0]).label
    assert client.predict([]) == []
    ranks = client.predict(TEXTS[:3], TEXTS[3:6], model="ranks")
    expected = [one.value for one in mh.load(folders["ranks"])(TEXTS[:3], TEXTS[3:6])]
    assert [one["value"] for one in ranks] == pytest.approx(expected, abs=1e-5)
    (one,) = client.predict(TEXTS[0], TEXTS[3], model="ranks")
    assert one["value"] == pytest.approx(expected[0], abs=1e-5)


def test_what_is_served(client: mh.Client) -> None:
    assert client.models() == ["vectors", "moods", "ranks"]
    assert client.is_ready()
    client.wait_until_ready(1)


def test_errors_have_the_types_of_the_service(server: Server, client: mh.Client) -> None:
    with pytest.raises(UnknownModel, match="Did you mean 'vectors'"):
        client.embed("a", model="vctors")
    with pytest.raises(WrongModel, match="makes no vectors"):
        client.embed("a", model="moods")
    with pytest.raises(ConfigError, match="no prompt 'ask'"):
        client.embed("a", prompt="ask")
    with pytest.raises(ConfigError, match="dimensions=99"):
        client.embed("a", dimensions=99)
    with pytest.raises(ServiceError, match="dimensions"):
        client.embed("a", dimensions=0)
    with pytest.raises(DeadlineExceeded, match=r"text 1: |did not answer all in 1e-06 s"):
        client.embed(TEXTS, timeout=1e-6)
    with pytest.raises(TextError, match="9 texts have 1 pairs"):
        client.predict(TEXTS, ["b"])
    with pytest.raises(TextError, match=r"text 2 is 3, of type int"):
        client.embed(["a", 3])  # type: ignore[list-item]
    with pytest.raises(TextError, match=r"text 2 holds a lone surrogate"):
        client.embed(["a", "a\ud800"])


@pytest.mark.parametrize("texts_per_request", [1, 3, 100])
def test_an_error_names_its_text_among_all(server: Server, texts_per_request: int) -> None:
    with (
        mh.Client(server.url, timeout=60, texts_per_request=texts_per_request) as client,
        pytest.raises(TooLong, match=r"^text 8 has \d+ tokens and the model reads 24"),
    ):
        client.embed(TEXTS, truncate=Truncate.ERROR)


def test_the_same_for_programs_with_a_loop(server: Server, folders: dict[str, Path]) -> None:
    async def ask() -> tuple[np.ndarray, list[dict[str, object]], list[str]]:
        async with mh.AsyncClient(server.url, timeout=60, texts_per_request=4) as client:
            await client.wait_until_ready()
            vectors, moods = await asyncio.gather(client.embed(TEXTS), client.predict(TEXTS))
            with pytest.raises(UnknownModel):
                await client.embed("a", model="nobody")
            assert await client.is_ready()
            return vectors, moods, await client.models()

    vectors, moods, models = asyncio.run(ask())
    close(vectors, mh.load(folders["vectors"])(TEXTS))
    assert len(moods) == len(TEXTS) and models[0] == "vectors"


def test_without_await_inside_a_loop_and_from_many_threads(client: mh.Client) -> None:
    expected = client.embed(TEXTS)

    async def notebook() -> np.ndarray:
        return client.embed(TEXTS)

    close(asyncio.run(notebook()), expected)
    with ThreadPoolExecutor(8) as threads:
        for at, found in enumerate(threads.map(client.embed, TEXTS)):
            close(found, expected[at : at + 1])


def test_keys_and_headers(folders: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("schlüssel\n", encoding="utf-8")
    with serving(folders["vectors"], options=["--api-keys", str(tmp_path / "keys")]) as server:
        assert mh.Client(server.url, api_key="schlüssel").models() == ["vectors"]
        assert mh.Client(server.url, headers={"X-API-Key": "schlüssel"}).models() == ["vectors"]
        for client in (mh.Client(server.url), mh.Client(server.url, api_key="schluessel")):
            assert client.is_ready()
            with pytest.raises(ServiceError, match="no valid key"):
                client.embed("a")


def test_https(folders: dict[str, Path], tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl, which makes a certificate, is not installed")
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    making = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1")
    names = ("-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1")
    files = ("-keyout", str(key), "-out", str(certificate))
    subprocess.run([*making, *names, *files], check=True, capture_output=True)
    options = ["--tls-cert", str(certificate), "--tls-key", str(key)]
    with serving(folders["vectors"], options=options) as server:
        assert server.url.startswith("https://")
        assert mh.Client(server.url, verify=certificate).embed("a").ndim == 2
        assert mh.Client(server.url, verify=False).embed("a").ndim == 2
        begun = time.monotonic()
        with pytest.raises(Unreachable, match="CERTIFICATE_VERIFY_FAILED"):
            mh.Client(server.url).embed("a")
        assert time.monotonic() - begun < 2, "a certificate does not get better by waiting"
    with pytest.raises(ConfigError, match=r"nowhere\.pem"):
        mh.Client(server.url, verify="nowhere.pem")


def test_waiting_for_a_service_that_starts(folders: dict[str, Path]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    client = mh.Client(f"http://127.0.0.1:{port}")
    assert not client.is_ready()
    with pytest.raises(DeadlineExceeded, match=r"not ready in 0\.2 s"):
        client.wait_until_ready(0.2)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(client.wait_until_ready, 60)
        with serving(folders["vectors"], options=["--port", str(port)]):
            waiting.result(60)
            assert client.models() == ["vectors"]


def test_a_service_that_is_killed_and_started_again(folders: dict[str, Path]) -> None:
    expected = mh.load(folders["vectors"])(TEXTS)
    with serving(folders["vectors"]) as server:
        port = server.url.rpartition(":")[2]
        client = mh.Client(server.url, timeout=60, retries=20, texts_per_request=8)
        done: list[int] = []

        def stop(count: int) -> None:
            done.append(count)
            if len(done) == 10:
                server.process.kill()

        with ThreadPoolExecutor(1) as threads:
            asking = threads.submit(client.embeddings, TEXTS * 80, progress=stop)
            server.process.wait(60)
            assert not asking.done()
            with serving(folders["vectors"], options=["--port", port]):
                close(asking.result(60).vectors, np.tile(expected, (80, 1)))


def test_what_cannot_be_asked() -> None:
    for url in ("localhost:8000", "ftp://localhost", "http://", ""):
        with pytest.raises(ConfigError, match="no address of a service"):
            mh.Client(url)
    with pytest.raises(ConfigError, match="concurrency=0"):
        mh.Client(concurrency=0)
    client = mh.Client()
    client.close()
    client.close()
    with pytest.raises(ManyHeadsError, match="closed"):
        client.models()


def test_a_forked_process_is_told_that_it_has_no_client(server: Server) -> None:
    code = f"""
        import os
        import manyheads as mh
        client = mh.Client({server.url!r})
        print(client.models(), flush=True)
        if os.fork() == 0:
            try:
                client.models()
            except mh.ManyHeadsError as error:
                print(error, flush=True)
            os._exit(0)
        os.wait()
    """
    said = run(code).splitlines()
    assert "vectors" in said[0] and "make a new one" in said[1]


def test_a_client_needs_neither_torch_nor_a_service() -> None:
    code = """
        import sys
        import manyheads as mh
        mh.Client().close()
        print([name for name in ("torch", "tokenizers", "fastapi", "zmq") if name in sys.modules])
        print([name for name in sys.modules if name.startswith("manyheads.serve")])
    """
    assert run(code).split() == ["[]", "[]"]


def test_without_its_extra() -> None:
    code = """
        import sys
        sys.modules["httpx"] = None
        import manyheads as mh
        try:
            mh.Client()
        except ImportError as error:
            print(error)
    """
    assert "pip install 'manyheads[client]'" in run(code)
