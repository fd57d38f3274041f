"""The list of names that a tagger has to beat: what the training texts call a word, it is."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from manyheads.text.tag_scheme import Chunk, chunks_of, iob2

GAZETTEER = "gazetteer"
COMMONEST_TAG = "commonest tag"

Words = tuple[str, ...]


def by_names(
    train: Sequence[Sequence[str]], tags: Sequence[Sequence[str]], asked: Sequence[Sequence[str]]
) -> list[list[str]]:
    """Tag texts by the names of the training texts, the longest first, as each was mostly meant.

    A name that mostly was none stays none.
    """
    kinds: dict[Words, Counter[str]] = defaultdict(Counter)
    for words, row in zip(train, tags, strict=True):
        for start, end, label in chunks_of(row):
            kinds[tuple(words[start:end])][label] += 1
    longest = max(map(len, kinds), default=0)
    seen = _occurrences(train, kinds, longest)
    names = {
        name: counts.most_common(1)[0][0]
        for name, counts in kinds.items()
        if 2 * counts.total() >= seen[name]
    }
    return [iob2(_found(words, names, longest), len(words)) for words in asked]


def by_words(
    train: Sequence[Sequence[str]], tags: Sequence[Sequence[str]], asked: Sequence[Sequence[str]]
) -> list[list[str]]:
    """Tag each word as it mostly was in the training texts; unknown ones as most words that were
    seen once.
    """
    kinds: dict[str, Counter[str]] = defaultdict(Counter)
    for words, row in zip(train, tags, strict=True):
        for word, tag in zip(words, row, strict=True):
            kinds[word][tag] += 1
    once = Counter(tag for counts in kinds.values() if counts.total() == 1 for tag in counts)
    usual = (once or sum(kinds.values(), Counter())).most_common(1)[0][0]
    best = {word: counts.most_common(1)[0][0] for word, counts in kinds.items()}
    return [[best.get(word, usual) for word in words] for words in asked]


def _occurrences(
    texts: Sequence[Sequence[str]], names: dict[Words, Counter[str]], longest: int
) -> Counter[Words]:
    """Return how often each name stands in the texts, whatever it was meant for."""
    seen: Counter[Words] = Counter()
    firsts = {name[0] for name in names}
    for words in texts:
        for start, word in enumerate(words):
            if word in firsts:
                for end in range(start + 1, min(start + longest, len(words)) + 1):
                    if (name := tuple(words[start:end])) in names:
                        seen[name] += 1
    return seen


def _found(words: Sequence[str], names: dict[Words, str], longest: int) -> list[Chunk]:
    found: list[Chunk] = []
    start = 0
    while start < len(words):
        for end in range(min(start + longest, len(words)), start, -1):
            if (label := names.get(tuple(words[start:end]))) is not None:
                found.append((start, end, label))
                start = end
                break
        else:
            start += 1
    return found
