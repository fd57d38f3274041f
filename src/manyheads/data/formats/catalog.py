"""gettext catalogs: the messages of a program with their translations, by polib."""

from __future__ import annotations

import codecs
import gettext
import os
import re
import struct
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from manyheads.data.formats.encoding import decode
from manyheads.data.formats.files import read_bytes
from manyheads.data.formats.folder import ending
from manyheads.errors import DataError, MissingExtra

_CHARSET = re.compile(rb"Content-Type:[^\n]*charset=([A-Za-z0-9_.:-]+)")
_LINE = re.compile(r"\(line (\d+)\)(?:: (.*))?")


@dataclass(frozen=True, slots=True)
class Catalog:
    """The translated messages of one or several catalogs.

    Attributes:
        source: the file, or the folder that holds them all.
        lines: where the entry of each message begins; None of compiled and of several catalogs.
        places: of several catalogs, the file of each message within `source`, with its line.
        left_out: how many entries are fuzzy, untranslated or obsolete.
    """

    source: str
    texts: list[str]
    targets: list[str]
    lines: list[int] | None
    places: list[str] | None
    left_out: Counter[str]

    def describe(self) -> str:
        """Return what was left out, e.g. ``gettext catalog; entries left out: 2 fuzzy``."""
        counts = ", ".join(f"{count:,} {why}" for why, count in sorted(self.left_out.items()))
        return "gettext catalog" + (f"; entries left out: {counts}" if counts else "")


@dataclass(frozen=True, slots=True)
class _Message:
    """A message with one translation, and the line of its entry; compiled catalogs have none."""

    text: str
    target: str
    file: Path
    line: int | None

    def place(self, folder: Path) -> str:
        name = self.file.relative_to(folder).as_posix()
        return name if self.line is None else f"{name}, line {self.line}"


def read_catalogs(paths: Sequence[Path], encoding: str | None = None) -> Catalog:
    """Read one or several catalogs of one language, ``.po`` or compiled ``.mo``.

    The header, and entries that are fuzzy, untranslated or obsolete, are left out. Plural forms
    are pairs of their own: the form for one with the singular, all others with the plural.

    Raises:
        DataError: not a catalog, with file and line; or catalogs of several languages.
        MissingExtra: polib is not installed.
    """
    messages: list[_Message] = []
    left_out: Counter[str] = Counter()
    languages: set[str] = set()
    for path in paths:
        parsed = _parse(path, encoding)
        one = _form_for_one(parsed.metadata.get("Plural-Forms", ""))
        languages.add(parsed.metadata.get("Language", ""))
        for entry in parsed:
            if reason := _reason_to_leave_out(entry):
                left_out[reason] += 1
            else:
                messages += _messages(entry, one, path)
    folder = paths[0] if len(paths) == 1 else _common_folder(paths)
    if len(known := sorted(languages - {""})) > 1:
        raise DataError(
            f"{folder}: holds catalogs of several languages ({', '.join(known)}); "
            "name those of one, by a pattern such as 'locale/**/de.po'"
        )
    lines = [message.line for message in messages if message.line is not None]
    alone = len(paths) == 1
    return Catalog(
        str(folder),
        [message.text for message in messages],
        [message.target for message in messages],
        lines if alone and len(lines) == len(messages) else None,
        None if alone else [message.place(folder) for message in messages],
        left_out,
    )


def _common_folder(paths: Sequence[Path]) -> Path:
    return Path(os.path.commonpath([path.parent for path in paths]))


def _parse(path: Path, encoding: str | None) -> Any:
    """Return the catalog as polib has it."""
    try:
        import polib
    except ImportError:
        raise MissingExtra("polib", "po", f"reading the catalog {path}") from None
    data, source = read_bytes(path), str(path)
    charset = encoding or _declared_charset(data)
    if ending(path) == ".mo":
        try:
            return polib.mofile(data, encoding=charset or "utf-8")
        except (OSError, struct.error, IndexError, UnicodeError, LookupError) as error:
            raise DataError(
                f"{source}: not a readable .mo file ({error}); compile it anew"
            ) from None
    text = _Content(decode(data, source, charset).text)
    try:
        return polib.pofile(text, encoding="utf-8")
    except OSError as error:
        found = _LINE.search(str(error))
        place = f"{source}, line {found[1]}" if found else source
        reason = f" ({found[2]})" if found and found[2] else ""
        raise DataError(
            f"{place}: not a gettext catalog{reason}; msgfmt --check says more"
        ) from None


def _declared_charset(data: bytes) -> str | None:
    """Return what the header says, unless it is the placeholder of a template."""
    found = _CHARSET.search(data)
    try:
        return codecs.lookup(found[1].decode("ascii")).name if found else None
    except LookupError:
        return None


class _Content(str):
    """The text of a catalog, with lines that end at line feeds alone, as they do in a file."""

    def splitlines(self, keepends: bool = False) -> list[str]:
        return self.split("\n")


def _reason_to_leave_out(entry: Any) -> str | None:
    if getattr(entry, "obsolete", False):
        return "obsolete"
    if "fuzzy" in getattr(entry, "flags", ()):
        return "fuzzy"
    forms = entry.msgstr_plural.values() if entry.msgid_plural else [entry.msgstr]
    return None if any(forms) else "untranslated"


def _messages(entry: Any, one: int, path: Path) -> Iterator[_Message]:
    line = max(1, entry.linenum) if hasattr(entry, "linenum") else None
    if not entry.msgid_plural:
        yield _Message(entry.msgid, entry.msgstr, path, line)
        return
    forms = {int(number): form for number, form in entry.msgstr_plural.items()}
    for number, form in forms.items():
        if form and (number == one or len(forms) == 1):
            yield _Message(entry.msgid, form, path, line)
        if form and (number != one or len(forms) == 1):
            yield _Message(entry.msgid_plural, form, path, line)


def _form_for_one(plural_forms: str) -> int:
    """Return the number of the plural form that counts one thing; 0 where nothing is said."""
    expression = re.search(r"plural\s*=\s*([^;]+)", plural_forms)
    if expression is None:
        return 0
    form_of: Callable[[int], int]
    try:
        form_of = gettext.c2py(expression[1])
        return form_of(1)
    except (ValueError, RecursionError, ArithmeticError):
        return 0
