"""What a collection of texts is about, and one page that shows it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from manyheads._version import __version__
from manyheads.data.dataset import shorten
from manyheads.hub.atomic import write_atomically
from manyheads.pages import markup
from manyheads.similar.map import map_of, swatch

_NAMED = 2  # words of a topic on the map
_SHOWN = 300  # characters of an example
_MOST_OUTLIERS = 50


@dataclass(frozen=True)
class Topic:
    """Texts that are about one thing.

    Attributes:
        number: Its place among the topics, the largest of which is 0.
        size: How many texts it has.
        words: What tells it from the others, the best first.
        examples: The rows of texts that stand for it, the nearest to its centre first.
    """

    number: int
    size: int
    words: tuple[str, ...]
    examples: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Topics:
    """What N texts are about.

    Attributes:
        topics: The topics, the largest first.
        labels: The number of each text's topic (N); -1 for an outlier, which is near none.
        reason: Why there are so many.
        texts: The texts.
        vectors: Their vectors, at unit length (N, E).
        seed: What chance was drawn from.
    """

    topics: Sequence[Topic]
    labels: np.ndarray
    reason: str
    texts: Sequence[str]
    vectors: np.ndarray
    seed: int

    @property
    def outliers(self) -> list[int]:
        """The rows of texts that are near no topic."""
        rows: list[int] = np.flatnonzero(self.labels < 0).tolist()
        return rows

    def write_page(self, path: str | Path, *, title: str = "Topics") -> Path:
        """Write a page about them with a map, one file of HTML; raises `MissingExtra`."""
        lead = f"{len(self.texts):,} texts · manyheads {__version__}"
        text = markup.page(title, lead, _sections(self))
        write_atomically(Path(path), text.encode("utf-8"))
        return Path(path)

    def __str__(self) -> str:
        lines = [f"{len(self.topics)} topics: {self.reason}"]
        for topic in self.topics:
            lines.append(f"{topic.number:>3} {topic.size:>8,}  {', '.join(topic.words)}")
            lines += [f"{'':14}{shorten(self.texts[row], 84)}" for row in topic.examples[:2]]
        return "\n".join([*lines, f"    {len(self.outliers):>8,}  outliers"])


def _sections(topics: Topics) -> Iterator[markup.Markup]:
    note = "Texts that are near each other say similar things; the smallest dots are near no topic."
    names = [" · ".join(one.words[:_NAMED]) or f"topic {one.number}" for one in topics.topics]
    picture = map_of(topics.texts, topics.vectors, topics.labels, names, topics.seed)
    yield markup.section("Map", picture, markup.paragraph(note))
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
