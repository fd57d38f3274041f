"""What a library is asked: what it has about something, what is like a document, and answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from manyheads.errors import ConfigError, DataError, TextError
from manyheads.hub.atomic import exclusively
from manyheads.library.answers import Found, FoundAnswer, answers_among
from manyheads.library.calibration import Calibration, Isotonic, Platt
from manyheads.library.confidence import curve_of, with_curve
from manyheads.library.contents import Collected, Contents, Place
from manyheads.library.modes import ByBoth, ByMeaning, ByWords, Mode, Reranked, fused
from manyheads.library.store import Manifest
from manyheads.library.words import best
from manyheads.predict import Answerer, Embedder
from manyheads.tasks.answering.answers import normalised

_BOTH = ByBoth()


class Searched(ABC):
    """Documents that are there, cut into passages: what is found in them."""

    folder: Path
    _manifest: Manifest
    _contents: Contents
    _asked: tuple[Answerer, Sequence[Mapping[str, Any]], Calibration | None] | None = None

    @property
    @abstractmethod
    def embedder(self) -> Embedder:
        """The model that makes the vectors of passages and queries."""

    @property
    def passages(self) -> int:
        """How many passages there are."""
        return self._contents.passages

    def text(self, found: Found) -> str:
        """Return all of the text of the document in which something was found."""
        return self._contents.document(self._place(found.document, found.source))[1].text

    def collected(self) -> Collected:
        """Return all documents that say something, with their ids, texts and mean vectors.

        What they are about and what they say twice follows from it: ``mh.topics(all.texts,
        all.vectors)``, and so for `mh.duplicates`.
        """
        return self._contents.collected()

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
        return answers_among(answerer.task, found, candidates, self._curve(answerer))

    @property
    def has_confidences(self) -> bool:
        """Whether `calibrate` has learnt how sure to be of some model's answers."""
        return bool(self._manifest.calibrations)

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
        `ask` says the `confidence` of answers by this model, wherever it lies; it should be asked
        the same way. Raises `DataError` where there is nothing to learn, `MissingExtra` without
        scikit-learn.
        """
        if len(questions) != len(answers):
            raise DataError(
                f"{len(questions)} questions and {len(answers)} answers; give one for each, or a "
                "list of several that are right"
            )
        shares, right = [], []
        for question, expected in zip(questions, answers, strict=True):
            known = [expected] if isinstance(expected, str) else expected
            if found := self.ask(question, answerer, n=n, mode=mode):
                shares.append(found[0].probability)
                right.append(normalised(found[0].text) in map(normalised, known))
        learnt = curve.fit(shares, right)
        with exclusively(self.folder):
            manifest = Manifest.read(self.folder)
            curves = with_curve(answerer, learnt, manifest.calibrations)
            replace(manifest, calibrations=curves).save(self.folder)
        self._manifest = replace(self._manifest, calibrations=curves)
        return learnt

    def _curve(self, answerer: Answerer) -> Calibration | None:
        """Return the curve for a model; it is looked for once, as the same one asks many times."""
        saved = self._manifest.calibrations
        if not saved:
            return None
        if self._asked is None or self._asked[0] is not answerer or self._asked[1] is not saved:
            self._asked = answerer, saved, curve_of(answerer, saved)
        return self._asked[2]

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
