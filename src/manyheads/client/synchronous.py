"""The client of a service: vectors, labels and texts, by requests that are tried again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Self

import numpy as np

from manyheads.client.asynchronous import AsyncClient
from manyheads.client.connection import Verify
from manyheads.client.embeddings import Embeddings
from manyheads.client.loop import LoopThread
from manyheads.client.search import USUAL, Search
from manyheads.client.wire import Truncate


class Client:
    """Asks a service: `client = mh.Client("http://localhost:8000")`, from any thread.

    Long lists are cut into requests, several of which are under way at once; results keep their
    order. Where a connection breaks, too much waits there (429) or the service is about to end
    (503), a request is tried again, after pauses that grow, or when the service says; for nothing
    else. Every call ends: with its results, or with the service's own error by its class in
    `manyheads.errors`, `Unreachable`, or `DeadlineExceeded`. An error of one text names it, as in
    ``text 17: …``. Where a method takes texts, one alone is a list of one.

    Args:
        url: Where `manyheads serve` says that it answers.
        api_key: Sent as a bearer token.
        headers: Sent with every request, besides.
        verify: Whether an https service needs a certificate that is known; or the file of those
            who vouch for it, or a context of `ssl`.
        timeout: Seconds that a call may take with all that it tries again; `math.inf` for ever.
        retries: How often a request is tried again.
        concurrency: Requests under way at once.
        texts_per_request: Texts in a request at most.
        bulk: Whether people who ask one thing at a time go first.

    Raises:
        ConfigError: What is no address, or a file that vouches for nothing.
        MissingExtra: httpx is not installed.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        *,
        api_key: str | None = None,
        headers: Mapping[str, str] | None = None,
        verify: Verify = True,
        timeout: float = 600.0,
        retries: int = 6,
        concurrency: int = 4,
        texts_per_request: int = 256,
        bulk: bool = False,
    ) -> None:
        self._client = AsyncClient(
            url,
            api_key=api_key,
            headers=headers,
            verify=verify,
            timeout=timeout,
            retries=retries,
            concurrency=concurrency,
            texts_per_request=texts_per_request,
            bulk=bulk,
        )
        self._loop = LoopThread(self._client.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of all connections; nothing can be asked behind it."""
        self._loop.close()

    def models(self) -> list[str]:
        """Return the names of the models that are served."""
        return self._loop.run(self._client.models())

    def is_ready(self) -> bool:
        """Whether the service is there, and its models take questions."""
        return self._loop.run(self._client.is_ready())

    def wait_until_ready(self, timeout: float = 60.0) -> None:
        """Return once the service is ready; raises `DeadlineExceeded` after so many seconds."""
        self._loop.run(self._client.wait_until_ready(timeout))

    def embed(
        self,
        texts: str | Sequence[str],
        *,
        prompt: str | None = None,
        dimensions: int | None = None,
        truncate: Truncate | None = None,
        model: str | None = None,
        timeout: float | None = None,
    ) -> np.ndarray:
        """Return the vectors of texts, (N, E), as float32.

        `prompt` names one of the model's; with `dimensions` only that many numbers of each vector
        are kept. `truncate` says what becomes of a text that is too long, the model's folder where
        it does not. Without `model` the first one answers that makes vectors.
        """
        return self._loop.run(
            self._client.embed(
                texts,
                prompt=prompt,
                dimensions=dimensions,
                truncate=truncate,
                model=model,
                timeout=timeout,
            )
        )

    def embeddings(
        self,
        texts: str | Sequence[str],
        *,
        prompt: str | None = None,
        dimensions: int | None = None,
        truncate: Truncate | None = None,
        model: str | None = None,
        timeout: float | None = None,
        progress: Callable[[int], None] = lambda _: None,
    ) -> Embeddings:
        """Return vectors as `embed`, with the tokens of each text, and how many were not seen.

        `progress` is told of the number of texts in every request that is answered.
        """
        return self._loop.run(
            self._client.embeddings(
                texts,
                prompt=prompt,
                dimensions=dimensions,
                truncate=truncate,
                model=model,
                timeout=timeout,
                progress=progress,
            )
        )

    def predict(
        self,
        texts: str | Sequence[str],
        pairs: str | Sequence[str] | None = None,
        *,
        truncate: Truncate | None = None,
        model: str | None = None,
        timeout: float | None = None,
    ) -> list[dict[str, Any]]:
        """Return what a model says of each text, or of each pair.

        That is ``label`` and ``probabilities``, ``labels``, ``value``, ``entities`` or ``words``,
        as the model's task has it, with the text's ``tokens`` and how many of them it did not see,
        ``truncated``.
        """
        return self._loop.run(
            self._client.predict(texts, pairs, truncate=truncate, model=model, timeout=timeout)
        )

    def fill_mask(
        self,
        texts: str | Sequence[str],
        *,
        top: int = 5,
        truncate: Truncate | None = None,
        model: str | None = None,
        timeout: float | None = None,
    ) -> list[dict[str, Any]]:
        """Return of each text its best ``text``, and the ``top`` tokens for each of its ``masks``.

        A mask is written as the model's tokenizer spells it, such as ``[MASK]``.
        """
        return self._loop.run(
            self._client.fill_mask(texts, top=top, truncate=truncate, model=model, timeout=timeout)
        )

    def answer(
        self,
        questions: str | Sequence[str],
        contexts: str | Sequence[str],
        *,
        top: int = 5,
        refuse: bool | None = None,
        longest: int | None = None,
        model: str | None = None,
        timeout: float | None = None,
    ) -> list[dict[str, Any]]:
        """Return which part of its context answers each question: ``text``, ``start``, ``end``.

        With its ``probability`` and the ``top`` ``candidates``; a text of no characters says that
        there is no answer, which `refuse` forbids or allows. One context may be for all questions.
        `longest` is how many tokens an answer may have.
        """
        return self._loop.run(
            self._client.answer(
                questions,
                contexts,
                top=top,
                refuse=refuse,
                longest=longest,
                model=model,
                timeout=timeout,
            )
        )

    def generate(
        self,
        texts: str | Sequence[str],
        search: Search = USUAL,
        *,
        instruction: str | None = None,
        model: str | None = None,
        timeout: float | None = None,
    ) -> list[dict[str, Any]]:
        """Return what a model writes for each text: ``text``, why it is its end, ``finish``.

        ``written`` are the tokens of the output, ``outputs`` all where several were asked for.
        """
        return self._loop.run(
            self._client.generate(
                texts, search, instruction=instruction, model=model, timeout=timeout
            )
        )

    def stream(
        self,
        text: str,
        search: Search = USUAL,
        *,
        instruction: str | None = None,
        model: str | None = None,
        timeout: float | None = None,
    ) -> Iterator[str]:
        """Yield what a model writes for a text, piece by piece; whoever leaves it stops it.

        Nothing is tried again behind the first piece.
        """
        return self._loop.iterate(
            self._client.stream(text, search, instruction=instruction, model=model, timeout=timeout)
        )

    def translate(
        self,
        texts: str | Sequence[str],
        search: Search = USUAL,
        *,
        source: str | None = None,
        target: str | None = None,
        instruction: str | None = None,
        model: str | None = None,
        timeout: float | None = None,
    ) -> list[dict[str, Any]]:
        """Return a translation of each text of any length, as ``text``.

        `source` and `target` are codes of languages, where the model knows several.
        """
        return self._loop.run(
            self._client.translate(
                texts,
                search,
                source=source,
                target=target,
                instruction=instruction,
                model=model,
                timeout=timeout,
            )
        )

    def summarize(
        self,
        texts: str | Sequence[str],
        search: Search = USUAL,
        *,
        instruction: str | None = None,
        model: str | None = None,
        timeout: float | None = None,
    ) -> list[dict[str, Any]]:
        """Return a summary of each text of any length, as ``text``."""
        return self._loop.run(
            self._client.summarize(
                texts, search, instruction=instruction, model=model, timeout=timeout
            )
        )
