"""What a model that writes has to beat: the source itself, or the beginning of it."""

from __future__ import annotations

from manyheads.text import sentences


def copy_source(source: str) -> str:
    """Return the source: what a model that does nothing would write."""
    return source


def lead_sentence(source: str) -> str:
    """Return the first sentence, or all of a text that has no end of a sentence."""
    return "".join(sentences(source.strip())[:1]).strip()
