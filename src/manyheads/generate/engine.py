"""The engine: all requests in work share each step of the decoder, and join and leave between.

    add ─→ waiting ─ prefill ─→ work ─ step, step, … ─→ news of every step, outputs at last

What a request gets does not depend on its companions. What goes wrong with one of them its own news
say; only what fails a whole pass is raised.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor

from manyheads.core.cache import Cache
from manyheads.core.layout import Layout
from manyheads.errors import GenerationError
from manyheads.generate.constraints import Rules
from manyheads.generate.lookup import Lookup
from manyheads.generate.offers import Offers, offers_of
from manyheads.generate.request import News, Output, Request, Writer
from manyheads.generate.sampling import Uniforms
from manyheads.generate.score import Given, align, coverage, score
from manyheads.generate.search import Hypothesis, Path, search_for
from manyheads.generate.settings import Beam
from manyheads.generate.speculate import Draft
from manyheads.generate.work import Guess, Job, Work

_LOGITS = 128  # rows of logits at once: enough for a matrix product at full speed


class Engine:
    """Writes for any number of requests at once; each call of `step` goes on by one token.

    At most `max_rows` sequences are in work at once, beams and samples counted, and at most
    `prefill_tokens` of prompts and sources are read at once; further requests wait for their turn.
    A request that needs more than that has the engine to itself. With a `draft`, single paths go on
    by several tokens a step; what is written is the same.

    Raises `GenerationError` for a model without a decoder, or a draft of another vocabulary.
    """

    def __init__(
        self,
        writer: Writer,
        max_rows: int = 256,
        prefill_tokens: int = 8192,
        draft: Draft | Lookup | None = None,
    ) -> None:
        if max_rows < 1:
            raise GenerationError(f"max_rows={max_rows} is below 1; choose at least 1")
        decoder = writer.transformer.decoder
        if decoder is None or not writer.transformer.can_write:
            raise GenerationError(
                "this model has no decoder, so that it cannot write; choose a GPT, Llama, T5, BART"
            )
        self.writer = writer
        self.max_rows = max_rows
        self.prefill_tokens = prefill_tokens
        self._layers = len(decoder.blocks)
        self._waiting: deque[tuple[int, Request]] = deque()
        self._work = self._idle()
        self._news: list[News] = []  # not told yet, because a pass failed
        self._guesser = None if draft is None else draft.guesser(writer)
        self._tickets = 0

    @property
    def busy(self) -> bool:
        """Whether any request waits or is in work, or there is news of one."""
        return bool(self.tickets)

    @property
    def tickets(self) -> list[int]:
        """All requests whose last news is still to come, as they were added: none is ever lost."""
        waiting = [ticket for ticket, _ in self._waiting]
        return sorted({*waiting, *self._work.tickets, *(news.ticket for news in self._news)})

    def add(self, request: Request) -> int:
        """Let a request wait for its turn; return the ticket that its news will name.

        Raises `GenerationError` for what this model cannot do: the request is not let in, and
        nothing happens to the others.
        """
        request.check(self.writer, request.called(self._tickets))
        self._waiting.append((self._tickets, request))
        self._tickets += 1
        return self._tickets - 1

    def longest_first(self) -> None:
        """Let those that wait have their turn by the length of source or prompt."""
        size = {ticket: len(one.source or one.prompt) for ticket, one in self._waiting}
        self._waiting = deque(sorted(self._waiting, key=lambda one: -size[one[0]]))

    @torch.inference_mode()
    def cancel(self, ticket: int) -> None:
        """Forget a request, wherever it is, with all that is remembered of it: no news of it comes.

        Of one that is over nothing is left to forget.
        """
        self._waiting = deque(one for one in self._waiting if one[0] != ticket)
        self._news = [news for news in self._news if news.ticket != ticket]
        self._work.drop(ticket)
        self._forget_others()

    def clear(self) -> list[int]:
        """Forget all requests; return their tickets. The engine is as it was when it was new."""
        tickets = self.tickets
        self._waiting.clear()
        self._news.clear()
        self._work = self._idle()
        self._forget_others()
        return tickets

    @torch.inference_mode()
    def step(self) -> list[News]:
        """Go on by one token with all that is in work, then let in what there is room for.

        A request for which the model gives no numbers, whose constraints leave no token, or whose
        tokens cannot be spelled ends with an `error` in its news; the others go on as without it.

        Raises what fails a pass as a whole, such as memory that runs out. Then no request is lost:
        the next step brings an `error` for each that was in the pass, those in work or those just
        let in, and goes on with the others; `tickets` still names them all, `clear` drops them.
        """
        try:
            self._go_on()
            self._let_in()
        finally:
            self._forget_others()
        news, self._news = self._news, []
        return news

    def _go_on(self) -> None:
        """Decode with all that is in work; what fails on the way is no longer in work."""
        work, self._work = self._work, self._idle()
        if work.jobs:
            with self._telling(work.names):
                self._news += self._decoded(work)
        self._work = work

    def _let_in(self) -> None:
        """Read what there is room for, and take it into work."""
        admitted = self._admitted()
        if not admitted:
            return
        with self._telling({ticket: one.called(ticket) for ticket, one in admitted}):
            fresh, news = self._prefilled(admitted)
        self._news += news
        work, self._work = self._work, self._idle()
        with self._telling(work.names | fresh.names):
            work.join(fresh)
        self._work = work

    @contextmanager
    def _telling(self, names: Mapping[int, str]) -> Iterator[None]:
        """Keep news for each of these requests where what is done for all of them fails.

        `names` are what messages call them, by their tickets.
        """
        try:
            yield
        except BaseException as error:
            self._news += [News(one, error=_failed(name, error)) for one, name in names.items()]
            raise

    def _forget_others(self) -> None:
        """Let what guesses remember those in work alone."""
        if self._guesser is not None:
            self._guesser.keep(self._work.tickets)

    def _idle(self) -> Work:
        return Work([], Cache(self._layers))

    def _admitted(self) -> list[tuple[int, Request]]:
        """Take from those that wait as many as there is room for: at least one if all is idle."""
        admitted: list[tuple[int, Request]] = []
        rows, tokens = self._work.width, 0
        while self._waiting:
            _, request = self._waiting[0]
            rows += request.settings.width
            tokens += len(request.prompt) + len(request.settings.prefix) + len(request.source or ())
            if admitted and tokens > self.prefill_tokens:
                break
            if rows > self.max_rows and (admitted or self._work.jobs):
                break
            admitted.append(self._waiting.popleft())
        return admitted

    def _decoded(self, work: Work) -> list[News]:
        """Go on by one token, or by as many as are guessed right and one more."""
        transformer = self.writer.transformer
        guesses = self._guesser.guess(work.jobs) if self._guesser else [()] * work.rows
        texts = work.next_tokens(guesses)
        layout = work.cache.next([len(text) for text in texts], transformer.device)
        ids_T = torch.tensor([token for text in texts for token in text], device=transformer.device)
        readers = None if work.memory is None else work.readers(guesses, transformer.device)
        hidden_TD = transformer.decode(ids_T, layout, work.memory, readers, work.cache)
        return self._chosen(work, hidden_TD, guesses)

    def _prefilled(self, admitted: Sequence[tuple[int, Request]]) -> tuple[Work, list[News]]:
        """Read sources and prompts of new requests, and choose their first tokens."""
        transformer = self.writer.transformer
        requests = [request for _, request in admitted]
        memory = self.writer.remember([request.source for request in requests], lasts=True)
        texts = [(*request.prompt, *request.settings.prefix) for request in requests]
        ids_T, layout = Layout.flatten(texts, transformer.device)
        cache = Cache(self._layers)
        hidden_TD = transformer.decode(ids_T, layout, memory, None, cache)
        begun = _begun(self.writer, requests)
        jobs = [self._job(*one, path) for one, path in zip(admitted, begun, strict=True)]
        # Samples, and groups of beams, begin as equals.
        rows = [i for i, job in enumerate(jobs) for _ in job.search.live]
        cache.select(rows)
        work = Work(jobs, cache, memory)
        last_RD = hidden_TD[layout.offsets[1:] - 1][rows]
        return work, self._chosen(work, last_RD, [()] * work.rows)

    def _job(self, ticket: int, request: Request, begun: Path) -> Job:
        settings = request.settings
        rules = Rules(settings, self.writer.ends)
        search = search_for(begun, rules, request.ending(self.writer))
        samples = 0 if isinstance(settings.strategy, Beam) else settings.n_best
        uniforms = [Uniforms(settings.seed, sample) for sample in range(samples)]
        return Job(ticket, request, rules, search, uniforms)

    def _chosen(self, work: Work, hidden_TD: Tensor, guesses: Sequence[Guess]) -> list[News]:
        """Let the searches choose what follows each path; return what that is news of."""
        views = work.views(guesses)
        offers: list[Offers] = []
        for start in range(0, len(views), _LOGITS):  # a vocabulary is wide
            part = slice(start, start + _LOGITS)
            logits_RV = self.writer.transformer.logits(hidden_TD[part]).float()
            offers += offers_of(logits_RV, views[part])
        over = work.advance(offers, guesses)
        news = [News(job.ticket, tokens) for job in work.jobs if (tokens := job.tell())]
        return news + [self._last_news(job) for job in over]

    def _last_news(self, job: Job) -> News:
        if job.error is not None:
            return News(job.ticket, job.tell(), error=job.error)
        output = Output(tuple(self._ranked(job)[: job.request.settings.n_best]))
        return News(job.ticket, output.best.tokens[job.told :], output)

    def _ranked(self, job: Job) -> list[Hypothesis]:
        """Return the outputs of a search, best first, with what they do not cover counted."""
        outputs, strategy = job.search.outputs, job.request.settings.strategy
        if not isinstance(strategy, Beam) or not strategy.coverage_penalty:
            return outputs
        request = job.request
        given = [Given(request.prompt, one.tokens, request.source) for one in outputs]
        covered = [coverage(alignment) for alignment in align(self.writer, given)]
        outputs = [
            replace(one, score=one.score + strategy.coverage_penalty * value)
            for one, value in zip(outputs, covered, strict=True)
        ]
        return sorted(outputs, key=lambda one: -one.score)


def generate(
    writer: Writer,
    requests: Sequence[Request],
    *,
    max_rows: int = 256,
    draft: Draft | Lookup | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> list[Output]:
    """Return what is written for each request, in their order.

    The longest sources and prompts are read first; `progress` is told of every finished number.
    Raises `GenerationError` for what this model cannot do, before anything is written, and for the
    first request that ends with an error, as soon as it does: there is no list without it. An
    `Engine` goes on with the others.
    """
    engine = Engine(writer, max_rows, draft=draft)
    for request in requests:
        engine.add(request)
    engine.longest_first()
    outputs: dict[int, Output] = {}
    while engine.busy:
        for news in engine.step():
            if news.is_last:
                outputs[news.ticket] = news.result()
                progress(1)
    return [outputs[ticket] for ticket in range(len(requests))]


def _failed(name: str, error: BaseException) -> GenerationError:
    """Return the error of a request in a pass that failed; it keeps nothing of the pass alive."""
    return GenerationError(
        f"{name}: {type(error).__name__} ended all that were written in one pass "
        f"({error}); ask again, with fewer at once (max_rows, prefill_tokens) if memory ran out"
    )


def _begun(writer: Writer, requests: Sequence[Request]) -> list[Path]:
    """Return what each output begins with: its prefix, scored by the model."""
    prefixed = [i for i, request in enumerate(requests) if request.settings.prefix]
    given = [
        Given(requests[i].prompt, requests[i].settings.prefix, requests[i].source) for i in prefixed
    ]
    paths = [Path()] * len(requests)
    for i, log_probs in zip(prefixed, score(writer, given), strict=True):
        paths[i] = Path(requests[i].settings.prefix, log_probs, sum(log_probs))
    return paths
