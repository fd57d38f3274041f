"""Truncation: which tokens of a text that is too long are kept.

A policy is told how many tokens each sequence of an input has (one sequence, or two for a pair)
and for how many there is room besides the special tokens. It answers with cuts, one for each piece
that the input becomes. A cut holds, for each sequence, the spans of tokens that the piece keeps.
Policies know no tokenizer and no text.

Pairs are cut the way the field does, longest first: the longer text gives up tokens until both are
equally long, then both do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields

from manyheads.errors import RecipeError, did_you_mean

Span = tuple[int, int]  # start and end of a run of tokens, counted within their sequence
Cut = tuple[tuple[Span, ...], ...]  # for each sequence, the spans that one piece keeps


@dataclass(frozen=True)
class Head:
    """Keep the start of a text.

    Attributes:
        max_tokens: Tokens in a piece at most, special tokens included.
    """

    max_tokens: int

    def __post_init__(self) -> None:
        _require_positive("max_tokens", self.max_tokens)

    def cuts(self, lengths: Sequence[int], room: int) -> list[Cut]:
        """Return one cut that keeps the first tokens of each sequence."""
        return [tuple(((0, share),) for share in _longest_first(lengths, room))]

    def to_json(self) -> dict[str, object]:
        """Return the policy as a JSON object for :func:`truncation_from_json`."""
        return {"kind": "head", **asdict(self)}


@dataclass(frozen=True)
class Tail:
    """Keep the end of a text.

    Attributes:
        max_tokens: Tokens in a piece at most, special tokens included.
    """

    max_tokens: int

    def __post_init__(self) -> None:
        _require_positive("max_tokens", self.max_tokens)

    def cuts(self, lengths: Sequence[int], room: int) -> list[Cut]:
        """Return one cut that keeps the last tokens of each sequence."""
        shares = _longest_first(lengths, room)
        return [
            tuple(
                ((length - share, length),) for length, share in zip(lengths, shares, strict=True)
            )
        ]

    def to_json(self) -> dict[str, object]:
        """Return the policy as a JSON object for :func:`truncation_from_json`."""
        return {"kind": "tail", **asdict(self)}


@dataclass(frozen=True)
class HeadTail:
    """Keep the start and the end of a text and leave out its middle.

    The best of the simple ways to classify long documents in Sun et al. 2019, "How to Fine-Tune
    BERT for Text Classification?" (there 128 tokens from the start and 382 from the end).

    Attributes:
        max_tokens: Tokens in a piece at most, special tokens included.
        head_fraction: The start's share of the text tokens that are kept, between 0 and 1.
    """

    max_tokens: int
    head_fraction: float = 0.5

    def __post_init__(self) -> None:
        _require_positive("max_tokens", self.max_tokens)
        if not 0.0 <= self.head_fraction <= 1.0:
            raise RecipeError(f"head_fraction={self.head_fraction} must lie between 0 and 1")

    def cuts(self, lengths: Sequence[int], room: int) -> list[Cut]:
        """Return one cut that keeps the first and the last tokens of each sequence."""
        shares = _longest_first(lengths, room)
        return [tuple(map(self._ends, lengths, shares))]

    def _ends(self, length: int, share: int) -> tuple[Span, ...]:
        head = round(share * self.head_fraction)
        return ((0, head), (length - (share - head), length))

    def to_json(self) -> dict[str, object]:
        """Return the policy as a JSON object for :func:`truncation_from_json`."""
        return {"kind": "head_tail", **asdict(self)}


@dataclass(frozen=True)
class Windows:
    """Slide a window over a text: each window becomes a piece, and no token is lost.

    Over a pair, the window slides over the longer text and every piece repeats the shorter one
    (a question, beside windows of its context). Only when the shorter text alone fills half of
    the room are its last tokens cut, longest first; the overlap is then at most half the room.

    Attributes:
        max_tokens: Tokens in a piece at most, special tokens included.
        stride: Tokens that neighbouring windows share.
    """

    max_tokens: int
    stride: int = 0

    def __post_init__(self) -> None:
        _require_positive("max_tokens", self.max_tokens)
        if not 0 <= self.stride < self.max_tokens:
            raise RecipeError(
                f"stride={self.stride} is the overlap of two windows; choose at least 0 and less "
                f"than max_tokens={self.max_tokens}"
            )

    def cuts(self, lengths: Sequence[int], room: int) -> list[Cut]:
        """Return one cut for each window.

        Raises:
            RecipeError: The overlap leaves a window no token of its own.
        """
        if self.stride >= room:
            raise RecipeError(
                f"stride={self.stride} leaves no new token to a window of max_tokens="
                f"{self.max_tokens}, which has room for {room} text tokens; choose a smaller stride"
            )
        shares = _longest_first(lengths, room)
        longer = max(range(len(lengths)), key=lambda i: (lengths[i], shares[i]))
        window = room - sum(shares) + shares[longer]
        overlap = self.stride if len(lengths) == 1 else min(self.stride, window // 2)
        return [
            tuple((span if i == longer else (0, share),) for i, share in enumerate(shares))
            for span in _windows(lengths[longer], window, overlap)
        ]

    def to_json(self) -> dict[str, object]:
        """Return the policy as a JSON object for :func:`truncation_from_json`."""
        return {"kind": "windows", **asdict(self)}


Truncation = Head | Tail | HeadTail | Windows

_KINDS: dict[str, type[Truncation]] = {
    "head": Head,
    "tail": Tail,
    "head_tail": HeadTail,
    "windows": Windows,
}


def truncation_from_json(settings: Mapping[str, object]) -> Truncation:
    """Build the policy that its ``to_json`` described.

    Raises:
        RecipeError: A kind or a setting that does not exist, or a value that does not fit.
    """
    kind = settings.get("kind")
    if kind not in _KINDS:
        raise RecipeError(
            f"truncation has no kind {kind!r}; choose one of {', '.join(_KINDS)}."
            + did_you_mean(str(kind), _KINDS)
        )
    policy = _KINDS[str(kind)]
    known = [field.name for field in fields(policy)]
    values = {name: value for name, value in settings.items() if name != "kind"}
    for name, value in values.items():
        if name not in known:
            raise RecipeError(
                f"truncation {kind!r} has no setting {name!r}; it has {', '.join(known)}."
                + did_you_mean(name, known)
            )
        whole = name != "head_fraction"
        if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
            raise RecipeError(f"truncation.{name}={value!r} must be a {'whole ' * whole}number")
    if "max_tokens" not in values:
        raise RecipeError(f"truncation {kind!r} needs max_tokens")
    return policy(**values)  # type: ignore[arg-type]  # each value was checked above


def tokens_kept(cuts: Sequence[Cut]) -> int:
    """Return how many tokens at least one of the cuts keeps."""
    kept = 0
    for spans_of_cuts in zip(*cuts, strict=True):  # all cuts of one sequence
        reached = 0
        for start, end in sorted(span for spans in spans_of_cuts for span in spans):
            kept += max(0, end - max(start, reached))
            reached = max(reached, end)
    return kept


def _require_positive(name: str, value: int) -> None:
    if value < 1:
        raise RecipeError(f"{name}={value} keeps nothing; choose at least 1")


def _longest_first(lengths: Sequence[int], room: int) -> list[int]:
    """Return how many tokens each of one or two sequences keeps."""
    if sum(lengths) <= room:
        return list(lengths)
    if len(lengths) == 1:
        return [room]
    shorter = min(lengths)
    if 2 * shorter <= room:
        return [length if length == shorter else room - shorter for length in lengths]
    longer_first = lengths[0] > lengths[1]  # an odd token goes to the longer, else to the second
    half, rest = divmod(room, 2)
    return [half + rest, half] if longer_first else [half, half + rest]


def _windows(length: int, window: int, overlap: int) -> list[Span]:
    """Return the spans of windows that cover ``length`` tokens; the last may be shorter."""
    starts = range(0, max(1, length - overlap), window - overlap)
    return [(start, min(start + window, length)) for start in starts]
