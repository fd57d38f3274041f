"""Answers to texts: printed line by line, as one JSON document, or behind a table's columns."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from manyheads.cli import tables
from manyheads.cli.output import notice, show, write
from manyheads.errors import DataError

if TYPE_CHECKING:
    from manyheads.data import Table
    from manyheads.writer import Document, Wording, Written
    from manyheads.writer.results import Stream

_MANY = 20  # texts from which on progress is worth a line


@dataclass(frozen=True)
class Read:
    """Texts, the table that they are a column of, and what each is called in messages."""

    columns: tables.Columns
    texts: list[str]
    names: list[str]
    table: Table | None = None

    @property
    def filled(self) -> list[int]:
        """The numbers of the texts that are not blank."""
        return [number for number, text in enumerate(self.texts) if text.strip()]

    @property
    def alone(self) -> bool:
        """Whether this is one text, which may be answered on several lines."""
        return len(self.texts) == 1 and self.table is None


@dataclass(frozen=True)
class Answer:
    """What is said of one text.

    Attributes:
        lines: For a person.
        columns: For a table, the answer itself first.
        details: What a JSON document says besides.
        truncated: How many tokens of the text the model did not see.
        unfinished: Whether the output might have gone on beyond a limit that nobody asked for.
    """

    lines: Sequence[str]
    columns: Mapping[str, Any]
    details: Mapping[str, Any] = field(default_factory=dict)
    truncated: int = 0
    unfinished: bool = False


Answering = Callable[[Sequence[str], Sequence[str]], Iterator[Answer]]  # of texts and their names


def answer(
    read: Read,
    answering: Answering,
    columns: Mapping[str, Any],
    *,
    out: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Print the answers, or write them as a table to `out`; blank texts get blank answers.

    `columns` are those of every answer, with what stands there of a blank text: of the same type,
    or None. Lines are printed as soon as those in front of them are.
    """
    taken = [name for name in columns if name in read.columns]
    if out is not None and taken:
        raise DataError(
            f"the table already has a column {taken[0]!r}, which would be lost; rename it first"
        )
    filled = read.filled
    answers = answering([read.texts[i] for i in filled], [read.names[i] for i in filled])
    blank = Answer([""], columns)
    collected: list[Answer] = []
    lines_now = out is None and not as_json
    with _progress(len(filled), quiet or (lines_now and sys.stdout.isatty())) as advance:
        for text in read.texts:
            one = next(answers) if text.strip() else blank
            collected.append(one)
            if text.strip():
                advance(1)
            if lines_now:
                write("".join(f"{line}\n" for line in one.lines))
    _say_what_was_cut(collected, len(filled), quiet)
    rows = [{name: one.columns[name] for name in columns} for one in collected]
    if out is not None:
        added = {name: [row[name] for row in rows] for name in columns}
        tables.write_any({**read.columns, **added}, out)
        if out != tables.PIPE:
            cut = sum(1 for one in collected if one.truncated)
            document = {"out": out, "rows": len(rows), "truncated": cut}
            show(f"{len(rows):,} rows in {out}", document, as_json)
    elif as_json:
        documents = [
            {"text": text, **row, **one.details}
            for text, row, one in zip(read.texts, rows, collected, strict=True)
        ]
        show("", {"answers": documents}, as_json)


def answer_documents(
    read: Read,
    name: str,
    wording: Wording,
    *,
    documents: Callable[[Sequence[str], Sequence[str]], Iterator[Document]],
    outputs: Callable[[Sequence[str], Sequence[str]], Iterator[Sequence[Written]]],
    out: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Answer under `name` with what is written for each text as a document of any length.

    Where several outputs are asked for, they are `outputs` of the texts as they stand.
    """

    def answering(texts: Sequence[str], names: Sequence[str]) -> Iterator[Answer]:
        if wording.n_best > 1:
            for some in outputs(texts, names):
                yield of_outputs(some, name, wording, one_line=not read.alone)
        else:
            for document in documents(texts, names):
                yield of_document(document, name, wording, one_line=not read.alone)

    columns = of_blank(name, wording) if wording.n_best > 1 else {name: "", "truncated": None}
    answer(read, answering, columns, out=out, quiet=quiet, as_json=as_json)


def of_outputs(
    outputs: Sequence[Written], name: str, wording: Wording, *, one_line: bool
) -> Answer:
    """Return the outputs for a text as an answer under `name`."""
    said = [_flat(one.text) if one_line else one.text.strip() for one in outputs]
    best = outputs[0]
    several = wording.n_best > 1
    return Answer(
        lines=[
            f"{one.score:.4f}\t{text}" if several else text
            for one, text in zip(outputs, said, strict=True)
        ],
        columns={
            name: [one.text for one in outputs] if several else best.text,
            "score": [one.score for one in outputs] if several else best.score,
            "truncated": best.truncated,
        },
        details={"outputs": [_facts(one) for one in outputs]},
        truncated=best.truncated,
        unfinished=wording.max_tokens is None and best.finish.value == "length",
    )


def of_blank(name: str, wording: Wording) -> dict[str, Any]:
    """Return the columns of `of_outputs` for a blank text: no outputs, or a blank one."""
    if wording.n_best > 1:
        return {name: [], "score": [], "truncated": None}
    return {name: "", "score": None, "truncated": None}


def of_document(document: Document, name: str, wording: Wording, *, one_line: bool) -> Answer:
    """Return what was written for a document as an answer under `name`."""
    return Answer(
        lines=[_flat(document.text) if one_line else document.text],
        columns={name: document.text, "truncated": document.truncated},
        details={"parts": [_facts(one) for one in document.parts]},
        truncated=document.truncated,
        unfinished=wording.max_tokens is None and document.unfinished > 0,
    )


def show_stream(stream: Stream, pieces: list[str] | None = None, shows: bool = True) -> Written:
    """Print an output as it is written, without white space before it; return it whole.

    `pieces` collects what was written, also where an interruption ends it.
    """
    pieces = [] if pieces is None else pieces
    while True:
        try:
            piece = next(stream)
        except StopIteration as end:
            written: Written = end.value
            return written
        if not pieces:
            piece = piece.lstrip()
        if piece:
            pieces.append(piece)
            if shows:
                write(piece)


def _facts(written: Written) -> dict[str, Any]:
    return {
        "text": written.text,
        "score": written.score,
        "finish": written.finish.value,
        "tokens": list(written.tokens),
        "log_probs": list(written.log_probs),
    }


def _flat(text: str) -> str:
    r"""Return an output as one line: what breaks lines is written as \n, so that lines stay."""
    return "\\n".join(text.strip().splitlines())


def _say_what_was_cut(answers: Sequence[Answer], texts: int, quiet: bool) -> None:
    cut = sum(1 for one in answers if one.truncated)
    if cut:
        notice(f"{cut:,} of {texts:,} texts were longer than the model reads, and were cut", quiet)
    unfinished = sum(1 for one in answers if one.unfinished)
    if unfinished:
        notice(
            f"{unfinished:,} of {texts:,} outputs ended because they might not be longer; "
            "--max-tokens allows more",
            quiet,
        )


@contextmanager
def _progress(texts: int, quiet: bool) -> Iterator[Callable[[int], None]]:
    """Show a bar over many texts; the block gets what each finished number is told to."""
    if quiet or texts < _MANY:
        yield lambda _: None
        return
    from manyheads.train.progress import Reporter

    with Reporter().rows("writing", texts) as advance:
        yield advance
