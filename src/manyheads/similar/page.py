"""One page about topics: a map, a table, examples of each, and what is near none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from manyheads._version import __version__
from manyheads.data.dataset import shorten
from manyheads.hub.atomic import write_atomically
from manyheads.pages import markup
from manyheads.similar.map import map_of, swatch

if TYPE_CHECKING:
    from manyheads.similar.topic import Topic, Topics

_SHOWN = 300  # characters of an example
_MOST_OUTLIERS = 50


def write_page(topics: Topics, path: Path, title: str) -> Path:
    """Write the page of topics."""
    lead = f"{len(topics.texts):,} texts · manyheads {__version__}"
    write_atomically(path, markup.page(title, lead, _sections(topics)).encode("utf-8"))
    return path


def _sections(topics: Topics) -> Iterator[markup.Markup]:
    note = "Texts that are near each other say similar things; the smallest dots are near no topic."
    yield markup.section("Map", map_of(topics), markup.paragraph(note))
    yield markup.section(
        "Topics", _table(topics), *(_examples(topics, one) for one in topics.topics)
    )
    if topics.outliers:
        yield markup.section("Outliers", *_outliers(topics))


def _table(topics: Topics) -> markup.Markup:
    rows = [
        [
            markup.joined([swatch(one.number), ", ".join(one.words)]),
            f"{one.size:,}",
            f"{one.size / len(topics.texts):.1%}",
        ]
        for one in topics.topics
    ]
    caption = f"Number of topics: {topics.reason}"
    return markup.table(caption, ("words", "texts", "share"), rows)


def _examples(topics: Topics, topic: Topic) -> markup.Markup:
    shown = [markup.element("li", shorten(topics.texts[row], _SHOWN)) for row in topic.examples]
    name = ", ".join(topic.words[:3]) or f"topic {topic.number}"
    return markup.folded(f"Examples of {name}", markup.element("ul", markup.joined(shown)))


def _outliers(topics: Topics) -> Iterator[markup.Markup]:
    shown = topics.outliers[:_MOST_OUTLIERS]
    rest = len(topics.outliers) - len(shown)
    yield markup.paragraph(
        "Texts that are much farther from their topic than its others"
        + (f", the first {len(shown)} of {len(topics.outliers):,}." if rest else ".")
    )
    lines = [markup.element("li", shorten(topics.texts[row], _SHOWN)) for row in shown]
    yield markup.folded(f"{len(shown)} texts", markup.element("ul", markup.joined(lines)))
