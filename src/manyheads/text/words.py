"""Words that a text is found by, of any script."""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise

from manyheads.text.scripts import UNSPACED

_RUN = re.compile(rf"[{UNSPACED}]+|[^\W{UNSPACED}]+")
_UNSPACED = re.compile(f"[{UNSPACED}]")


def words_of(text: str) -> list[str]:
    """Return the words that a text is found by, in lower case.

    Of scripts without spaces they are the characters, and each pair of neighbours.
    """
    words: list[str] = []
    for run in _RUN.findall(unicodedata.normalize("NFKC", text).casefold()):
        if _UNSPACED.match(run):
            words += run
            words += (a + b for a, b in pairwise(run))
        else:
            words.append(run)
    return words
