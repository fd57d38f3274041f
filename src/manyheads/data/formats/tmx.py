"""TMX: translation memories, read as a stream (LISA, "TMX 1.4b Specification", 2005)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.parsers import expat

from manyheads.data.formats.files import open_bytes, require_path
from manyheads.errors import DataError

_CHUNK = 1 << 16  # bytes that are parsed at a time
# Their content is native code of a document's format; that of <hi> is text.
_NATIVE_CODE = frozenset({"bpt", "ept", "it", "ph", "ut"})


@dataclass(frozen=True, slots=True)
class Memory:
    """A translation memory: a row for each unit, a column for each language.

    Attributes:
        columns: the segments by language, None where a unit lacks that language.
        lines: where each unit begins.
        languages: all languages of the file, as they are first written.
        source_language: what the header calls the language that was translated from.
        variants: how many further segments of one language in one unit were left out.
    """

    columns: dict[str, list[str | None]]
    lines: list[int]
    languages: tuple[str, ...]
    source_language: str | None
    variants: int

    def describe(self) -> str:
        """Return what the file holds, e.g. ``TMX, languages en and de``."""
        note = f"TMX, languages {', '.join(self.languages)}"
        if self.variants:
            note += f"; {self.variants:,} further variants of a language in one unit left out"
        return note

    def sides(self) -> tuple[str, ...]:
        """Return the languages translated from and to; nothing unless there are just two."""
        if len(self.languages) != 2:
            return ()
        first, second = self.languages
        from_second = [second] == matching_languages(self.source_language or "", self.languages)
        return (second, first) if from_second else (first, second)


def read_memory(
    path: Path, wanted: Sequence[str] | None = None, encoding: str | None = None
) -> Memory:
    """Read a translation memory piece by piece: only its segments are ever held.

    Inline codes go with their content, which is native code, sub-flows in them included; the text
    of highlights stays. White space around a segment is layout and goes too.

    Args:
        wanted: the languages to keep; all when None.
        encoding: overrules what the file says of itself.

    Raises:
        DataError: malformed XML, an unknown encoding, no TMX, a variant without a language; names
            the file and the line.
    """
    require_path(path)
    builder = _Builder(str(path), wanted, encoding)
    try:
        with open_bytes(path) as stream:
            while chunk := stream.read(_CHUNK):
                builder.parser.Parse(chunk, False)
        builder.parser.Parse(b"", True)
    except DataError:
        raise
    except (LookupError, ValueError) as error:  # expat asks Python for encodings of single bytes
        raise DataError(f"{path}: cannot be decoded ({error}); save it as UTF-8") from None
    except expat.ExpatError as error:
        raise DataError(
            f"{path}, line {error.lineno}: not well-formed XML "
            f"({expat.ErrorString(error.code)}); export the memory anew, or mend this line"
        ) from None
    return builder.memory()


def matching_languages(code: str, languages: Iterable[str]) -> list[str]:
    """Return the languages that a code may mean: the same one, else ``de-DE`` for ``de``.

    Case does not count, nor ``_`` for ``-``. A code without a region means any of its regions, and
    the other way round.
    """
    key = _key(code)
    same = [language for language in languages if _key(language) == key]
    return same or [language for language in languages if _related(key, _key(language))]


def _key(language: str) -> str:
    return language.strip().lower().replace("_", "-")


def _related(one: str, other: str) -> bool:
    return one == other or one.startswith(f"{other}-") or other.startswith(f"{one}-")


class _Builder:
    """Collects units from the events of the parser."""

    def __init__(self, source: str, wanted: Sequence[str] | None, encoding: str | None) -> None:
        self.parser = expat.ParserCreate(encoding)
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.parser.SkippedEntityHandler = self._skipped_entity
        self._source = source
        self._wanted = None if wanted is None else [_key(code) for code in wanted]
        self._root: str | None = None
        self._source_language: str | None = None
        self._spellings: dict[str, str] = {}
        self._columns: dict[str, list[str | None]] = {}
        self._lines: list[int] = []
        self._variants = 0
        self._unit: dict[str, str] = {}
        self._language = ""
        self._pieces: list[str] | None = None  # of the segment that is open
        self._codes = 0  # inline codes that are open

    def memory(self) -> Memory:
        if not self._lines:
            raise DataError(f"{self._source}: holds no translation units")
        columns = {self._spellings[key]: column for key, column in self._columns.items()}
        languages = tuple(self._spellings.values())
        return Memory(columns, self._lines, languages, self._source_language, self._variants)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if self._root is None:
            self._root = name
            if name != "tmx":
                raise DataError(f"{self._source}: is XML of the kind <{name}>, not a <tmx> memory")
        elif self._codes or (self._pieces is not None and name in _NATIVE_CODE):
            self._codes += 1
        elif name == "header":
            self._source_language = attributes.get("srclang")
        elif name == "tu":
            self._unit = {}
            self._lines.append(self.parser.CurrentLineNumber)
        elif name == "tuv":
            self._begin_variant(attributes.get("xml:lang") or attributes.get("lang"))
        elif name == "seg" and self._is_wanted():
            self._pieces = []

    def _end(self, name: str) -> None:
        if self._codes:
            self._codes -= 1
        elif name == "seg" and self._pieces is not None:
            if self._language in self._unit:
                self._variants += 1
            else:
                self._unit[self._language] = "".join(self._pieces).strip()
            self._pieces = None
        elif name == "tu":
            self._end_unit()

    def _text(self, text: str) -> None:
        if self._pieces is not None and not self._codes:
            self._pieces.append(text)

    def _skipped_entity(self, name: str, is_parameter: bool) -> None:
        if not is_parameter:
            raise DataError(
                f"{self._source}, line {self.parser.CurrentLineNumber}: the entity &{name}; is not "
                "defined in the file; write the character itself"
            )

    def _begin_variant(self, language: str | None) -> None:
        if not language:
            raise DataError(
                f"{self._source}, line {self.parser.CurrentLineNumber}: a <tuv> without xml:lang; "
                "say which language it is in"
            )
        self._language = _key(language)
        self._spellings.setdefault(self._language, language)
        if self._is_wanted() and self._language not in self._columns:
            self._columns[self._language] = [None] * (len(self._lines) - 1)

    def _is_wanted(self) -> bool:
        return self._wanted is None or any(_related(self._language, key) for key in self._wanted)

    def _end_unit(self) -> None:
        for language, column in self._columns.items():
            column.append(self._unit.get(language))
