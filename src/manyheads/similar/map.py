"""A map of texts: a point for each, near ones near each other, topics in colours, as SVG."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from manyheads.data.dataset import shorten
from manyheads.errors import MissingExtra
from manyheads.pages.markup import Markup, drawing, escaped
from manyheads.similar.clusters import principal

_MOST = 2000  # points
_PERPLEXITY = 30.0
_FEW = 8  # points: so few are drawn by two principal components
_WIDTH, _HEIGHT, _EDGE = 1000, 680, 24
_LETTER, _LINE = 15, 22  # pixels of a label
_STEPS = sorted(range(-8, 9), key=abs)  # lines that a label may be moved
_GOLDEN = 137.508  # degrees between the hues of two topics, so that neighbours differ most


def map_of(
    texts: Sequence[str],
    vectors_NE: np.ndarray,
    label_N: np.ndarray,
    names: Sequence[str],
    seed: int,
) -> Markup:
    """Return the picture of N texts in topics, which have names; of very many texts some are drawn.

    By t-SNE (van der Maaten and Hinton 2008) over principal components; label -1 is an outlier.
    Raises `MissingExtra`.
    """
    rows = np.arange(len(texts))
    if len(rows) > _MOST:
        rows = np.sort(np.random.default_rng(seed).choice(rows, _MOST, replace=False))
    places_M2 = _scaled(_places(vectors_NE[rows], seed))
    label_M = label_N[rows]
    points = [
        _point(place, int(label), texts[row])
        for place, label, row in zip(places_M2, label_M, rows, strict=True)
    ]
    # Outliers are drawn first, beneath all others.
    ordered = [points[one] for one in np.argsort(label_M, kind="stable")]
    labels = _labels(
        [
            (name, *np.median(places_M2[label_M == number], axis=0))
            for number, name in enumerate(names)
            if (label_M == number).any()
        ]
    )
    said = f"Map of {len(rows):,} texts in {len(names)} topics; the table below lists them."
    style = f"<style>{_colours(len(names))}</style>"
    return drawing(_WIDTH, _HEIGHT, said, [style, *ordered, *labels], of="map")


def swatch(number: int) -> Markup:
    """Return a dot in the colour of a topic."""
    return Markup(
        '<svg class="swatch" viewBox="0 0 10 10" aria-hidden="true">'
        f'<circle class="topic-{number}" cx="5" cy="5" r="5"/></svg>'
    )


def _places(vectors_ME: np.ndarray, seed: int) -> np.ndarray:
    if len(vectors_ME) <= _FEW:
        flat_MK = principal(vectors_ME, 2)
        return np.pad(flat_MK, ((0, 0), (0, 2 - flat_MK.shape[1])))
    try:
        from sklearn.manifold import TSNE
    except ImportError:
        raise MissingExtra("scikit-learn", "eval", "drawing a map") from None
    perplexity = min(_PERPLEXITY, (len(vectors_ME) - 1) / 3)
    tsne = TSNE(perplexity=perplexity, init="pca", random_state=seed)
    places_M2: np.ndarray = tsne.fit_transform(principal(vectors_ME, 50))
    return places_M2


def _scaled(places_M2: np.ndarray) -> np.ndarray:
    """Return places within the picture."""
    low, high = places_M2.min(0), places_M2.max(0)
    room = np.array([_WIDTH, _HEIGHT]) - 2 * _EDGE
    spread = np.where(high > low, high - low, 1.0)
    scaled: np.ndarray = _EDGE + (places_M2 - low) / spread * room
    return scaled


def _point(place: np.ndarray, label: int, text: str) -> str:
    kind, size = ("outlier", 2.5) if label < 0 else (f"topic-{label}", 4)
    title = escaped(shorten(text, 160))
    return (
        f'<circle class="{kind}" cx="{place[0]:.1f}" cy="{place[1]:.1f}" r="{size}">'
        f"<title>{title}</title></circle>"
    )


def _labels(named: Sequence[tuple[str, float, float]]) -> Iterator[str]:
    """Yield labels at their places, moved down or up where they would lie over others."""
    taken: list[tuple[float, float, float]] = []  # where they begin, end and stand
    for name, x, y in named:
        half = sum(_LETTER if ord(one) > 0x2E80 else 0.56 * _LETTER for one in name) / 2
        x = min(max(x, half + 4), _WIDTH - half - 4)
        for step in _STEPS:
            stands = y + step * _LINE
            if _LINE < stands < _HEIGHT - _LINE and not any(
                x - half < end and begin < x + half and abs(stands - other) < _LINE
                for begin, end, other in taken
            ):
                break
        taken.append((x - half, x + half, stands))
        yield f'<text x="{x:.1f}" y="{stands:.1f}">{escaped(name)}</text>'


def _colours(topics: int) -> str:
    rules = [
        f".topic-{number}{{fill:hsl({number * _GOLDEN % 360:.0f} 62% {50 + 12 * (number % 2)}%)}}"
        for number in range(topics)
    ]
    return "".join(rules)
