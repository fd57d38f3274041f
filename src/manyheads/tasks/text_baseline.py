"""What a model that writes has to beat: the source itself, or the beginning of it."""

from __future__ import annotations

import re

# An end is followed by a space and no small letter; ends of unspaced scripts need nothing behind.
_END = re.compile(r"[.!?…]+[\"'”’»)\]]*(?=\s+[^\sa-zß-ÿ])|(?:[。！？]|……)+[」』”’》）]*|\n")
# A full stop behind these ends no sentence: titles, "p. 3", "U.S.", single initials.
_ABBREVIATION = re.compile(
    r"(?:^|[\s(\"'“‘])(?:Mr|Mrs|Ms|Dr|Prof|St|Sr|Jr|Gen|Rev|Hon|vs|cf|fig|Fig|ca|approx"
    r"|e\.g|i\.e|z\.B|d\.h|bzw|[A-Za-z]|(?:[A-Z]\.)+[A-Z])\.$"
)


def copy_source(source: str) -> str:
    """Return the source: what a model that does nothing would write."""
    return source


def lead_sentence(source: str) -> str:
    """Return the first sentence, or all of a text that has no end of a sentence.

    A line break is an end; a full stop behind a title, an initial or a common abbreviation is not.
    """
    text = source.strip()
    for end in _END.finditer(text):
        if not _ABBREVIATION.search(text[: end.end()]):
            return text[: end.end()].strip()
    return text


def lead_words(source: str, count: int) -> str:
    """Return the first words, as white space separates them."""
    return " ".join(source.split()[:count])


def lead_characters(source: str, count: int) -> str:
    """Return the first characters, for texts without spaces between words."""
    return source.strip()[:count].rstrip()
