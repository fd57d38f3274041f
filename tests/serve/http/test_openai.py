"""OpenAI's own client, unmodified."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from tests.serve.models import TEXTS

import manyheads as mh

from .server import Server

openai = pytest.importorskip("openai")
SHORT = TEXTS[:6]


@pytest.fixture(scope="module")
def theirs(server: Server) -> Iterator[Any]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as made:
        yield made


def close(found: Any, expected: np.ndarray) -> None:
    np.testing.assert_allclose(np.array(found), expected, atol=1e-5)


@pytest.mark.parametrize("form", ["float", "base64", None])
def test_embeddings(theirs: Any, folders: dict[str, Path], form: str | None) -> None:
    """The client asks for base64 by itself where nothing is said, and decodes it."""
    own = mh.load(folders["vectors"])
    chosen = {} if form is None else {"encoding_format": form}
    answer = theirs.embeddings.create(model="vectors", input=SHORT, **chosen)
    found = [one.embedding for one in answer.data]
    if form == "base64":
        import base64

        found = [np.frombuffer(base64.b64decode(one), "<f4") for one in found]
    close(found, own(SHORT))
    assert [one.index for one in answer.data] == list(range(len(SHORT)))
    assert answer.usage.prompt_tokens == sum(own.embed(SHORT).tokens)
    assert answer.model == "vectors" and answer.object == "list"


def test_one_text_with_fewer_dimensions(theirs: Any, folders: dict[str, Path]) -> None:
    answer = theirs.embeddings.create(model="vectors", input=SHORT[0], dimensions=4)
    close(answer.data[0].embedding, mh.load(folders["vectors"])(SHORT[0], dimensions=4))


def test_ids_of_the_own_tokenizer_and_of_others(theirs: Any, folders: dict[str, Path]) -> None:
    own = mh.load(folders["vectors"])
    ids = own.tokenizer.encode(SHORT, frame=False)
    answer = theirs.embeddings.create(
        model="vectors", input=[one.pieces[0].ids.tolist() for one in ids]
    )
    close([one.embedding for one in answer.data], own(SHORT))
    with pytest.raises(openai.BadRequestError, match="does not make; send text"):
        theirs.embeddings.create(model="vectors", input=[[100257, 7]])
    with pytest.raises(openai.BadRequestError, match="does not make; send text"):
        theirs.embeddings.create(model="vectors", input=[*range(50, 90)])


def test_models(theirs: Any) -> None:
    assert [one.id for one in theirs.models.list()] == ["vectors", "moods", "ranks"]
    assert theirs.models.retrieve("moods").id == "moods"
    with pytest.raises(openai.NotFoundError, match="no model 'mods'"):
        theirs.models.retrieve("mods")


def test_errors_have_its_shape(theirs: Any, client: httpx.Client) -> None:
    with pytest.raises(openai.NotFoundError) as unknown:
        theirs.embeddings.create(model="text-embedding-3-small", input="a")
    assert unknown.value.code == "model_not_found"
    with pytest.raises(
        openai.BadRequestError, match=r"text 8 has \d+ tokens and the model reads 24"
    ):
        theirs.embeddings.create(model="vectors", input=TEXTS)
    with pytest.raises(openai.BadRequestError, match="at least one text"):
        theirs.embeddings.create(model="vectors", input=[])
    error = client.post("/v1/embeddings", json={"input": "a"}).json()["error"]
    assert error["type"] == "invalid_request_error" and "model: Field required" in error["message"]
