"""A library: somebody's documents, found by words and by meaning, and asked for answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from manyheads.errors import ConfigError, DataError, TextError
from manyheads.hub.atomic import exclusively, remove_leftovers
from manyheads.library.answers import Found, FoundAnswer, answers_among
from manyheads.library.calibration import Calibration, Isotonic, Platt, calibration_from_json
from manyheads.library.contents import Contents, Place
from manyheads.library.documents import Columns, read_documents
from manyheads.library.joining import settled
from manyheads.library.model import (
    check_vector,
    opened,
    reference_of,
    require_same,
    vectors_of,
)
from manyheads.library.modes import ByBoth, ByMeaning, ByWords, Mode, Reranked, fused
from manyheads.library.passages import Passages
from manyheads.library.pending import Pending
from manyheads.library.store import (
    MANIFEST,
    Manifest,
    commit,
    open_contents,
    open_library,
    remove_others,
)
from manyheads.library.updating import (
    Advance,
    Bar,
    Binder,
    Change,
    Update,
    compared,
    removal,
    unseen,
    without,
)
from manyheads.library.words import best
from manyheads.predict import Answerer, Embedder
from manyheads.tasks.answers import normalised

_FRAME = 8  # tokens that may stand around a passage
_BOTH = ByBoth()


class Library:
    """Documents on disk, cut into passages: `library.search("…")`, `library.ask("…", answerer)`.

    Made by `Library.create`, opened by `Library.open`, filled and kept up to date by `update`.
    The folder is a whole library at every moment. Which model makes its vectors is fixed when it
    is created, and another one is refused; it is opened when it is first needed.
    """

    def __init__(
        self,
        folder: Path,
        manifest: Manifest,
        contents: Contents,
        embedder: Embedder | None,
        device: torch.device | str = "cpu",
        half: bool = False,
    ) -> None:
        self.folder = folder
        self._manifest = manifest
        self._contents = contents
        self._embedder = embedder
        self._device = device
        self._half = half

    @classmethod
    def create(
        cls,
        folder: str | Path,
        *,
        embedder: Embedder | str | Path,
        passages: Passages | None = None,
        device: torch.device | str = "cpu",
        half: bool = False,
    ) -> Self:
        """Make an empty library in a new folder, for a model that makes vectors.

        With `half` it makes them with products in bfloat16 (`Embedder.halved`). Raises
        `ConfigError` where the folder holds something, the model makes no vectors, or it reads less
        than a passage; and what `mh.load` raises.
        """
        folder, passages = Path(folder).expanduser(), passages or Passages()
        model = opened(embedder, device, half)
        longest = model.truncation.max_tokens
        if passages.tokens + _FRAME > longest:
            raise ConfigError(
                f"passages of {passages.tokens} tokens are too long for a model that reads "
                f"{longest}; choose at most {longest - _FRAME}"
            )
        folder.mkdir(parents=True, exist_ok=True)
        with exclusively(folder):
            remove_leftovers(folder)
            if any(folder.iterdir()):
                remedy = "open it" if (folder / MANIFEST).exists() else "choose a new folder"
                raise ConfigError(f"{folder} is not empty; {remedy}")
            similarity = model.sentences.similarity
            check = tuple(map(float, check_vector(model)))
            manifest = Manifest(reference_of(embedder), check, similarity, passages)
            manifest.save(folder)
        return cls(folder, manifest, Contents(()), model, device, half)

    @classmethod
    def open(
        cls,
        folder: str | Path,
        *,
        embedder: Embedder | str | Path | None = None,
        device: torch.device | str = "cpu",
        half: bool = False,
    ) -> Self:
        """Open a library; its files are mapped into memory, not read.

        With `half` vectors are made with products in bfloat16, however they were made before.
        Raises `ConfigError` where there is none, or for another model than made it;
        `CheckpointError` for files that are damaged.
        """
        folder = Path(folder).expanduser()
        manifest, contents = open_library(folder)
        model = None if embedder is None else opened(embedder, device, half)
        if model is not None:
            require_same(model, manifest, folder)
        return cls(folder, manifest, contents, model, device, half)

    def __len__(self) -> int:
        """How many documents there are."""
        return len(self._contents)

    @property
    def passages(self) -> int:
        """How many passages there are."""
        return self._contents.passages

    @property
    def sources(self) -> dict[str, int]:
        """How many documents there are of each source."""
        return self._contents.sources

    @property
    def embedder(self) -> Embedder:
        """The model that makes its vectors; raises `ConfigError` where it is another one by now."""
        if self._embedder is None:
            model = opened(self._manifest.embedder, self._device, self._half)
            require_same(model, self._manifest, self.folder)
            self._embedder = model
        return self._embedder

    def text(self, found: Found) -> str:
        """Return all of the text of the document in which something was found."""
        return self._contents.document(self._place(found.document, found.source))[1].text

    def update(
        self,
        source: Any,
        *,
        text: str | None = None,
        title: str | None = None,
        id: str | None = None,
        name: str | None = None,
        encoding: str | None = None,
        bar: Bar = unseen,
    ) -> Update:
        """Let the library hold what a source holds now: a folder of files, a file, or a table.

        Documents that are new are added, changed ones replaced, and those removed that were read of
        this source before and are not there any more, or cannot be read. Documents of other sources
        stay. Only passages with a text that the library does not hold yet are embedded; what a
        process that was stopped has embedded is not embedded again.

        A document is known by its source and its id: the path in a folder, or the column `id`, or
        the number of its row. `text` and `title` are columns too. A source is known by where it
        lies, or by the `name` that it is given.

        Raises `ConfigError` where another process changes the library; what `read_documents`
        raises.
        """
        reading = read_documents(source, Columns(text, title, id), name, encoding)
        return self._take(reading.source, lambda there: compared(there, reading, is_all=True), bar)

    def add(
        self,
        source: Any,
        *,
        text: str | None = None,
        title: str | None = None,
        id: str | None = None,
        name: str | None = None,
        encoding: str | None = None,
        bar: Bar = unseen,
    ) -> Update:
        """Let the library hold these documents besides those of their source that are there.

        As `update`, but nothing is removed: what is given may be one new document of many.
        """
        reading = read_documents(source, Columns(text, title, id), name, encoding)
        return self._take(reading.source, lambda there: compared(there, reading, is_all=False), bar)

    def remove(self, source: str, *, ids: Sequence[str] | None = None) -> Update:
        """Remove documents of a source, all without `ids`.

        Raises `DataError` for a source or a document that is not there.
        """
        return self._take(source, lambda there: removal(there, source, ids), unseen)

    def search(self, query: str, *, n: int = 10, mode: Mode = _BOTH) -> list[Found]:
        """Return the `n` best passages, the best first.

        By both ways, or `ByWords`, `ByMeaning`, or the best of these `Reranked` by another model.

        Raises `TextError` for a query without words, `ConfigError` for n below 1.
        """
        _require_some(n)
        if not query.strip():
            raise TextError("the query is empty; write what is looked for")
        rows, scores = self._ranked(query, n, mode)
        return [self._found(*one) for one in zip(rows.tolist(), scores.tolist(), strict=True)]

    def similar(self, document: str, n: int = 10, *, source: str | None = None) -> list[Found]:
        """Return the `n` documents that are most like one of them, by its id, the best first.

        Each is shown by the passage that is nearest to the mean of that document's vectors. Raises
        `DataError` for a document that is not there, or whose id several sources have, unless one
        is named; `ConfigError` for n below 1.
        """
        _require_some(n)
        place = self._place(document, source)
        mean_E, depth = self._contents.mean_vector(place), 4 * n
        if mean_E is None:
            return []
        while True:
            rows, scores = self._contents.by_meaning(mean_E, depth)
            nearest = {self._contents.passage(row)[0]: row for row in reversed(rows.tolist())}
            others = {row for owner, row in nearest.items() if owner != place}
            if len(others) >= n or depth >= self.passages:
                found = zip(rows.tolist(), scores.tolist(), strict=True)
                return [self._found(*one) for one in found if one[0] in others][:n]
            depth *= 2

    def ask(
        self, question: str, answerer: Answerer, *, n: int = 10, mode: Mode = _BOTH
    ) -> list[FoundAnswer]:
        """Return answers from the `n` best passages for a question, the likeliest first.

        None where no passage is found, or the model may say that there is none and does so. Raises
        what `search` raises.
        """
        found = self.search(question, n=n, mode=mode)
        if not found:
            return []
        texts = list(dict.fromkeys(one.text for one in found))  # copies are read once
        answered = dict(zip(texts, answerer([question] * len(texts), texts), strict=True))
        candidates = [answered[one.text].candidates for one in found]
        saved = self._manifest.calibrations.get(_name_of(answerer))
        calibration = None if saved is None else calibration_from_json(saved)
        return answers_among(answerer.task, found, candidates, calibration)

    def calibrate(
        self,
        questions: Sequence[str],
        answers: Sequence[str | Sequence[str]],
        answerer: Answerer,
        *,
        curve: type[Isotonic] | type[Platt] = Isotonic,
        n: int = 10,
        mode: Mode = _BOTH,
    ) -> Calibration:
        """Learn how often answers are right by their probability, and keep it with the library.

        `answers` has what counts as right for each question, compared as SQuAD does. From then on
        `ask` says the `confidence` of answers by this answerer; it should be asked the same way.
        Raises `DataError` where there is nothing to learn, `MissingExtra` without scikit-learn.
        """
        shares, right = [], []
        for question, expected in zip(questions, answers, strict=True):
            known = [expected] if isinstance(expected, str) else expected
            if found := self.ask(question, answerer, n=n, mode=mode):
                shares.append(found[0].probability)
                right.append(normalised(found[0].text) in map(normalised, known))
        learnt = curve.fit(shares, right)
        with exclusively(self.folder):
            manifest = Manifest.read(self.folder)
            curves = {**manifest.calibrations, _name_of(answerer): learnt.to_json()}
            replace(manifest, calibrations=curves).save(self.folder)
        self._manifest = replace(self._manifest, calibrations=curves)
        return learnt

    def _take(
        self, source: str, changes: Callable[[Contents], tuple[Change, Update]], bar: Bar
    ) -> Update:
        with exclusively(self.folder):
            manifest = Manifest.read(self.folder)  # another process may have changed it
            contents = open_contents(self.folder, manifest)
            remove_others(self.folder, manifest)
            change, update = changes(contents)
            pending = Pending(self.folder / "pending")
            if update.alters:
                parts = without(contents.parts, change.gone)
                if change.fresh:
                    dimensions, similarity = len(manifest.check), manifest.similarity
                    binder = Binder(self._cut, self._embed, dimensions, similarity, pending)
                    part, embedded = binder.part(source, change.fresh, contents, bar)
                    parts, update = [*parts, part], replace(update, embedded=embedded)
                manifest = commit(self.folder, manifest, settled(parts))
                contents = open_contents(self.folder, manifest)
            pending.remove()
            self._manifest, self._contents = manifest, contents
        return update

    def _cut(self, texts: Sequence[str]) -> list[list[tuple[int, int]]]:
        core = self.embedder.tokenizer.core

        def count(texts: Sequence[str]) -> list[int]:
            encoded = core.encode_batch_fast(list(texts), add_special_tokens=False)
            return [len(one.ids) for one in encoded]

        return self._manifest.passages.cut_all(texts, count)

    def _embed(self, texts: Sequence[str], advance: Advance) -> np.ndarray:
        return vectors_of(self.embedder, texts, advance)

    def _ranked(self, query: str, n: int, mode: Mode) -> tuple[np.ndarray, np.ndarray]:
        contents = self._contents
        match mode:
            case ByWords():
                return contents.by_words(query, n)
            case ByMeaning():
                return contents.by_meaning(self._query(query), n)
            case ByBoth(depth, constant):
                depth = max(depth, n)
                by_words, _ = contents.by_words(query, depth)
                by_meaning, _ = contents.by_meaning(self._query(query), depth)
                return fused((by_words, by_meaning), constant, n)
            case Reranked(reranker, first, depth):
                rows, _ = self._ranked(query, max(depth, n), first)
                texts = [contents.passage(row)[3] for row in rows.tolist()]
                order, scores = best(reranker.predict([(query, text) for text in texts]), n)
                return rows[order], scores

    def _query(self, text: str) -> np.ndarray:
        embedder = self.embedder
        return embedder(text, prompt=embedder.sentences.prompts.query)

    def _found(self, number: int, score: float) -> Found:
        place, start, end, text = self._contents.passage(number)
        source, document = self._contents.document(place)
        return Found(score, source, document.id, document.title, text, start, end)

    def _place(self, name: str, source: str | None) -> Place:
        """Return where a document is; raises `DataError` where it is not, or several are."""
        places = self._contents.find(name)
        sources = [self._contents.document(place)[0] for place in places]
        there = [place for place, one in zip(places, sources, strict=True) if source in (None, one)]
        if not there:
            raise DataError(f"{self.folder}: the document {name!r} is not there (any more)")
        if len(there) > 1:
            raise DataError(
                f"{self.folder} has a document {name!r} of several sources, "
                f"{', '.join(map(repr, sources))}; say which is meant"
            )
        return there[0]


def _require_some(n: int) -> None:
    if n < 1:
        raise ConfigError(f"n={n} finds nothing; choose at least 1")


def _name_of(answerer: Answerer) -> str:
    return str(answerer.pretrained.folder)
