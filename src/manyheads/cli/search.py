"""`manyheads search`, `ask` and `similar`: what a library has for a query or a document."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from manyheads.cli import options
from manyheads.cli.opening import device_of, opened_as
from manyheads.cli.output import notice, show

if TYPE_CHECKING:
    from manyheads.library import ByBoth, ByMeaning, ByWords, Found, FoundAnswer
    from manyheads.library.modes import Mode

_SHOWN = 300  # characters of a passage
_AROUND = 80  # characters on either side of an answer


class Way(StrEnum):
    """How a library is searched."""

    BOTH = "both"
    WORDS = "words"
    MEANING = "meaning"

    @property
    def mode(self) -> ByWords | ByMeaning | ByBoth:
        """What the library calls it."""
        from manyheads.library import ByBoth, ByMeaning, ByWords

        match self:
            case Way.BOTH:
                return ByBoth()
            case Way.WORDS:
                return ByWords()
            case Way.MEANING:
                return ByMeaning()


Folder = Annotated[
    str, typer.Argument(metavar="LIBRARY", help="The folder that `manyheads index` wrote.")
]
Query = Annotated[str, typer.Argument(metavar="QUERY", help="What is looked for.")]
Question = Annotated[str, typer.Argument(metavar="QUESTION", help="What is to be answered.")]
Document = Annotated[
    str, typer.Argument(metavar="DOCUMENT", help="Its id, as `manyheads search` says it.")
]
Documents = Annotated[int, typer.Option("-n", min=1, help="Documents that are found.")]
Source = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Where the document comes from, if several have its id."),
]
By = Annotated[
    Way, typer.Option("--by", help="By words (no model is opened), by meaning, or by both.")
]
Passages = Annotated[int, typer.Option("-n", min=1, help="Passages that are found.")]
Read = Annotated[int, typer.Option("-n", min=1, help="Passages that are read.")]
Answers = Annotated[int, typer.Option(min=1, help="Answers that are shown.")]
Model = Annotated[
    str | None,
    typer.Option(metavar="REF", help="The model of the library, where it has moved."),
]
RerankerModel = Annotated[
    str | None,
    typer.Option(
        "--reranker",
        metavar="DIR",
        help="A cross-encoder that reads the best 50 passages with the query, and orders them.",
    ),
]
AnswererModel = Annotated[
    str,
    typer.Option("--answerer", metavar="DIR", help="A model that finds answers, as trained."),
]


def search(
    library: Folder,
    query: Query,
    n: Passages = 10,
    by: By = Way.BOTH,
    reranker: RerankerModel = None,
    model: Model = None,
    device: options.Device = None,
    half: options.Half = False,
    as_json: options.Json = False,
) -> None:
    """Find the passages of a library that say most of something.

    \b
    Examples:
      manyheads search papers-library "attention without padding"
      manyheads search papers-library "图书馆" --by words -n 3 --json
      manyheads search papers-library "who invented dropout?" --reranker relevance-model
    """
    from manyheads.library import Library

    opened = Library.open(library, embedder=model, device=device_of(device), half=half)
    found = opened.search(query, n=n, mode=_mode(by, reranker, device))
    lines = "\n".join(map(_passage, found)) or "(nothing found)"
    show(lines, {"passages": [asdict(one) for one in found]}, as_json)


def ask(
    library: Folder,
    question: Question,
    answerer: AnswererModel,
    n: Read = 10,
    answers: Answers = 3,
    by: By = Way.BOTH,
    reranker: RerankerModel = None,
    model: Model = None,
    device: options.Device = None,
    half: options.Half = False,
    as_json: options.Json = False,
) -> None:
    """Answer a question from the documents of a library.

    \b
    Examples:
      manyheads ask papers-library "Who invented dropout?" --answerer answers-model
    """
    from manyheads.library import Library
    from manyheads.predict import Answerer

    opened = Library.open(library, embedder=model, device=device_of(device), half=half)
    reader = opened_as(Answerer, answerer, device, "finds no answers in texts")
    reader = reader.halved() if half else reader
    found = opened.ask(question, reader, n=n, mode=_mode(by, reranker, device))[:answers]
    if found and found[0].confidence is None and opened.has_confidences:
        notice("how sure to be was learnt for another model; its own probabilities are shown")
    lines = "\n".join(map(_answer, found)) or "(no answer)"
    show(lines, {"answers": [asdict(one) for one in found]}, as_json)


def similar(
    library: Folder,
    document: Document,
    n: Documents = 10,
    source: Source = None,
    as_json: options.Json = False,
) -> None:
    """Find the documents of a library that are most like one of them.

    \b
    Examples:
      manyheads similar papers-library attention.pdf
    """
    from manyheads.library import Library

    found = Library.open(library).similar(document, n, source=source)
    lines = "\n".join(map(_passage, found)) or "(no other document)"
    show(lines, {"documents": [asdict(one) for one in found]}, as_json)


def _mode(by: Way, reranker: str | None, device: str | None) -> Mode:
    from manyheads.library import Reranked
    from manyheads.predict import Reranker

    if reranker is None:
        return by.mode
    return Reranked(Reranker.open(reranker, device=device_of(device)), by.mode)


def _passage(found: Found) -> str:
    return f"{found.score:.4f}\t{found.document}:{found.start}-{found.end}\t{_line(found.text)}"


def _answer(found: FoundAnswer) -> str:
    """Return an answer with what stands around it."""
    passage = found.passage
    start, end = found.start - passage.start, found.end - passage.start
    before = passage.text[max(0, start - _AROUND) : start]
    behind = passage.text[end : end + _AROUND]
    text, around = map(_line, (found.text, f"{before}[{found.text}]{behind}"))
    sure = found.probability if found.confidence is None else found.confidence
    return f"{sure:.3f}\t{text}\t{passage.document}:{found.start}-{found.end}\t{around}"


def _line(text: str) -> str:
    """Return a text in one line, and not all of a very long one."""
    text = " ".join(text.split())
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
