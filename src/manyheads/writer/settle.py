"""From wording to requests: texts become tokens, and what is left open is settled.

encoder-decoder   source = languages + instruction + text, framed     prompt = what a decoder starts
decoder alone     prompt = the text, or a dialogue with it, framed    the output goes on with it
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

from manyheads.errors import GenerationError
from manyheads.generate import Request, Settings
from manyheads.generate.phrases import Phrase
from manyheads.hub import Pretrained
from manyheads.hub.generation import Writing
from manyheads.text import Encoded, Head, Message, Tail, Truncation
from manyheads.text.languages import Languages
from manyheads.writer.phrases import banned_variants, exact, required_variant
from manyheads.writer.wording import Wording

_Value = TypeVar("_Value")


@dataclass(frozen=True)
class Prompt:
    """What an output stands behind, and what it is written from."""

    tokens: Sequence[int]
    source: Sequence[int] | None = None


@dataclass(frozen=True)
class Asked:
    """A request, and how many tokens of its text were cut."""

    request: Request
    truncated: int = 0


@dataclass(frozen=True)
class Settler:
    """Settles what one wording leaves open, for texts or dialogues of one model.

    `longest` is the most tokens of a text. Raises `GenerationError` for what cannot be met.
    """

    model: Pretrained
    writing: Writing
    languages: Languages
    wording: Wording
    longest: int

    @property
    def reads(self) -> bool:
        """Whether the model reads a source: an encoder-decoder."""
        return self.model.transformer.encoder is not None

    def texts(self, texts: Sequence[str], names: Sequence[str] = ()) -> list[Asked]:
        """Return a request for each text; raises what is wrong before anything is written.

        `names` are what the texts are called in messages; otherwise they are counted.
        """
        names = names or _counted(texts)
        return [self._asked(one, name) for one, name in zip(self._read(texts), names, strict=True)]

    def prompts(self, texts: Sequence[str], names: Sequence[str]) -> list[Prompt]:
        """Return what an output of each text stands behind, whatever it will be."""
        return [self._prompt(one, name) for one, name in zip(self._read(texts), names, strict=True)]

    def dialogue(self, messages: Sequence[Message]) -> Asked:
        """Return a request for the reply to a dialogue."""
        (encoded,) = self._encoded([self._rendered(messages)], frame=False)
        return self._asked(encoded, "the dialogue")

    def fits(self, text: str) -> bool:
        """Whether a text can be read whole, with room for what is to be written."""
        (encoded,) = self._read([text])
        return encoded.tokens <= self._room()

    def fits_dialogue(self, messages: Sequence[Message]) -> bool:
        """Whether a dialogue can be read whole, with room for a reply."""
        (encoded,) = self._encoded([self._rendered(messages)], frame=False)
        return encoded.tokens <= self._room()

    def _read(self, texts: Sequence[str]) -> list[Encoded]:
        """Return texts with what is to be done with them, as tokens."""
        instruction = self.wording.instruction
        if self.reads or instruction is None:
            instruction = self.writing.instruction if instruction is None else instruction
            return self._encoded([f"{instruction}{text}" for text in texts], frame=True)
        asking = [f"{instruction}\n\n{text}" if instruction else text for text in texts]
        messages = [[{"role": "user", "content": one}] for one in asking]
        return self._encoded([self._rendered(one) for one in messages], frame=False)

    def _rendered(self, messages: Sequence[Message]) -> str:
        template = self.model.require_tokenizer().chat_template
        if template is None or self.reads:
            raise GenerationError(
                "this model has no chat template, so that it knows no dialogues or instructions; "
                "choose one that was taught to chat, often called Instruct"
            )
        return template.render(messages)

    def _encoded(self, texts: Sequence[str], frame: bool) -> list[Encoded]:
        tokenizer, cut = self.model.require_tokenizer(), self.wording.truncate
        truncation: Truncation | None = None
        if cut:
            # What a prompt ends with is what an output goes on with.
            truncation = Head(self._room()) if self.reads else Tail(self._room())
        return tokenizer.encode(texts, truncation=truncation, frame=frame)

    def _room(self) -> int:
        """Return how many tokens a text may have beside what is to be written."""
        if self.reads:
            return self.longest - self._leading
        wanted = self.wording.max_tokens
        if wanted is None:  # what is not asked for leaves a text its half
            wanted = min(self._wanted or Settings.max_tokens, self._positions // 2)
        least = sum(map(len, self.model.require_tokenizer().frame)) + 1
        return max(least, min(self.longest, self._positions - wanted))

    def _asked(self, encoded: Encoded, name: str) -> Asked:
        prompt = self._prompt(encoded, name)
        settings = self.settings(len(prompt.tokens), name)
        return Asked(Request(prompt.tokens, prompt.source, settings, name), encoded.dropped)

    def _prompt(self, encoded: Encoded, name: str) -> Prompt:
        ids = list(encoded.pieces[0].ids)
        wording = self.wording
        if self.reads:
            ids = self.languages.source(ids, wording.source_language, wording.target_language)
        elif not ids:
            ids = self._begun(name)
        if len(ids) > self.longest:
            raise GenerationError(
                f"{name}: {len(ids):,} tokens exceed the {self.longest:,} that this model reads at "
                "once; shorten it, or let it be cut (truncate=True, --truncate)"
            )
        return Prompt(self.starts, ids) if self.reads else Prompt(ids)

    def settings(self, prompt: int, name: str) -> Settings:
        """Return what the engine keeps to behind a prompt of so many tokens."""
        wording, usual = self.wording, self.writing.settings
        most = self._most(prompt, name)
        least = wording.min_tokens
        return replace(
            usual,
            strategy=usual.strategy if wording.strategy is None else wording.strategy,
            n_best=wording.n_best,
            max_tokens=most,
            min_tokens=min(usual.min_tokens, most) if least is None else least,
            repetition_penalty=_or(wording.repetition_penalty, usual.repetition_penalty),
            no_repeat_ngram=_or(wording.no_repeat_ngram, usual.no_repeat_ngram),
            banned=self._banned,
            required=self._required,
            prefix=self._prefix,
            stop=tuple(wording.stop),
            seed=wording.seed,
        )

    @cached_property
    def starts(self) -> Phrase:
        """What a decoder begins with: where that is a language, the one to write in."""
        first = self.languages.first(self.wording.target_language)
        if first is None or not self.languages.begins(self.writing.starts):
            return self.writing.starts
        return (first,)

    @cached_property
    def begun(self) -> Phrase:
        """What every output begins with to name its language, where its start does not."""
        first = self.languages.first(self.wording.target_language)
        if first is None or first in self.starts:
            return self.writing.settings.prefix
        return (first,)

    @cached_property
    def _banned(self) -> tuple[Phrase, ...]:
        tokenizer = self.model.writing_tokenizer
        banned = [one for text in self.wording.banned for one in banned_variants(tokenizer, text)]
        return (*self.writing.settings.banned, *banned)

    @cached_property
    def _required(self) -> tuple[Phrase, ...]:
        tokenizer = self.model.writing_tokenizer
        return tuple(required_variant(tokenizer, text) for text in self.wording.required)

    @cached_property
    def _prefix(self) -> Phrase:
        text = self.wording.prefix
        return (*self.begun, *exact(self.model.writing_tokenizer, text)) if text else self.begun

    @property
    def _leading(self) -> int:
        """How many tokens are put in front of a source to name its languages."""
        target = self.wording.target_language
        return int(target is not None and target in self.languages.leading)

    @property
    def _positions(self) -> int:
        return self.model.transformer.spec.max_tokens + 1  # the last token is never read

    @property
    def _wanted(self) -> int | None:
        """How many tokens are asked for, by the wording or the folder."""
        return _or(self.wording.max_tokens, self.writing.max_tokens)

    def _most(self, prompt: int, name: str) -> int:
        """Return the most tokens of an output."""
        room = self._positions - prompt
        if room < 1:
            raise GenerationError(
                f"{name}: {prompt:,} tokens fill the {self._positions - 1:,} positions of this "
                "model; shorten it, or let it be cut (truncate=True, --truncate)"
            )
        if self.wording.max_tokens is not None:
            if self.wording.max_tokens > room:
                raise GenerationError(
                    f"{name}: {prompt:,} tokens and max_tokens={self.wording.max_tokens} exceed "
                    f"the {self._positions - 1:,} positions of this model; choose max_tokens of at "
                    f"most {room:,}, or a shorter text"
                )
            return self.wording.max_tokens
        wanted = self._wanted
        length = self.writing.max_length
        if wanted is None and length is not None and length > prompt:
            wanted = length - prompt
        wanted = Settings.max_tokens if wanted is None else wanted
        return min(room, max(wanted, self.wording.min_tokens or 0))

    def _begun(self, name: str) -> list[int]:
        first = self.model.require_tokenizer().bos_id
        if first is None:
            raise GenerationError(f"{name} is empty, and this model needs something to go on with")
        return [first]


def _counted(texts: Sequence[str]) -> list[str]:
    """Return what each text is called in messages, counted from 1 as lines are."""
    return ["the text"] if len(texts) == 1 else [f"text {n}" for n in range(1, len(texts) + 1)]


def _or(value: _Value | None, otherwise: _Value) -> _Value:
    return otherwise if value is None else value
