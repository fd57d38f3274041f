"""Columns of tagged words, one word a line and an empty line behind each sentence (CoNLL).

EU      NNP  B-ORG
rejects VBZ  O
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
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
    start = "".join(text.splitlines(keepends=True)[:_LOOKED_AT])
    lines = [line.split() for _, line in _lines(start, universal=False) if line]
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
    lines = list(_lines(text, universal=universal))
    separator = _separator([line for _, line in lines if line])
    sentences: list[list[list[str]]] = []
    begun: list[int] = []
    width = None
    for number, line in lines:
        if not line:
            if sentences and sentences[-1]:
                sentences.append([])
            continue
        cells = [cell.strip() for cell in line.split(separator)]
        if universal and not cells[0].isdecimal():  # 3-4 and 5.1 are no words
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


def _lines(text: str, *, universal: bool) -> Iterator[tuple[int, str]]:
    """Yield the number of each line and what it holds; nothing where a sentence ends.

    Comments are passed over: all that begin with # in Universal Dependencies, elsewhere those
    before the first word of a sentence that are no word with its tags.
    """
    lines = [line.rstrip() for line in re.split(r"\r\n|\r|\n", text)]
    is_first = True  # of its sentence
    for place, line in enumerate(lines):
        if line.startswith("#") and (universal or (is_first and _is_comment(lines, place))):
            continue
        is_first = not line.strip() or line.split()[0] == _DOCUMENT
        yield place + 1, "" if is_first else line


def _is_comment(lines: Sequence[str], place: int) -> bool:
    """Whether what begins with # is unlike the line of the word behind it."""
    cells = lines[place].split()
    words = (line.split() for line in lines[place + 1 :] if not line.startswith("#"))
    word = next(words, [])
    if not word or cells[0] != "#":
        return False
    return len(cells) != len(word) or (
        _TAG.fullmatch(word[-1]) is not None and not _TAG.fullmatch(cells[-1])
    )


def _separator(lines: Sequence[str]) -> str | None:
    """Return what stands between columns: a tab, or any white space (None).

    A tab where all lines have one; where some have, only if white space leads to no table.
    """
    with_tab = sum("\t" in line for line in lines)
    if with_tab == len(lines):
        return "\t"
    same_width = len({len(line.split()) for line in lines}) == 1
    return None if same_width or 2 * with_tab < len(lines) else "\t"
