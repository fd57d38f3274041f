"""Columns of tagged words, one word a line and an empty line behind each sentence (CoNLL).

EU      NNP  B-ORG
rejects VBZ  O
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from manyheads.errors import DataError

CONLL_ENDINGS = (".conll", ".conllu", ".conll03", ".bio", ".iob", ".iob2", ".bioes", ".bmes")
_CONLLU = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")
_TAG = re.compile(r"O|[BIESLUWM]-\S+")
_LOOKED_AT = 1_000  # lines
_DOCUMENT = "-DOCSTART-"


@dataclass(frozen=True)
class Sentences:
    """The cells of each column, a list for each sentence, and the line where each begins."""

    columns: dict[str, list[list[str]]]
    lines: list[int]


def looks_tagged(text: str) -> bool:
    """Whether lines of text hold a word and its entity tag each, as their last columns say."""
    lines = [line.split() for line in text.split("\n", _LOOKED_AT)[:_LOOKED_AT] if line.strip()]
    lines = [cells for cells in lines if cells[0] != _DOCUMENT]
    return (
        len(lines) > 1
        and len(lines[0]) > 1
        and all(len(cells) == len(lines[0]) and _TAG.fullmatch(cells[-1]) for cells in lines)
    )


def parse_sentences(text: str, source: str, *, universal: bool) -> Sentences:
    """Return the sentences of a file; with `universal` it is one of Universal Dependencies.

    Columns are named by their numbers from 0 on, those of Universal Dependencies as they are
    called there. Raises `DataError` naming the line that has too many or too few columns.
    """
    separator = "\t" if "\t" in text else None
    sentences: list[list[list[str]]] = []
    begun: list[int] = []
    width = None
    for number, cells in _rows(text, separator, universal):
        if cells is None:
            if sentences and sentences[-1]:
                sentences.append([])
            continue
        width = width or len(cells)
        if len(cells) != width:
            raise DataError(
                f"{source}, line {number}: has {len(cells)} columns where the lines before have "
                f"{width}; each line holds a word and its tags, and an empty one ends a sentence"
            )
        if not sentences:
            sentences.append([])
        if not sentences[-1]:
            begun.append(number)
        sentences[-1].append(cells)
    whole = [sentence for sentence in sentences if sentence]
    if width is None:
        raise DataError(f"{source}: holds no words")
    if width < 2:
        raise DataError(f"{source}: has a single column; each line holds a word and its tags")
    if universal and width != len(_CONLLU):
        raise DataError(
            f"{source}: has {width} columns, and CoNLL-U has {len(_CONLLU)}; name a file of other "
            "columns .conll"
        )
    names = _CONLLU if universal else tuple(map(str, range(width)))
    columns = {
        name: [[cells[place] for cells in sentence] for sentence in whole]
        for place, name in enumerate(names)
    }
    return Sentences(columns, begun)


def _rows(
    text: str, separator: str | None, universal: bool
) -> Iterator[tuple[int, list[str] | None]]:
    """Yield the number and the cells of each line that holds a word; None ends a sentence."""
    for number, line in enumerate(text.split("\n"), 1):
        line = line.rstrip("\r")
        if universal and line.startswith("#"):
            continue
        if not line.strip():
            yield number, None
            continue
        cells = [cell.strip() for cell in line.split(separator)]
        if cells[0] == _DOCUMENT:
            yield number, None
        elif not (universal and not cells[0].isdecimal()):  # 3-4 and 5.1 are no words
            yield number, cells
