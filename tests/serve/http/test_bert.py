"""bert-as-service as a whole: the command, its clients, its HTTP."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import numpy as np
import pytest
from tests.serve.models import TEXTS

from .server import serving

pytest.importorskip("bert_serving.client")
OPTIONS = ["--zmq-port", "0", "--zmq-port-out", "0", "--max-seq-len", "16", "--pooling-layer", "-1"]


def test_clients_and_http_say_the_same(folders: dict[str, Path]) -> None:
    from bert_serving.client import BertClient

    models = (f"layers={folders['vectors']}", f"vectors={folders['vectors']}")
    with serving(*models, options=[*OPTIONS, "--pooling-strategy", "CLS_TOKEN"]) as server:
        found = re.search(r"port (\d+), port_out (\d+)", "".join(server.said))
        assert found is not None
        port, port_out = map(int, found.groups())
        with BertClient(port=port, port_out=port_out, timeout=20_000) as client:
            vectors = client.encode(TEXTS)
            assert client.server_config["pooling_strategy"] == "CLS_TOKEN"
        with httpx.Client(base_url=server.url, timeout=30) as http:
            asked = {"id": 7, "texts": TEXTS}
            answer = http.post("/encode", json=asked).raise_for_status().json()
            assert answer["id"] == 7 and answer["status"] == 200
            np.testing.assert_allclose(np.array(answer["results"]), vectors, atol=1e-5)
            status = http.get("/status/server").json()
            assert status["pooling_layer"] == [-1] and status["statistic"]["num_texts"] > 0
            wrong = http.post("/encode", json={"texts": [["a"]]})
            assert wrong.status_code == 422 and "is_tokenized" in wrong.json()["description"]
            # The second model is served as usual.
            assert http.post("/v1/embed", json={"inputs": "a"}).json()["model"] == "vectors"
            assert http.get("/readyz").status_code == 200


def test_without_it_there_are_no_layers(client: httpx.Client) -> None:
    answer = client.post("/encode", json={"texts": ["a"]})
    assert answer.status_code == 400 and "--zmq-port" in answer.json()["description"]
