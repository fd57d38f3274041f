"""What is asked of the engine, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from manyheads.core.transformer import Transformer
from manyheads.errors import GenerationError
from manyheads.generate.search import Finish, Hypothesis
from manyheads.generate.settings import Settings

Spell = Callable[[Sequence[int]], str]  # from tokens to text, for strings that stop


@dataclass(frozen=True)
class Writer:
    """A model, and what must be known to write with it.

    Attributes:
        transformer: The model, in eval mode.
        ends: The tokens that end an output.
        spell: How tokens become text; needed for strings that stop.
    """

    transformer: Transformer
    ends: frozenset[int]
    spell: Spell | None = None

    @property
    def reads(self) -> bool:
        """Whether it reads a source: an encoder-decoder."""
        return self.transformer.encoder is not None

    @property
    def vocabulary(self) -> int:
        """V, how many tokens it chooses from."""
        spec = self.transformer.spec
        return (spec.target or spec.embed).vocabulary


@dataclass(frozen=True)
class Request:
    """One text to write: after `prompt`, and for an encoder-decoder from `source`; token ids.

    The prompt of an encoder-decoder is what its decoder begins with; it is no part of the output.
    """

    prompt: Sequence[int]
    source: Sequence[int] | None = None
    settings: Settings = field(default_factory=Settings)

    def check(self, writer: Writer, name: str) -> None:
        """Raise `GenerationError` for what this model cannot do."""
        settings = self.settings
        if not self.prompt:
            raise GenerationError(f"{name} has an empty prompt; give at least the first token")
        if (self.source is not None) != writer.reads:
            reason = "needs a source" if writer.reads else "reads no source; leave it out"
            raise GenerationError(f"{name}: this model {reason}")
        if self.source is not None and not len(self.source):
            raise GenerationError(
                f"{name} has an empty source; give at least the token that ends it"
            )
        longest = writer.transformer.spec.max_tokens
        whole = len(self.prompt) + settings.max_tokens
        if whole > longest + 1:  # the last token is never read
            raise GenerationError(
                f"{name}: a prompt of {len(self.prompt)} tokens and max_tokens="
                f"{settings.max_tokens} exceed the {longest} positions of this model; choose "
                f"max_tokens of at most {longest + 1 - len(self.prompt)}, or a shorter prompt"
            )
        if self.source is not None and len(self.source) > longest:
            raise GenerationError(
                f"{name}: a source of {len(self.source)} tokens exceeds the {longest} positions of "
                "this model; cut it, or write from its parts"
            )
        if settings.stop and writer.spell is None:
            raise GenerationError(f"{name}: stop={settings.stop} needs a writer that can spell")
        given = {*settings.prefix, *(token for one in settings.required for token in one)}
        given |= {token for one in settings.banned for token in one} | (
            settings.vocabulary or set()
        )
        wrong = next((token for token in given if not 0 <= token < writer.vocabulary), None)
        if wrong is not None:
            raise GenerationError(
                f"{name}: token {wrong} of its constraints is outside the "
                f"{writer.vocabulary} tokens of this model"
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
    brought; `output` is there once it is done.
    """

    ticket: int
    tokens: tuple[int, ...]
    output: Output | None = None
