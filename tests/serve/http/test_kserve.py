"""The open inference protocol, by Triton's own client and by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from tests.serve.models import TEXTS

import manyheads as mh

from .server import Server

SHORT = TEXTS[:5]


def texts_as(name: str, texts: list[str]) -> dict[str, Any]:
    return {"name": name, "datatype": "BYTES", "shape": [len(texts)], "data": texts}


def close(found: Any, expected: Any) -> None:
    np.testing.assert_allclose(np.asarray(found), np.asarray(expected), atol=1e-5)


@pytest.mark.parametrize("as_bytes", [True, False])
def test_tritons_client(server: Server, folders: dict[str, Path], as_bytes: bool) -> None:
    """It sends and wants bytes by itself."""
    triton = pytest.importorskip("tritonclient.http")
    with triton.InferenceServerClient(server.url.removeprefix("http://")) as client:
        assert client.is_server_live() and client.is_server_ready()
        assert client.is_model_ready("vectors")
        metadata = client.get_model_metadata("moods")
        assert [one["name"] for one in metadata["outputs"]] == ["probabilities", "label"]
        given = triton.InferInput("text", [len(TEXTS)], "BYTES")
        data = np.array([text.encode() for text in TEXTS], dtype=object)
        given.set_data_from_numpy(data, binary_data=as_bytes)
        wanted = triton.InferRequestedOutput("embedding", binary_data=as_bytes)
        answer = client.infer("vectors", [given], outputs=[wanted], request_id="7")
        close(answer.as_numpy("embedding"), mh.load(folders["vectors"])(TEXTS))
        assert answer.get_response()["id"] == "7"
        own = mh.load(folders["moods"])
        answer = client.infer("moods", [given])
        close(answer.as_numpy("probabilities"), own.probabilities(TEXTS))
        labels = [one.decode() for one in answer.as_numpy("label").tolist()]
        assert labels == [one.label for one in own(TEXTS)]


def test_pairs_and_numbers_as_json(client: httpx.Client, folders: dict[str, Path]) -> None:
    pair = SHORT[::-1]
    asked = {"inputs": [texts_as("text", SHORT), texts_as("pair", pair)]}
    answer = client.post("/v2/models/ranks/infer", json=asked).raise_for_status().json()
    (output,) = answer["outputs"]
    assert output["name"] == "value" and output["shape"] == [5, 1]
    close(output["data"], mh.load(folders["ranks"]).outputs(SHORT, pair)[:, 0])


def test_what_is_there(client: httpx.Client) -> None:
    assert client.get("/v2").json()["extensions"] == ["binary_tensor_data"]
    metadata = client.get("/v2/models/vectors").json()
    assert metadata["outputs"] == [{"name": "embedding", "datatype": "FP32", "shape": [-1, 32]}]
    assert client.get("/v2/models/vectors/ready").status_code == 200
    assert client.get("/v2/models/nothing/ready").status_code == 404


@pytest.mark.parametrize(
    ("name", "body", "headers", "status", "message"),
    [
        ("nothing", b"{}", {}, 404, "no model 'nothing'"),
        ("vectors", b"{", {}, 400, "none of the open inference protocol"),
        ("vectors", b'{"inputs": 3}', {}, 400, "none of the open inference protocol"),
        ("vectors", b'{"inputs": []}', {}, 400, "no input 'text'"),
        (
            "vectors",
            b'{"inputs": [{"name": "text", "datatype": "BYTES", "shape": [0], "data": []}]}',
            {},
            400,
            "no input 'text'",
        ),
        (
            "vectors",
            b'{"inputs": [{"name": "text", "datatype": "FP32", "shape": [1], "data": [1]}]}',
            {},
            400,
            "of the type FP32, not BYTES",
        ),
        (
            "vectors",
            b'{"inputs": [{"name": "text", "datatype": "BYTES", "shape": [2], "data": ["a"]}]}',
            {},
            400,
            "has 1 texts, its shape says others",
        ),
        (
            "vectors",
            b'{"inputs": [{"name": "text", "datatype": "BYTES", "shape": [1], "parameters": '
            b'{"binary_data_size": 8}}]}\xff\x00\x00\x00abcd',
            {"Inference-Header-Content-Length": "105"},
            400,
            "none of the open inference protocol",
        ),
        ("vectors", b"{}", {"Inference-Header-Content-Length": "x"}, 400, "none of the open"),
    ],
)
def test_what_breaks_the_protocol(
    client: httpx.Client,
    name: str,
    body: bytes,
    headers: dict[str, str],
    status: int,
    message: str,
) -> None:
    answer = client.post(f"/v2/models/{name}/infer", content=body, headers=headers)
    assert answer.status_code == status, answer.text
    assert message in answer.json()["error"]
