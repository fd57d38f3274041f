"""What stands before a text, for models that were trained with instructions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from manyheads.errors import ConfigError, did_you_mean
from manyheads.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class Prompts:
    """Prompts by their names, and how texts are written behind them.

    Attributes:
        texts: What stands before a text, by name.
        default: The name of the prompt for a text with which none is named.
        counted: Whether the tokens of a prompt are pooled with those of its text.
        lowercase: Whether prompt and text are read in lower case.
    """

    texts: Mapping[str, str] = field(default_factory=dict)
    default: str | None = None
    counted: bool = True
    lowercase: bool = False

    def named(self, name: str | None) -> str:
        """Return a prompt, or the default one; raises `ConfigError` for one that is not there."""
        if name is None:
            return "" if self.default is None else self.texts[self.default]
        if name not in self.texts:
            raise ConfigError(
                f"the model has no prompt {name!r}.{did_you_mean(name, self.texts)} It has "
                f"{', '.join(sorted(self.texts)) or 'none'}"
            )
        return self.texts[name]

    @property
    def query(self) -> str | None:
        """The name of the prompt for texts that are searched with; None for the default one."""
        return self._first(("query",))

    @property
    def document(self) -> str | None:
        """The name of the prompt for texts that are searched for; None for the default one."""
        return self._first(("document", "passage", "corpus"))

    def _first(self, names: Sequence[str]) -> str | None:
        """Return the first of these names that says something, else the first that is there.

        sentence-transformers adds an empty prompt for documents to folders that call them passages.
        """
        there = [name for name in names if name in self.texts]
        return next((name for name in there if self.texts[name]), there[0] if there else None)

    def before(self, prompt: str, texts: Sequence[Any]) -> list[Any]:
        """Return texts behind a prompt; what is none is left to the tokenizer, which refuses it."""
        return [self._cased(prompt + text) if isinstance(text, str) else text for text in texts]

    def uncounted(self, prompt: str, tokenizer: Tokenizer) -> int:
        """Return how many tokens of a prompt, at the beginning of a text, are not pooled."""
        if self.counted or not prompt:
            return 0
        _, behind = tokenizer.frame
        return tokenizer.encode([self._cased(prompt)])[0].tokens - len(behind)

    def _cased(self, text: str) -> str:
        return text.lower() if self.lowercase else text

    def to_json(self) -> dict[str, Any]:
        """Return them as a JSON object for :meth:`from_json`."""
        return asdict(self)

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> Self:
        """Make the prompts again that :meth:`to_json` described."""
        return cls(**saved)
