"""The server that is written in ten minutes: every request is a batch of its own.

python benchmarks/one_by_one.py PORT
"""

from __future__ import annotations

import sys
from typing import Any

import uvicorn
from encode import MAX_TOKENS, MODEL, in_package
from fastapi import FastAPI
from pydantic import BaseModel
from sentence_transformers import SentenceTransformer

app = FastAPI()
model = SentenceTransformer(str(in_package(MODEL, "model")), device="cpu")
model.max_seq_length = MAX_TOKENS


class Asked(BaseModel):
    """Texts to be made vectors of, as OpenAI's clients ask for them."""

    input: list[str]
    model: str


@app.post("/v1/embeddings")
async def embeddings(asked: Asked) -> dict[str, Any]:
    vectors = model.encode(asked.input, normalize_embeddings=True, show_progress_bar=False)
    data = [
        {"object": "embedding", "index": index, "embedding": vector}
        for index, vector in enumerate(vectors.tolist())
    ]
    usage = {"prompt_tokens": 0, "total_tokens": 0}
    return {"object": "list", "data": data, "model": asked.model, "usage": usage}


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "ready"}


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
