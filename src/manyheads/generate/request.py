"""What is asked of the engine, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from manyheads.core.cache import Memory
from manyheads.core.layout import Layout
from manyheads.core.transformer import Transformer
from manyheads.errors import GenerationError
from manyheads.generate.room import fits
from manyheads.generate.search import Finish, Hypothesis
from manyheads.generate.settings import Beam, Settings

Spell = Callable[[Sequence[int]], str]  # from tokens to text, for strings that stop


@dataclass(frozen=True)
class Writer:
    """A model, and what must be known to write with it.

    Attributes:
        transformer: The model, in eval mode.
        ends: The tokens that end an output.
        spell: How tokens become text; needed for strings that stop.

    Raises:
        GenerationError: A token that ends is none of the model's.
    """

    transformer: Transformer
    ends: frozenset[int]
    spell: Spell | None = None

    def __post_init__(self) -> None:
        wrong = next((token for token in self.ends if not 0 <= token < self.vocabulary), None)
        if wrong is not None:
            raise GenerationError(
                f"token {wrong} that ends an output is outside the {self.vocabulary} tokens of "
                "this model; use the tokenizer that belongs to it"
            )

    @property
    def reads(self) -> bool:
        """Whether it reads a source: an encoder-decoder."""
        return self.transformer.encoder is not None

    @property
    def vocabulary(self) -> int:
        """V, how many tokens it chooses from."""
        spec = self.transformer.spec
        return (spec.target or spec.embed).vocabulary

    def remember(
        self, sources: Sequence[Sequence[int] | None], lasts: bool = False
    ) -> Memory | None:
        """Return what the decoder reads of these sources; None for a model that reads none.

        `lasts` says that it will be read step after step.
        """
        if not self.reads:
            return None
        ids_S, layout = Layout.flatten([one or () for one in sources], self.transformer.device)
        return self.transformer.remember(self.transformer.encode(ids_S, layout), layout, lasts)


def check_tokens(name: str, what: str, tokens: Iterable[int], count: int) -> None:
    """Raise `GenerationError` where a token is none of the `count` that there are."""
    wrong = next((token for token in tokens if not 0 <= token < count), None)
    if wrong is not None:
        raise GenerationError(
            f"{name}: token {wrong} of {what} is outside the {count} tokens of this model; use the "
            "tokenizer that belongs to it"
        )


@dataclass(frozen=True)
class Request:
    """One text to write: after `prompt`, and for an encoder-decoder from `source`; token ids.

    The prompt of an encoder-decoder is what its decoder begins with; it is no part of the output.
    `name` is what messages call it, if not by its number.
    """

    prompt: Sequence[int]
    source: Sequence[int] | None = None
    settings: Settings = field(default_factory=Settings)
    name: str = ""

    def called(self, ticket: int) -> str:
        """Return what messages call it."""
        return self.name or f"request {ticket}"

    def check(self, writer: Writer, name: str) -> None:
        """Raise `GenerationError` for what this model cannot do."""
        if not len(self.prompt):
            raise GenerationError(f"{name} has an empty prompt; give at least the first token")
        if (self.source is not None) != writer.reads:
            reason = "needs a source" if writer.reads else "reads no source; leave it out"
            raise GenerationError(f"{name}: this model {reason}")
        if self.source is not None and not len(self.source):
            raise GenerationError(
                f"{name} has an empty source; give at least the token that ends it"
            )
        self._check_positions(writer, name)
        self._check_tokens(writer, name)
        self._check_constraints(writer, name)

    def _check_positions(self, writer: Writer, name: str) -> None:
        longest, wanted = writer.transformer.spec.max_tokens, self.settings.max_tokens
        room = longest + 1 - len(self.prompt)  # the last token is never read
        if wanted > room:
            remedy = f"choose max_tokens of at most {room}, or" if room > 0 else "give"
            raise GenerationError(
                f"{name}: a prompt of {len(self.prompt)} tokens and max_tokens={wanted} exceed the "
                f"{longest} positions of this model; {remedy} a shorter prompt"
            )
        if self.source is not None and len(self.source) > longest:
            raise GenerationError(
                f"{name}: a source of {len(self.source)} tokens exceeds the {longest} positions of "
                "this model; cut it, or write from its parts"
            )

    def _check_tokens(self, writer: Writer, name: str) -> None:
        settings, reading = self.settings, writer.transformer.spec.embed.vocabulary
        phrases = (settings.prefix, *settings.required, *settings.banned)
        given = {token for phrase in phrases for token in phrase} | (settings.vocabulary or set())
        for what, tokens, count in (
            ("its prompt", self.prompt, writer.vocabulary),
            ("its source", self.source or (), reading),
            ("its constraints", given, writer.vocabulary),
        ):
            check_tokens(name, what, tokens, count)

    def _check_constraints(self, writer: Writer, name: str) -> None:
        settings = self.settings
        for phrase in (settings.prefix, *settings.required):
            if ends := writer.ends & set(phrase):
                raise GenerationError(
                    f"{name}: the phrase {phrase} is required and holds {min(ends)}, "
                    "which ends an output; leave that token out"
                )
        if settings.stop and writer.spell is None:
            raise GenerationError(f"{name}: stop={settings.stop} needs a writer that can spell")
        begun = "" if writer.spell is None else writer.spell(settings.prefix)
        if stops := [stop for stop in settings.stop if stop in begun]:
            raise GenerationError(
                f"{name}: its prefix {begun!r} holds {stops[0]!r}, which stops an output; leave "
                "one of them out"
            )
        room = settings.max_tokens - len(settings.prefix)
        if not fits(settings.prefix, settings.required, settings.banned, room):
            raise GenerationError(
                f"{name}: max_tokens={settings.max_tokens} leave no room to write required phrases "
                "without a banned one between them; choose more"
            )
        strategy = settings.strategy
        if isinstance(strategy, Beam) and strategy.coverage_penalty and not writer.reads:
            raise GenerationError(
                f"{name}: coverage_penalty={strategy.coverage_penalty} is about a source, and this "
                "model reads none; choose 0"
            )

    def ending(self, writer: Writer) -> Callable[[Sequence[int]], Finish | None]:
        """Return what says why an output that holds some tokens ends there."""
        limit, ends, stops, spell = (
            self.settings.max_tokens,
            writer.ends,
            self.settings.stop,
            writer.spell,
        )
        # A token may be one byte of a character.
        tail = 8 + max((len(text.encode()) for text in stops), default=0)

        def ending(tokens: Sequence[int]) -> Finish | None:
            if tokens[-1] in ends:
                return Finish.END
            if stops:
                assert spell is not None
                text = spell(tokens[-tail:])
                if any(stop in text for stop in stops):
                    return Finish.STOP
            return Finish.LENGTH if len(tokens) >= limit else None

        return ending


@dataclass(frozen=True)
class Output:
    """What was written for a request: its hypotheses, best first."""

    hypotheses: tuple[Hypothesis, ...]

    @property
    def best(self) -> Hypothesis:
        """The first of them."""
        return self.hypotheses[0]


@dataclass(frozen=True)
class News:
    """What one step brought for a request.

    `tokens` are those that its best output begins with for certain and that no earlier news
    brought. The last news of a request brings its `output`, or the `error` that ended it.
    """

    ticket: int
    tokens: tuple[int, ...] = ()
    output: Output | None = None
    error: GenerationError | None = None

    @property
    def is_last(self) -> bool:
        """Whether the request is over: there will be no more news of it."""
        return self.output is not None or self.error is not None

    def result(self) -> Output:
        """Return the output that the last news bring; raise the error where they bring one."""
        if self.error is not None:
            raise self.error
        assert self.output is not None, "not the last news"
        return self.output
