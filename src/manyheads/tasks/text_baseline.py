"""What a model that writes has to beat: the source itself, or the beginning of it."""

from __future__ import annotations

from manyheads.text import sentences


def copy_source(source: str) -> str:
    """Return the source: what a model that does nothing would write."""
    return source


def lead_sentence(source: str) -> str:
    """Return the first sentence, or all of a text that has no end of a sentence."""
    return "".join(sentences(source.strip())[:1]).strip()


def lead_words(source: str, count: int) -> str:
    """Return the first words, as white space separates them."""
    return " ".join(source.split()[:count])


def lead_characters(source: str, count: int) -> str:
    """Return the first characters, for texts without spaces between words."""
    return source.strip()[:count].rstrip()
