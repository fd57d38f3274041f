"""What a worker does with a model that writes: orders come and go while others are written.

take ─→ commission: requests ─→ engine ─ step ─→ news: pieces, and what it comes to in the end
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import torch

from manyheads.errors import ManyHeadsError
from manyheads.generate import Engine, News, TextStream
from manyheads.serve.desk import reading_card
from manyheads.serve.orders import Writing
from manyheads.text import Cleaning, Head
from manyheads.text.sentences import sentences
from manyheads.writer import Document, Wording, Written
from manyheads.writer import Generator as Model
from manyheads.writer.documents import Plan, summarizing, summary, translating, translation
from manyheads.writer.settle import Asked

Said = dict[str, Any]
# What an order needs to be written next, the outputs of each of these, and what it comes to.
Course = Generator[list[Asked], list[list[Written]] | None, Said]
Told = tuple[int, str, Any]  # of which order, what kind of news, and the news

_NAME = "the text"


@dataclass(eq=False)
class Commission:
    """An order in work, and what it waits for now: outputs by their place among those asked for."""

    number: int
    engine: Engine
    course: Course
    streams: bool
    asked: list[Asked] = field(default_factory=list)
    tickets: dict[int, int] = field(default_factory=dict)
    outputs: dict[int, list[Written]] = field(default_factory=dict)
    stream: TextStream | None = None


class WritingDesk:
    """A model that writes for many at once.

    `clean` makes texts what training saw, `usual` is how it writes unless it is told otherwise.
    """

    def __init__(
        self, model: Model, card: Said, clean: Callable[[str], str], usual: Mapping[str, Any]
    ) -> None:
        self.card = card
        self._model = model
        self._clean = clean
        self._usual = dict(usual)
        self._engines: dict[frozenset[int], Engine] = {}  # tasks of a model may end otherwise
        self._commissions: dict[int, Commission] = {}
        self._owners: dict[tuple[Engine, int], Commission] = {}
        self._told: list[Told] = []

    @property
    def is_busy(self) -> bool:
        """Whether there is something to write, or to tell."""
        return bool(self._commissions or self._told)

    def take(self, order: Mapping[str, Any]) -> None:
        """Begin with an order; what is wrong with it, the next news say."""
        torch.set_num_threads(order["threads"])
        number = order["job"]
        try:
            wording = Wording.of_fields({**self._usual, **order["wording"]})
            engine, course = self._engine(wording), self._course(order, wording)
            commission = Commission(number, engine, course, order["streams"])
            self._commissions[number] = commission
            self._go_on(commission, None)
        except ManyHeadsError as error:
            self._fail(number, error)

    def forget(self, number: int) -> None:
        """Let an order be, wherever it is."""
        commission = self._commissions.pop(number, None)
        for ticket in commission.tickets if commission is not None else ():
            assert commission is not None
            commission.engine.cancel(ticket)
            self._owners.pop((commission.engine, ticket), None)

    def clear(self) -> None:
        """Let all orders be."""
        for engine in self._engines.values():
            engine.clear()
        self._commissions.clear()
        self._owners.clear()
        self._told.clear()

    def step(self) -> tuple[list[Told], int]:
        """Write one token more of each order; return the news, and how many tokens that were.

        Raises what fails all of them at once, such as memory that runs out; then `clear` it.
        """
        tokens = 0
        for engine in self._engines.values():
            for news in engine.step() if engine.busy else ():
                tokens += len(news.tokens)
                if (owner := self._owners.get((engine, news.ticket))) is not None:
                    self._hear(owner, news)
        told, self._told = self._told, []
        return told, tokens

    def _engine(self, wording: Wording) -> Engine:
        ends = self._model.writing(wording).ends
        if ends not in self._engines:
            self._engines[ends] = self._model.engine(wording)
        return self._engines[ends]

    def _go_on(self, commission: Commission, outputs: list[list[Written]] | None) -> None:
        """Let an order say what it needs next, or what it comes to."""
        try:
            commission.asked = commission.course.send(outputs)
        except StopIteration as over:
            del self._commissions[commission.number]
            self._told.append((commission.number, "done", over.value))
            return
        commission.tickets.clear()
        commission.outputs.clear()
        for place, one in enumerate(commission.asked):
            ticket = commission.engine.add(one.request)
            commission.tickets[ticket] = place
            self._owners[commission.engine, ticket] = commission
        if commission.streams:
            commission.stream = self._model.text_stream(commission.asked[0])
        if not commission.asked:
            self._go_on(commission, [])

    def _hear(self, commission: Commission, news: News) -> None:
        """Tell what an engine has written of an order, and go on with it."""
        stream = commission.stream
        if stream is not None and (piece := stream.add(news.tokens)):
            self._told.append((commission.number, "piece", piece))
        if not news.is_last:
            return
        del self._owners[commission.engine, news.ticket]
        place = commission.tickets.pop(news.ticket)
        if news.error is not None:
            self._fail(commission.number, news.error)
            return
        if stream is not None and (piece := stream.end()):
            self._told.append((commission.number, "piece", piece))
        asked, found = commission.asked[place], news.result().hypotheses
        commission.outputs[place] = [self._model.written(asked, one) for one in found]
        if not commission.tickets:
            outputs = [commission.outputs[at] for at in range(len(commission.asked))]
            try:
                self._go_on(commission, outputs)
            except ManyHeadsError as error:
                self._fail(commission.number, error)

    def _fail(self, number: int, error: ManyHeadsError) -> None:
        self.forget(number)
        self._told.append((number, "error", [type(error).__name__, str(error)]))

    def _course(self, order: Mapping[str, Any], wording: Wording) -> Course:
        """Return what is to be done for an order."""
        model, given = self._model, order["given"]
        match Writing(order["do"]):
            case Writing.OUTPUT:
                (asked,) = model.requests([self._clean(given)], wording)
                return _output(asked)
            case Writing.REPLY:
                return _output(self._unlimited(model.reply_request(given, wording), wording))
            case Writing.TRANSLATION:
                wording = translating(model, wording)
                plan = translation(sentences(self._clean(given)))
            case Writing.SUMMARY:
                wording = summarizing(model, wording)
                plan = summary(model, self._clean(given), _NAME, wording)
        return self._document(plan, wording)

    def _unlimited(self, asked: Asked, wording: Wording) -> Asked:
        """Let a reply be as long as there is room for, where nobody says how long it may be."""
        known = wording.max_tokens or self._model.writing(wording).max_tokens
        if known is not None:
            return asked
        request = asked.request
        room = self._model.model.transformer.spec.max_tokens + 1 - len(request.prompt)
        settings = replace(request.settings, max_tokens=room)
        return replace(asked, request=replace(request, settings=settings))

    def _document(self, plan: Plan, wording: Wording) -> Course:
        read, parts = 0, next(plan)
        while True:
            asked = self._model.requests(parts, wording, [_NAME] * len(parts))
            read += sum(map(_read, asked))
            outputs = yield asked
            assert outputs is not None
            try:
                parts = plan.send([some[0] for some in outputs])
            except StopIteration as over:
                return _document_said(over.value, read)


def writing_desk(
    generator: Model,
    clean: Callable[[str], str] = str,
    usual: Mapping[str, Any] = MappingProxyType({}),
) -> WritingDesk:
    """Return the desk of a model that writes: of texts cleaned, and as is usual, if not told."""
    card = {
        "kind": "writing",
        "reads": generator.reads,
        "chats": generator.chats,
        "tasks": list(generator.tasks),
        "languages": sorted(generator.languages.framing),
        "max_tokens": generator.settings().max_tokens,
        **reading_card(
            generator.model.require_tokenizer(),
            Cleaning(unicode=False, controls=False),
            Head(generator.longest),
        ),
    }
    return WritingDesk(generator, card, clean, usual)


def _output(asked: Asked) -> Course:
    found = yield [asked]
    assert found is not None
    outputs = [
        {
            "text": one.text,
            "tokens": one.tokens,
            "log_probs": one.log_probs,
            "score": one.score,
            "finish": one.finish.value,
        }
        for one in found[0]
    ]
    return {
        "outputs": outputs,
        "read": _read(asked),
        "written": sum(len(one.tokens) for one in found[0]),
        "truncated": asked.truncated,
    }


def _document_said(document: Document, read: int) -> Said:
    return {
        "text": document.text,
        "read": read,
        "written": sum(len(part.tokens) for part in document.parts),
        "truncated": document.truncated,
        "unfinished": document.unfinished,
    }


def _read(asked: Asked) -> int:
    """Return how many tokens a model reads of a text."""
    request = asked.request
    return len(request.prompt if request.source is None else request.source)
