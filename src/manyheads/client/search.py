"""How a service is to write: what a client says of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True)
class Search:
    """How texts are written; None leaves a setting to the model's folder, or to what is usual.

    Settings of beams and of samples exclude each other.

    Attributes:
        max_tokens: The most tokens of an output.
        min_tokens: The fewest tokens before an end.
        temperature: Of samples; 0 takes the most probable token.
        top_k: Draw among so many of the most probable tokens.
        top_p: Draw among those that together have this probability.
        min_p: Draw among those with this share of the largest probability.
        typical_p: Draw among those whose surprise is nearest to the expected one.
        beams: How many beams are searched.
        length_penalty: Of beams: more favours longer outputs.
        coverage_penalty: Of beams: more favours outputs that leave no word of the source out.
        groups: Of beams that are to differ.
        diversity: How much groups differ.
        n_best: How many outputs of each text.
        repetition_penalty: Divides what makes tokens probable that are there already.
        no_repeat_ngram: No run of so many tokens occurs twice.
        banned: Phrases that no output holds.
        required: Phrases that every output holds.
        prefix: How every output begins.
        stop: Strings at which an output ends.
        seed: Of samples: the same one draws the same.
        truncate: Whether a text that is too long is cut, and counted, not refused.
    """

    max_tokens: int | None = None
    min_tokens: int | None = None
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    typical_p: float | None = None
    beams: int | None = None
    length_penalty: float | None = None
    coverage_penalty: float | None = None
    groups: int | None = None
    diversity: float | None = None
    n_best: int | None = None
    repetition_penalty: float | None = None
    no_repeat_ngram: int | None = None
    banned: Sequence[str] | None = None
    required: Sequence[str] | None = None
    prefix: str | None = None
    stop: Sequence[str] | None = None
    seed: int | None = None
    truncate: bool | None = None

    def to_json(self, instruction: str | None = None) -> dict[str, Any]:
        """Return what is said of it, under the names of the wire, with what is to be done."""
        said = {field.name: getattr(self, field.name) for field in fields(self)}
        said["instruction"] = instruction
        return {name: value for name, value in said.items() if value is not None}


USUAL = Search()
