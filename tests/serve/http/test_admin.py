"""Operators exchange models while the service runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from tests.serve.models import TEXTS

import manyheads as mh

from .server import Server, serving

CLIENT = {"Authorization": "Bearer a-client"}
OPERATOR = {"X-API-Key": "an-operator"}


@pytest.fixture(scope="module")
def server(folders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    root = tmp_path_factory.mktemp("keys")
    (root / "clients").write_text("a-client\n")
    (root / "operators").write_text("an-operator\n")
    options = ["--api-keys", root / "clients", "--admin-keys", root / "operators"]
    options += ["--alias", "words=vectors", "--batch-tokens", "256"]
    with serving(f"vectors={folders['vectors']}", options=list(map(str, options))) as running:
        yield running


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=60) as made:
        yield made


def test_models_come_and_go(client: httpx.Client, folders: dict[str, Path]) -> None:
    said = {"reference": str(folders["moods"]), "name": "moods", "workers": 1}
    answer = client.post("/admin/models", json=said, headers=OPERATOR)
    assert answer.status_code == 200, answer.text
    assert answer.json()["kind"] == "labelling" and not answer.json()["replaced"]
    found = client.post("/v1/predict", json={"inputs": TEXTS[:2]}, headers=CLIENT).json()
    own = mh.load(folders["moods"])(TEXTS[:2])
    assert [one["label"] for one in found["items"]] == [one.label for one in own]
    again = client.post("/admin/models", json=said, headers=OPERATOR).json()
    assert again["replaced"] and again["workers"] == 1
    listed = client.get("/admin/models", headers=OPERATOR).json()
    assert set(listed["models"]) == {"vectors", "moods"} and listed["models"]["moods"]["ready"]
    assert client.delete("/admin/models/moods", headers=OPERATOR).status_code == 200
    gone = client.post("/v1/predict", json={"inputs": "a", "model": "moods"}, headers=CLIENT)
    assert gone.status_code == 404
    missing = client.post("/admin/models", json={"reference": "nowhere"}, headers=OPERATOR)
    assert missing.status_code == 400 and "nowhere" in missing.json()["error"]["message"]


def test_aliases(client: httpx.Client, folders: dict[str, Path]) -> None:
    own = mh.load(folders["vectors"])(TEXTS[:1])

    def asked(model: str) -> httpx.Response:
        return client.post("/v1/embed", json={"model": model, "inputs": TEXTS[:1]}, headers=CLIENT)

    found = asked("words").json()
    np.testing.assert_allclose(found["items"][0]["vector"], own[0], atol=1e-5)
    assert asked("best").status_code == 404
    put = client.put("/admin/aliases/best", json={"model": "vectors"}, headers=OPERATOR)
    assert put.json() == {"alias": "best", "model": "vectors"}
    assert asked("best").json()["items"] == found["items"]
    listed = client.get("/v1/models", headers=CLIENT).json()
    assert {one["id"] for one in listed["data"]} >= {"vectors", "words", "best"}
    assert client.delete("/admin/aliases/best", headers=OPERATOR).status_code == 200
    assert asked("best").status_code == 404
    taken = client.put("/admin/aliases/vectors", json={"model": "vectors"}, headers=OPERATOR)
    assert taken.status_code == 400


def test_keys_of_clients_and_of_operators_are_not_the_same(
    client: httpx.Client, folders: dict[str, Path]
) -> None:
    assert client.get("/admin/models", headers=CLIENT).status_code == 401
    assert client.get("/admin/models").status_code == 401
    assert client.get("/v1/models", headers=OPERATOR).status_code == 401
    assert client.get("/readyz").status_code == 200


def test_without_keys_there_are_no_operators(folders: dict[str, Path]) -> None:
    with (
        serving(f"vectors={folders['vectors']}") as running,
        httpx.Client(base_url=running.url) as asking,
    ):
        # Nobody has a key that fits, and nobody is told what there would be.
        assert asking.get("/admin/models", headers=OPERATOR).status_code == 401
        assert asking.get("/v1/models").status_code == 200
