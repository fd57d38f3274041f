"""Tags of words and the spans that they mean: BIO, IOB2, BILOU, BIOES, BMES, all read as IOB2.

EU/B-ORG rejects/O German/B-MISC     ←→     (0, 1, ORG) (2, 3, MISC)
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

OUTSIDE = "O"
_ENTITY = re.compile(r"([BIESLUWM])-(\S.*)")
_OPENS, _CLOSES = frozenset("BSUW"), frozenset("ELSUW")

Chunk = tuple[int, int, str]  # the words start to end - 1, and what they are


def mark_entities(tags: Iterable[str]) -> bool:
    """Whether tags say where entities begin and go on, not what each word is by itself."""
    return any(_ENTITY.fullmatch(tag) for tag in tags)


def is_entity_tag(tag: str) -> bool:
    """Whether a tag is one of those that mark entities."""
    return tag == OUTSIDE or _ENTITY.fullmatch(tag) is not None


def chunks_of(tags: Sequence[str]) -> list[Chunk]:
    """Return the entities that tags of any scheme mark.

    What goes on without a beginning begins, as the evaluation of CoNLL has it (conlleval).
    """
    found: list[Chunk] = []
    start, kind = 0, None
    before = ""
    for place, tag in enumerate([*tags, OUTSIDE]):
        match = _ENTITY.fullmatch(tag)
        prefix, label = match.groups() if match else ("", None)
        goes_on = label is not None and label == kind and prefix not in _OPENS
        if not goes_on or before in _CLOSES:
            if kind is not None:
                found.append((start, place, kind))
            start, kind = place, label
        before = prefix
    return found


def iob2(chunks: Iterable[Chunk], words: int) -> list[str]:
    """Return the tags of so many words: B- begins an entity, I- goes on with it."""
    tags = [OUTSIDE] * words
    for start, end, label in chunks:
        tags[start] = f"B-{label}"
        tags[start + 1 : end] = [f"I-{label}"] * (end - start - 1)
    return tags


def tags_of_types(labels: Iterable[str]) -> tuple[str, ...]:
    """Return all tags that entities of these types can have, the one for none first."""
    return (OUTSIDE, *(f"{prefix}-{label}" for label in sorted(set(labels)) for prefix in "BI"))
