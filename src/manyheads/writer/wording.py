"""How a text is to be written, as a person says it: phrases are texts, languages have codes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from manyheads.errors import GenerationError
from manyheads.generate.settings import Beam, Greedy, Sample, Strategy


@dataclass(frozen=True)
class Wording:
    """What to keep to; None leaves a setting to what the model's folder says, or to what is usual.

    Attributes:
        strategy: How tokens are chosen: `Greedy()`, `Beam(4)`, `Sample(0.7, top_p=0.9)`.
        n_best: How many outputs of each text: at most as many as there are beams; or samples.
        max_tokens: The most tokens of an output; None: as many as the folder says, else 256, and
            never more than there is room for.
        min_tokens: The fewest tokens before an end.
        repetition_penalty: Divides what makes tokens probable that are there already; 1 for none.
        no_repeat_ngram: No run of so many tokens occurs twice; 0: any may.
        banned: Phrases that no output holds, wherever in a word they begin, letter for letter and
            as the tokenizer splits them.
        required: Phrases that every output holds, behind a space where they are words.
        prefix: How every output begins, to the letter.
        stop: Strings at which an output ends; they are no part of its text.
        instruction: What is to be done with a text: stands in front of the source of an
            encoder-decoder, or with the text in a message to a model that chats.
        task: One of the tasks that the folder has settings for, such as T5's ``summarization``.
        source_language: The code of the texts' language, as the tokenizer spells it.
        target_language: The code of the language to write in.
        truncate: Whether what is longer than the model reads is cut, and counted, not refused.
        seed: Of samples: the same text with the same seed gets the same output in any batch.

    Raises:
        GenerationError: A list of phrases is a single text, or a phrase is empty or both banned and
            required.
    """

    strategy: Strategy | None = None
    n_best: int = 1
    max_tokens: int | None = None
    min_tokens: int | None = None
    repetition_penalty: float | None = None
    no_repeat_ngram: int | None = None
    banned: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    prefix: str = ""
    stop: tuple[str, ...] = ()
    instruction: str | None = None
    task: str | None = None
    source_language: str | None = None
    target_language: str | None = None
    truncate: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("banned", "required", "stop"):
            phrases = getattr(self, name)
            if isinstance(phrases, str):
                raise GenerationError(
                    f"{name}={phrases!r} is one text; put phrases into a tuple: ({phrases!r},)"
                )
            if not all(phrase if name == "stop" else phrase.strip() for phrase in phrases):
                raise GenerationError(f"{name} holds an empty phrase; leave it out")
        for phrase in self.required:
            for ban in self.banned:
                if ban.strip() in phrase:
                    raise GenerationError(
                        f"{phrase!r} is required and holds {ban!r}, which is banned; leave one of "
                        "them out"
                    )

    @classmethod
    def of_fields(cls, said: Mapping[str, Any]) -> Wording:
        """Return a wording of its fields by name, and those of its strategy beside them.

        A temperature of 0 is greedy search. Raises `GenerationError` for fields of two strategies.
        """
        own = {one.name for one in fields(cls)} - {"strategy"}
        chosen = {name: value for name, value in said.items() if name not in own}
        rest = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in said.items()
            if name in own
        }
        return cls(_strategy(chosen), **rest)


def _strategy(chosen: Mapping[str, Any]) -> Strategy | None:
    """Return the strategy whose fields were chosen, None for none."""
    if not chosen:
        return None
    for kind in (Beam, Sample):
        if chosen.keys() <= {one.name for one in fields(kind)}:
            return Greedy() if chosen.get("temperature") == 0 else kind(**chosen)
    *some, last = sorted(chosen)
    raise GenerationError(
        f"{', '.join(some)} and {last} are of different searches; choose one of them"
    )
