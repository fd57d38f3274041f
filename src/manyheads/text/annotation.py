"""The forms in which tagged text comes, all turned into words with tags.

["O", "B-LOC", …]                              a tag for each word, or for each character
"O B-LOC …"                                    the same in a table
[[3, 9, "LOC"], …], [{"start": 3, …}, …]       spans of characters; the end is not within
{"LOC": {"London": [[3, 8]]}}                  spans by type and text; the end is within (CLUE)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from manyheads.errors import DataError
from manyheads.text.tag_scheme import Chunk, iob2, is_entity_tag
from manyheads.text.tagged import Span, Tagged, cut_at, split_words

_LOOKED_AT = 200  # rows
_LABEL_KEYS = ("label", "type", "entity", "entity_group", "tag")


def tagged_rows(
    texts: Sequence[str], labels: Sequence[Any], describe: Callable[[int], str]
) -> list[Tagged]:
    """Return the words and tags of each text; raises `DataError` naming the row."""
    return [
        label if isinstance(label, Tagged) else _tagged(text, label, describe(row))
        for row, (text, label) in enumerate(zip(texts, labels, strict=True))
    ]


def hold_tags(labels: Sequence[Any]) -> bool:
    """Whether labels are tags that mark entities, or spans: not classes, nor lists of such."""
    known = [label for label in labels[:_LOOKED_AT] if label]
    return bool(known) and all(map(_is_tagging, known))


def _is_tagging(label: Any) -> bool:
    if isinstance(label, str):
        tags = label.split()
        return len(tags) > 1 and all(map(is_entity_tag, tags))
    if isinstance(label, list | tuple):
        return all(is_entity_tag(one) if isinstance(one, str) else _is_span(one) for one in label)
    if isinstance(label, Mapping):
        return all(isinstance(found, Mapping) for found in label.values())
    return isinstance(label, Tagged)


def _is_span(one: Any) -> bool:
    if isinstance(one, Mapping):
        return {"start", "end"} <= one.keys() and any(key in one for key in _LABEL_KEYS)
    return isinstance(one, list | tuple) and [type(part) for part in one] == [int, int, str]


def _tagged(text: str, label: Any, place: str) -> Tagged:
    if isinstance(label, str):
        label = label.split()
    if isinstance(label, list | tuple) and label and all(isinstance(one, str) for one in label):
        return _with_tags(text, label, place)
    if label is None:
        raise DataError(f"{place} has no tags; give it some, or an empty list of spans")
    return _with_spans(text, list(_spans(label, text, place)), place)


def _with_tags(text: str, tags: Sequence[str], place: str) -> Tagged:
    """Return a text with a tag for each character, or for each word between spaces."""
    if len(tags) == len(text):
        words = [(at, at + 1) for at in range(len(text))]
    else:
        words = _between_spaces(text)
    if len(words) != len(tags):
        raise DataError(
            f"{place} has {len(tags)} tags for {len(words)} words between spaces ({len(text)} "
            "characters); give each word, or each character, one"
        )
    return Tagged(text, tuple(words), tuple(tags))


def _between_spaces(text: str) -> list[Span]:
    words, at = [], 0
    for word in text.split():
        at = text.index(word, at)
        words.append((at, at + len(word)))
        at += len(word)
    return words


def _with_spans(text: str, spans: list[tuple[int, int, str]], place: str) -> Tagged:
    spans.sort()
    for start, end, label in spans:
        if not 0 <= start < end <= len(text):
            raise DataError(
                f"{place}: the span {start}:{end} ({label}) is not within the {len(text)} "
                "characters of the text; correct it (the end is the character behind the last one)"
            )
    for (start, end, label), (next_start, next_end, other) in pairwise(spans):
        if next_start < end:
            raise DataError(
                f"{place}: the spans {start}:{end} ({label}) and {next_start}:{next_end} ({other}) "
                "overlap; a word has one tag, so leave one of them out"
            )
    words = cut_at(split_words(text), (at for start, end, _ in spans for at in (start, end)))
    return Tagged(text, tuple(words), tuple(iob2(_chunks(words, spans), len(words))))


def _chunks(words: Sequence[Span], spans: Sequence[tuple[int, int, str]]) -> Iterator[Chunk]:
    """Yield spans of characters as spans of words; those of white space alone are none."""
    for start, end, label in spans:
        covered = [at for at, word in enumerate(words) if start <= word[0] and word[1] <= end]
        if covered:
            yield covered[0], covered[-1] + 1, label


def _spans(label: Any, text: str, place: str) -> Iterator[tuple[int, int, str]]:
    """Yield start, end and label of each span of one row."""
    try:
        if isinstance(label, Mapping):
            for kind, found in label.items():
                for places in found.values():
                    yield from (
                        (_place(start), _place(end) + 1, _kind(kind)) for start, end in places
                    )
        elif isinstance(label, list | tuple):
            yield from map(_span, label)
        else:
            raise TypeError(f"a {type(label).__name__}")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(
            f"{place}: {label!r:.80} are no tags and no spans ({error}); write a list of tags, or "
            'of spans such as [3, 9, "LOC"] or {"start": 3, "end": 9, "label": "LOC"}'
        ) from None


def _span(one: Any) -> tuple[int, int, str]:
    if isinstance(one, Mapping):
        key = next((key for key in _LABEL_KEYS if key in one), _LABEL_KEYS[0])
        return _place(one["start"]), _place(one["end"]), _kind(one[key])
    start, end, kind = one
    return _place(start), _place(end), _kind(kind)


def _place(number: Any) -> int:
    if isinstance(number, float) and not number.is_integer():
        raise ValueError(f"{number} is no place of a character")
    return int(number)


def _kind(kind: Any) -> str:
    if kind is None or kind != kind or not str(kind).strip():
        raise ValueError(f"{kind!r} is no type of a span")
    return str(kind)
