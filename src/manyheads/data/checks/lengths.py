"""How long the texts are, and how much of them a limit of tokens cuts off."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from manyheads.data.checks.report import Finding, Histogram, Severity
from manyheads.data.checks.scan import Scan, count_of, text_columns, without_surrogates
from manyheads.data.dataset import Split

if TYPE_CHECKING:
    from manyheads.text.tokenizer import Tokenizer

_CHUNK = 1_000  # texts that are tokenized at a time, to bound the memory


def character_lengths(split: Split, role: str) -> list[int]:
    """Return the characters of each row's text or target, both texts of a pair together."""
    return [sum(map(len, texts)) for texts in zip(*text_columns(split, role), strict=True)]


def token_lengths(split: Split, role: str, tokenizer: Tokenizer) -> list[int]:
    """Return the tokens of each row, special tokens included, before anything is cut."""
    columns = [
        [without_surrogates(text) for text in column] for column in text_columns(split, role)
    ]
    lengths: list[int] = []
    for start in range(0, len(split), _CHUNK):
        chunk = [column[start : start + _CHUNK] for column in columns]
        lengths += [encoded.tokens for encoded in tokenizer.encode(*chunk)]
    return lengths


def histograms(unit: str, role: str, lengths: Mapping[str, Sequence[int]]) -> list[Histogram]:
    """Return one histogram per split."""
    return [Histogram.of(name, unit, counted, role) for name, counted in lengths.items()]


def truncation(
    scan: Scan, role: str, lengths: Mapping[str, Sequence[int]], max_tokens: int
) -> Iterator[Finding]:
    """Texts or targets longer than a limit, and the share of all tokens that lies beyond it."""
    found = {
        name: [position for position, length in enumerate(counted) if length > max_tokens]
        for name, counted in lengths.items()
    }
    cut = sum(map(len, found.values()))
    texts = sum(map(len, lengths.values()))
    tokens = sum(map(sum, lengths.values()))
    if not cut:
        message = f"no {role} is longer than {max_tokens:,} tokens"
        yield scan.finding("truncation", Severity.NOTE, message)
        return
    beyond = sum(max(0, n - max_tokens) for counted in lengths.values() for n in counted)
    message = (
        f"a limit of {max_tokens:,} tokens cuts {count_of(cut, role)} ({cut / texts:.1%}) "
        f"and {beyond / tokens:.1%} of all tokens"
    )
    remedy = "raise the limit, keep head and tail, or read windows of the text"
    severity = Severity.WARNING if beyond > 0.01 * tokens else Severity.NOTE
    yield scan.finding("truncation", severity, message, remedy, found)
