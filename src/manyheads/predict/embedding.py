"""The predictor of vectors: texts whose meanings are near each other have near vectors."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Self, overload

import numpy as np
import torch
from torch import Tensor

from manyheads.core.layout import Layout
from manyheads.core.packed import halve, pack
from manyheads.core.similarity import kept_dimensions, mean_of_windows, shortened
from manyheads.core.spec import Pooling
from manyheads.core.vectors import VectorHead, VectorSpec, text_vectors, token_vectors
from manyheads.errors import ConfigError, TextError
from manyheads.hub import Pretrained, load_model, locate, save_model
from manyheads.hub.load import Undrawn, fill
from manyheads.hub.sentences import (
    MODULES,
    Sentences,
    read_sentences,
    write_sentences,
)
from manyheads.predict.fidelity import write_check
from manyheads.predict.folder import replace_folder
from manyheads.predict.running import in_batches
from manyheads.tasks import Embedding, Reader, RelatedReader, VectorModel
from manyheads.text import Cleaning, Encoded, Head, Truncation
from manyheads.text.several import several

_BATCH_TOKENS = 1024  # as fast as more, and holds less memory


@dataclass(frozen=True)
class Embedded:
    """Vectors of texts (N, E); of each text its tokens, and how many the model did not see."""

    vectors: np.ndarray
    tokens: list[int]
    truncated: list[int]


class Embedder:
    """A model that makes a vector of a text: `embedder("a text")`, or a list of texts.

    Opened by `mh.load` from a folder of sentence-transformers, or by `Embedder.open` from any
    model. What a text's vector is does not depend on the other texts.
    """

    def __init__(
        self, pretrained: Pretrained, sentences: Sentences, truncation: Truncation | None = None
    ) -> None:
        self.pretrained = pretrained
        self.sentences = sentences
        self.tokenizer = pretrained.require_tokenizer()
        self.truncation = truncation or Head(_longest(pretrained, sentences))
        self.transformer = pretrained.transformer.eval()
        with torch.device("meta"), Undrawn():
            self.head = VectorHead(sentences.spec, self.transformer.spec.width).eval()
        source = f"the modules of {pretrained.folder}"
        fill(self.head, sentences.tensors, self.transformer.device, torch.float32, source)
        pack(self.transformer)

    @classmethod
    def open(
        cls,
        reference: str | Path,
        *,
        pooling: Pooling | None = None,
        truncation: Truncation | None = None,
        device: torch.device | str = "cpu",
    ) -> Self:
        """Open a folder of sentence-transformers, or any model that reads, to be pooled as said.

        Raises `ReferenceNotFound`, `ConfigError` where nobody says how vectors are pooled, or what
        the folder says is not understood; `CheckpointError`.
        """
        folder = locate(reference)
        sentences = read_sentences(folder) if folder.is_dir() else None
        if sentences is not None and pooling is not None:
            raise ConfigError(
                f"{folder} says itself how its vectors are made; leave out pooling={pooling.name}"
            )
        if sentences is None:
            sentences = Sentences(VectorSpec((_required(pooling, folder),)))
        pretrained = load_model(
            folder / sentences.body if sentences.body else folder, device=device
        )
        return cls(pretrained, sentences, truncation)

    @classmethod
    def of(
        cls, task: Embedding, model: VectorModel, reader: RelatedReader, pretrained: Pretrained
    ) -> Self:
        """Return the embedder of a trained model; it is a copy."""
        body = replace(pretrained, transformer=copy.deepcopy(model.transformer))
        tensors = {name: one.detach().clone() for name, one in model.head.state_dict().items()}
        sentences = replace(reader.sentences, tensors=tensors)
        return cls(body, sentences, reader.reader.truncation)

    def halved(self) -> Self:
        """Return this embedder with products in bfloat16: nearly the same vectors, sooner.

        Cosines change by some 1e-5. It saves weights that are rounded so. Raises `ConfigError`
        where the model is not on a CPU, or the processor would be slower for it.
        """
        other = copy.copy(self)
        other.transformer = copy.deepcopy(self.transformer)
        other.pretrained = replace(self.pretrained, transformer=other.transformer)
        halve(other.transformer)
        return other

    @property
    def task(self) -> Embedding:
        """What it is judged by: pairs that belong together, or that have scores."""
        return Embedding()

    @property
    def model(self) -> VectorModel:
        """The Transformer with what makes one vector of a text."""
        return VectorModel(self.transformer, self.head)

    @property
    def reader(self) -> RelatedReader:
        """How pairs are read; raises `RecipeError` where it cuts texts otherwise than at ends."""
        prompts, as_they_are = self.sentences.prompts, Cleaning(unicode=False, controls=False)
        reader = Reader(self.tokenizer, as_they_are, self.truncation)
        query, document = (prompts.named(name) for name in (prompts.query, prompts.document))
        return RelatedReader(reader, self.sentences, query, document)

    @property
    def dimensions(self) -> int:
        """How many numbers a vector has, E."""
        return self.head.width

    @property
    def prompts(self) -> dict[str, str]:
        """What may stand before a text, by its name: for models trained with instructions."""
        return dict(self.sentences.prompts.texts)

    @overload
    def __call__(
        self, texts: str, *, prompt: str | None = ..., dimensions: int | None = ...
    ) -> np.ndarray: ...
    @overload
    def __call__(
        self, texts: Sequence[str], *, prompt: str | None = ..., dimensions: int | None = ...
    ) -> np.ndarray: ...
    def __call__(self, texts, *, prompt=None, dimensions=None):  # type: ignore[no-untyped-def]
        """Return the vector of one text, (E), or those of a list of texts, (N, E).

        `prompt` names one of the model's; the model's default otherwise. With `dimensions` only
        that many of each vector are kept, again at unit length where the model's have it.
        Raises `TextError` for what is no text or has no tokens, `ConfigError` for an unknown prompt
        or more dimensions than there are.
        """
        if isinstance(texts, str):
            return self([texts], prompt=prompt, dimensions=dimensions)[0]
        return self.embed(texts, prompt=prompt, dimensions=dimensions).vectors

    def embed(
        self,
        texts: Sequence[str],
        *,
        prompt: str | None = None,
        dimensions: int | None = None,
        batch_tokens: int = _BATCH_TOKENS,
        progress: Callable[[int], None] = lambda _: None,
    ) -> Embedded:
        """Return the vectors of texts with what was read of them.

        `progress` is told of every finished batch's number of texts, or windows of texts.
        """
        prompts, kept = self.sentences.prompts, kept_dimensions(dimensions, self.dimensions)
        before = prompts.named(prompt)
        encoded = self._read(texts, before)
        uncounted = prompts.uncounted(before, self.tokenizer)
        vectors_NE = self._vectors(encoded, uncounted, progress, batch_tokens)
        if kept < self.dimensions:
            vectors_NE = shortened(vectors_NE, kept, self.sentences.spec.has_unit_length)
        return Embedded(
            vectors_NE,
            [one.tokens for one in encoded],
            [one.dropped for one in encoded],
        )

    def tokens(self, texts: Sequence[str]) -> list[np.ndarray]:
        """Return the vectors of each text's tokens, (T, D), before they are pooled."""
        encoded = self._read(texts, "")
        if any(len(one.pieces) > 1 for one in encoded):
            raise ConfigError("a text in windows has tokens in several of them; choose mh.Head")
        pieces = [one.pieces[0].ids for one in encoded]

        def work(rows: Sequence[int]) -> list[np.ndarray]:
            ids_T, layout = Layout.flatten([pieces[row] for row in rows], self.transformer.device)
            hidden_TD = token_vectors(self.transformer, ids_T, layout)
            return [part.float().cpu().numpy() for part in hidden_TD.split(layout.lengths)]

        found: dict[int, np.ndarray] = {}
        for rows, parts in in_batches(
            work, list(map(len, pieces)), device=self.transformer.device, batch_tokens=_BATCH_TOKENS
        ):
            found |= dict(zip(rows, parts, strict=True))
        return [found[row] for row in range(len(texts))]

    def check_vectors(self, texts: Sequence[str]) -> np.ndarray:
        """Return what is compared when the model is opened again: vectors (N, E), no prompt."""
        return self._vectors(self._read(texts, ""), 0, lambda _: None)

    def read(self, texts: Sequence[str]) -> list[Encoded]:
        """Return the tokens of each text behind the default prompt; raises `TextError`."""
        return self._read(texts, self.sentences.prompts.named(None))

    @property
    def uncounted(self) -> int:
        """How many first tokens of what `read` returns are a prompt that is not pooled."""
        prompts = self.sentences.prompts
        return prompts.uncounted(prompts.named(None), self.tokenizer)

    def similarity(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Return how near each vector of `a` (M, E) is to each of `b` (N, E), (M, N).

        More is nearer. By what the model was trained for; by cosines where its folder does not say.
        """
        return self.sentences.similarity(a, b)

    def save(self, folder: str | Path) -> Path:
        """Write a folder of sentence-transformers, file by file over one that is there already.

        Raises `CheckpointError` where that is not possible; what was there is whole then.
        """

        def write(fresh: Path) -> None:
            save_model(fresh, self.pretrained)
            sentences = replace(self.sentences, max_tokens=self.truncation.max_tokens, body="")
            write_sentences(fresh, sentences, self.transformer.spec.width)
            write_check(fresh, self.check_vectors)

        return replace_folder(Path(folder), write, last=MODULES)

    def _read(self, texts: Sequence[str], prompt: str) -> list[Encoded]:
        """Return the tokens of each text behind the prompt."""
        texts = several(texts)
        prepared = self.sentences.prompts.before(prompt, texts)
        encoded = self.tokenizer.encode(prepared, truncation=self.truncation)
        for number, one in enumerate(encoded, 1):
            if not one.tokens:
                raise TextError(
                    f"text {number} has no tokens ({texts[number - 1]!r}); leave it out"
                )
        return encoded

    def _vectors(
        self,
        encoded: Sequence[Encoded],
        uncounted: int,
        progress: Callable[[int], None],
        batch_tokens: int = _BATCH_TOKENS,
    ) -> np.ndarray:
        """Return the vector of each text, (N, E): of several windows, their mean by tokens."""
        pieces = [piece.ids for one in encoded for piece in one.pieces]

        def work(rows: Sequence[int]) -> Tensor:
            ids_T, layout = Layout.flatten([pieces[row] for row in rows], self.transformer.device)
            vectors = text_vectors(self.transformer, self.head, ids_T, layout, uncounted)
            return vectors.float().cpu()

        vectors_PE = np.zeros((len(pieces), self.dimensions), dtype=np.float32)
        sizes = [len(ids) for ids in pieces]
        for rows, vectors in in_batches(
            work,
            sizes,
            device=self.transformer.device,
            batch_tokens=batch_tokens,
            progress=progress,
        ):
            vectors_PE[list(rows)] = vectors.numpy()
        if len(pieces) == len(encoded):
            return vectors_PE
        starts = np.cumsum([0, *(len(one.pieces) for one in encoded)])
        is_unit = self.sentences.spec.has_unit_length
        spans = [slice(*pair) for pair in pairwise(starts)]
        tokens = np.array(sizes, dtype=np.float32)
        return np.stack([mean_of_windows(vectors_PE[s], tokens[s], is_unit) for s in spans])


def _required(pooling: Pooling | None, folder: Path) -> Pooling:
    if pooling is None:
        raise ConfigError(
            f"{folder} does not say how the vectors of tokens become one (no {MODULES}); say it, "
            "as in pooling=mh.Pooling.MEAN"
        )
    return pooling


def _longest(pretrained: Pretrained, sentences: Sentences) -> int:
    """Return how many tokens of a text are read: no more than the model was trained for."""
    longest = pretrained.longest_input
    return longest if sentences.max_tokens is None else min(longest, sentences.max_tokens)
