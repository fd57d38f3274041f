"""Checks of the texts: their scripts, and traces of markup and of wrong decoding."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache

from manyheads.data.checks.report import Finding, Severity
from manyheads.data.checks.scan import Scan, count_of, has_surrogates, text_columns
from manyheads.data.dataset import TEXT_ROLES, Dataset, Split
from manyheads.errors import DataError

_SAMPLE = 1_000  # characters of a text that decide on its script
_MAIN_SHARE = 0.99
_LATIN = re.compile(r"[A-Za-z]")
_MARKUP = re.compile(
    r"&(?:[A-Za-z]{2,8}|#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6});"
    r"|</?(?:a|b|br|code|div|em|font|h[1-6]|hr|i|img|li|ol|p|pre|script|span|strong|style|sub|sup"
    r"|table|td|th|tr|u|ul)(?:\s[^<>]*=[^<>]*)?\s*/?>"
    r"|<!--",
    re.IGNORECASE,
)
_SCRIPT_OF_NAME = {
    "CJK": "Han",
    "IDEOGRAPHIC": "Han",
    "HIRAGANA": "Kana",
    "KATAKANA": "Kana",
    "KATAKANA-HIRAGANA": "Kana",
    "HALFWIDTH": "Kana",
    "FULLWIDTH": "Latin",
}


def scripts(scan: Scan) -> Iterator[Finding]:
    """In which scripts the texts are written, and which rows are in another than most."""
    for role in scan.sides_of_text:
        yield from _scripts_of(scan, role)


def _scripts_of(scan: Scan, role: str) -> Iterator[Finding]:
    found = {
        name: [
            main_script(" ".join(texts)) for texts in zip(*text_columns(split, role), strict=True)
        ]
        for name, split in scan.splits.items()
    }
    counts = {name: Counter(filter(None, row_scripts)) for name, row_scripts in found.items()}
    total = sum(counts.values(), Counter())
    if not total:
        return
    main, rows = total.most_common(1)[0]
    share = rows / total.total()
    side = f"{role}: " if len(scan.sides_of_text) > 1 else ""
    mixes = "; ".join(f"{name}: {_mix(count)}" for name, count in counts.items() if count)
    yield scan.finding(
        "scripts",
        Severity.NOTE if share >= _MAIN_SHARE else Severity.WARNING,
        side + mixes,
        "make sure that the model knows these scripts, or take the rows in others out"
        if share < 1
        else "",
        {
            name: [i for i, script in enumerate(row_scripts) if script not in (main, None)]
            for name, row_scripts in found.items()
        },
    )


def texts_without_letters(scan: Scan) -> Iterator[Finding]:
    """Texts of digits, punctuation or pictures alone."""
    yield from _matching(
        scan,
        lambda text: bool(text.strip()) and main_script(text) is None,
        ("no_letters", Severity.NOTE),
        "without any letter",
        "take them out if they mean nothing",
    )


def markup(scan: Scan) -> Iterator[Finding]:
    """HTML entities and tags, which cost tokens and mean little."""
    yield from _matching(
        scan,
        lambda text: ("&" in text or "<" in text) and bool(_MARKUP.search(text)),
        ("html", Severity.WARNING),
        "with HTML entities or tags",
        "clean them: --clean html",
    )


def lone_surrogates(scan: Scan) -> Iterator[Finding]:
    """Halves of surrogate pairs: no Unicode text, and refused by the tokenizer."""
    yield from _matching(
        scan,
        has_surrogates,
        ("surrogates", Severity.ERROR),
        "with lone surrogates, which no tokenizer takes",
        "replace them: --clean surrogates",
    )


def replacement_characters(scan: Scan) -> Iterator[Finding]:
    """U+FFFD: characters that an earlier program could not decode."""
    yield from _matching(
        scan,
        lambda text: "\ufffd" in text,
        ("undecoded", Severity.WARNING),
        "with U+FFFD, the mark of a character that was lost in decoding",
        "make the file anew from its source, in UTF-8",
    )


def main_script(text: str) -> str | None:
    """Return the script of most letters, such as ``Latin`` or ``Han``; None without letters."""
    if text.isascii():
        return "Latin" if _LATIN.search(text) else None
    counts: Counter[str] = Counter()
    for character, count in Counter(text[:_SAMPLE]).items():
        if script := _script(character):
            counts[script] += count
    return counts.most_common(1)[0][0] if counts else None


@cache
def _script(character: str) -> str | None:
    """The first word of a letter's Unicode name is its script, but for a few."""
    if not character.isalpha():
        return None
    word = unicodedata.name(character, "UNNAMED").split()[0]
    return _SCRIPT_OF_NAME.get(word, word.capitalize())


def _mix(counts: Counter[str]) -> str:
    total = counts.total()
    return ", ".join(f"{script} {count / total:.1%}" for script, count in counts.most_common(5))


def _all_columns(scan: Scan, split: Split) -> list[list[str]]:
    return [column for role in scan.sides_of_text for column in text_columns(split, role)]


def _matching(
    scan: Scan,
    matches: Callable[[str], bool],
    kind: tuple[str, Severity],
    what: str,
    remedy: str,
) -> Iterator[Finding]:
    found = {
        name: [
            position
            for position, texts in enumerate(zip(*_all_columns(scan, split), strict=True))
            if any(map(matches, texts))
        ]
        for name, split in scan.splits.items()
    }
    if total := sum(map(len, found.values())):
        yield scan.finding(*kind, f"{count_of(total, 'text')} {what}", remedy, found)


def refuse_broken_texts(data: Dataset) -> None:
    """Raise `DataError` naming the first row whose text no tokenizer can take."""
    for split in data.splits():
        for role in split.columns.keys() & set(TEXT_ROLES):
            for row, text in enumerate(split.columns[role]):
                if has_surrogates(text):
                    raise DataError(
                        f"{split.describe(row)}: the {role} holds a lone surrogate, which is no "
                        "character; clean it with Cleaning(surrogates=True) (--clean surrogates)"
                    )
