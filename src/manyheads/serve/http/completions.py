"""The wire of OpenAI for models that write: /v1/completions, /v1/chat/completions.

Each choice is an order of its own, so that choices of all prompts are written, and told, together.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Response

from manyheads.serve.http.completion_requests import ChatRequest, CompletionRequest
from manyheads.serve.http.events import event_stream
from manyheads.serve.http.openai import refusal, said_of, texts_of
from manyheads.serve.http.replies import Json, route_of
from manyheads.serve.http.writing import drawn_seed
from manyheads.serve.orders import Writing
from manyheads.serve.scribes import Ordered
from manyheads.serve.served_writer import Given, ServedWriter
from manyheads.serve.service import Service

_DONE = b"data: [DONE]\n\n"
Said = dict[str, Any]
Choice = Callable[[int, Said], Said]


@dataclass(frozen=True)
class Shape:
    """How a kind of completion is told: whole, and piece by piece."""

    kind: str
    chunk_kind: str
    whole: Choice
    piece: Callable[[str], Said]
    first: Callable[[int], Said] | None = None


@dataclass(frozen=True)
class Completion:
    """Orders for all choices, and how they are told."""

    model: ServedWriter
    shape: Shape
    ordered: Sequence[Ordered]

    def head(self) -> Said:
        """Return what all parts of an answer have in common."""
        number = f"{self.shape.kind.split('.')[0]}-{uuid.uuid4().hex}"
        return {"id": number, "created": int(time.time()), "model": self.model.name}

    async def whole(self) -> Json:
        """Return all choices together; raises the first error of one."""
        said = await asyncio.gather(*(one.whole() for one in self.ordered))
        choices = [self.shape.whole(index, one) for index, one in enumerate(said)]
        head = self.head() | {"object": self.shape.kind}
        return Json(head | {"choices": choices, "usage": _usage(said)})

    async def chunks(self, counts: bool) -> AsyncIterator[Said]:
        """Yield chunks of all choices as they come, their ends, and what they took if it counts."""
        head = self.head() | {"object": self.shape.chunk_kind}
        if self.shape.first is not None:
            for index in range(len(self.ordered)):
                yield head | {"choices": [_chunk(index, self.shape.first(index))]}
        async for index, piece in _merged(self.ordered):
            if piece is not None:
                yield head | {"choices": [_chunk(index, self.shape.piece(piece))]}
                continue
            said = await self.ordered[index].whole()
            yield head | {"choices": [_chunk(index, self.shape.piece(""), _reason(said))]}
        if counts:
            said_of_all = [await one.whole() for one in self.ordered]
            yield head | {"choices": [], "usage": _usage(said_of_all)}


def router(service: Service) -> APIRouter:
    """Return the routes of this wire."""
    routes = APIRouter(route_class=route_of(refusal), tags=["OpenAI"])

    @routes.post("/v1/completions")
    async def completions(asked: CompletionRequest) -> Response:
        """Go on with each prompt."""
        model = service.writer(asked.model)
        asked.check()
        prompts = texts_of(model, asked.prompt, "prompt")
        echoed = [prompt if asked.echo else "" for prompt in prompts for _ in range(asked.n)]
        shape = Shape(
            "text_completion",
            "text_completion",
            lambda index, said: _completed(index, said, echoed[index], asked.logprobs is not None),
            lambda piece: {"text": piece},
            (lambda index: {"text": echoed[index]}) if asked.echo else None,
        )
        return await _answered(model, Writing.OUTPUT, prompts, asked, shape)

    @routes.post("/v1/chat/completions")
    async def chat(asked: ChatRequest) -> Response:
        """Reply to a dialogue."""
        model = service.writer(asked.model)
        shape = Shape(
            "chat.completion",
            "chat.completion.chunk",
            lambda index, said: _replied(index, said, asked.logprobs),
            lambda piece: {"delta": {"content": piece} if piece else {}},
            lambda _: {"delta": {"role": "assistant", "content": ""}},
        )
        return await _answered(model, Writing.REPLY, [asked.dialogue()], asked, shape)

    return routes


async def _answered(
    model: ServedWriter,
    writing: Writing,
    given: Sequence[Given],
    asked: CompletionRequest | ChatRequest,
    shape: Shape,
) -> Response:
    """Order all choices of all that is given; whoever leaves before the end is forgotten."""
    wording = asked.wording()
    seed = wording.pop("seed", None)
    first = drawn_seed() if seed is None else seed
    choices = [
        (one, wording | {"seed": first + number}) for one in given for number in range(asked.n)
    ]
    texts, wordings = zip(*choices, strict=True)
    ordered = await model.order(writing, texts, wordings, streams=asked.stream)
    with ExitStack() as leaving:
        for one in ordered:
            leaving.enter_context(one)
        completion = Completion(model, shape, ordered)
        if not asked.stream:
            return await completion.whole()
        chunks = _leaving(completion.chunks(asked.counts_usage), leaving.pop_all())
        return await event_stream(chunks, said_of, _DONE)


async def _leaving(chunks: AsyncIterator[Said], leaving: ExitStack) -> AsyncIterator[Said]:
    with leaving:
        async for chunk in chunks:
            yield chunk


async def _merged(ordered: Sequence[Ordered]) -> AsyncIterator[tuple[int, str | None]]:
    """Yield pieces of several texts as they come, None behind the last one of each."""
    pieces: asyncio.Queue[tuple[int, str | None] | Exception] = asyncio.Queue()

    async def pass_on(index: int, one: Ordered) -> None:
        try:
            async for piece in one.pieces():
                pieces.put_nowait((index, piece))
            pieces.put_nowait((index, None))
        except Exception as error:
            pieces.put_nowait(error)

    tasks = [asyncio.create_task(pass_on(*one)) for one in enumerate(ordered)]
    try:
        open_ones = len(tasks)
        while open_ones:
            found = await pieces.get()
            if isinstance(found, Exception):
                raise found
            open_ones -= found[1] is None
            yield found
    finally:
        for task in tasks:
            task.cancel()


def _chunk(index: int, said: Mapping[str, Any], reason: str | None = None) -> Said:
    return {"index": index, **said, "logprobs": None, "finish_reason": reason}


def _completed(index: int, said: Said, before: str, probable: bool) -> Said:
    (output,) = said["outputs"]
    logprobs = None
    if probable:
        tokens = output["tokens"]
        logprobs = {
            "tokens": tokens,
            "token_logprobs": output["log_probs"],
            "top_logprobs": None,
            "text_offset": None,
        }
    text = before + output["text"]
    return {
        "index": index,
        "text": text,
        "logprobs": logprobs,
        "finish_reason": _reason(said),
    }


def _replied(index: int, said: Said, probable: bool) -> Said:
    (output,) = said["outputs"]
    logprobs = None
    if probable:
        pairs = zip(output["tokens"], output["log_probs"], strict=True)
        content = [
            {"token": token, "logprob": one, "bytes": None, "top_logprobs": []}
            for token, one in pairs
        ]
        logprobs = {"content": content, "refusal": None}
    return {
        "index": index,
        "message": {"role": "assistant", "content": output["text"], "refusal": None},
        "logprobs": logprobs,
        "finish_reason": _reason(said),
    }


def _reason(said: Said) -> str:
    return "length" if said["outputs"][0]["finish"] == "length" else "stop"


def _usage(said: Sequence[Said]) -> dict[str, int]:
    read = sum(one["read"] for one in said)
    written = sum(one["written"] for one in said)
    return {
        "prompt_tokens": read,
        "completion_tokens": written,
        "total_tokens": read + written,
    }
