"""The text of a file: plain text, Markdown, HTML or PDF."""

from __future__ import annotations

import codecs
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

from manyheads.data.formats.encoding import decode
from manyheads.data.formats.files import read_bytes
from manyheads.errors import DataError, MissingExtra

_HEADING = re.compile(r"^#{1,6}[ \t]+(.+?)[ \t#]*$", re.MULTILINE)
_DECLARED = re.compile(rb"<meta[^>]+charset\s*=\s*[\"']?\s*([\w-]+)", re.IGNORECASE)
_DECLARED_WITHIN = 4096  # bytes
_MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# What pages say of themselves is taken as browsers take it (WHATWG, Encoding): the names of small
# sets of characters stand for the larger ones that are really meant.
_MEANT = {
    **dict.fromkeys(
        ("iso-8859-1", "iso8859-1", "latin1", "latin-1", "us-ascii", "ascii"), "cp1252"
    ),
    **dict.fromkeys(("gb2312", "gbk", "x-gbk", "gb_2312-80"), "gb18030"),
    **dict.fromkeys(("utf-16", "utf-16le", "utf-16be", "utf8mb4", "unicode"), "utf-8"),
}
_UNSEEN = frozenset({"script", "style", "template", "noscript", "head", "svg"})
_CODE = frozenset({"script", "style"})
_OF_A_HEAD = frozenset({"title", "meta", "link", "base", "bgsound"}) | _UNSEEN
_BLOCKS = re.compile(
    "address|article|aside|blockquote|br|d[dlt]|div|fieldset|figcaption|figure|footer|form|h[1-6]"
    "|header|hr|li|main|nav|ol|p|pre|section|table|t[dhr]|ul"
)
_BLANK_LINES = re.compile(r"\n{3,}")


@dataclass(frozen=True, slots=True)
class FileText:
    """What a file says, and what it calls itself; an empty title where it does not."""

    title: str
    text: str


def read_file(path: Path, encoding: str | None = None) -> FileText:
    """Return the text of a file and its title.

    Raises:
        DataError: it cannot be read, is damaged, or holds no text; in one line that names it.
        MissingExtra: a PDF without pypdf.
    """
    read = READERS[path.suffix.lower()](read_bytes(path), str(path), encoding)
    if not read.text.strip():
        raise DataError(f"{path}: holds no text (it may be of pictures alone)")
    return read


def _plain(data: bytes, source: str, encoding: str | None) -> FileText:
    return FileText("", _unix(decode(data, source, encoding).text))


def _markdown(data: bytes, source: str, encoding: str | None) -> FileText:
    """Read Markdown as it is written: its marks are few, and what is quoted stands in the file."""
    text = _unix(decode(data, source, encoding).text)
    heading = _HEADING.search(text)
    return FileText(heading.group(1) if heading else "", text)


def _html(data: bytes, source: str, encoding: str | None) -> FileText:
    visible = _Visible()
    visible.feed(_unix(_page(data, source, encoding)))
    visible.close()
    return FileText(" ".join("".join(visible.title).split()), visible.text())


def _page(data: bytes, source: str, encoding: str | None) -> str:
    """Return a page decoded as it says, unless it is marked otherwise or says what it is not."""
    declared = _DECLARED.search(data, 0, _DECLARED_WITHIN)
    if encoding is None and declared is not None and not data.startswith(_MARKS):
        name = declared.group(1).decode("ascii").lower()
        try:
            return decode(data, source, _MEANT.get(name, name)).text
        except DataError:
            pass  # what it says of itself is wrong, and is found out
    return decode(data, source, encoding).text


def _pdf(data: bytes, source: str, encoding: str | None) -> FileText:
    try:
        from pypdf import PdfReader
    except ImportError:
        raise MissingExtra("pypdf", "search", f"reading {source}") from None
    try:
        with _silent("pypdf"):
            reader = PdfReader(BytesIO(data))
            pages = [page.extract_text() for page in reader.pages]
            title = (reader.metadata.title if reader.metadata else None) or ""
    except Exception as error:  # a damaged file can break any assumption of its parser
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{source}: not a readable PDF ({reason})") from None
    return FileText(str(title).strip(), "\n\n".join(page.strip() for page in pages))


Read = Callable[[bytes, str, str | None], FileText]
# By the ending of a file's name.
READERS: dict[str, Read] = {
    ".txt": _plain,
    ".md": _markdown,
    ".markdown": _markdown,
    ".html": _html,
    ".htm": _html,
    ".pdf": _pdf,
}


class _Visible(HTMLParser):
    """Collects what a reader of a page sees; blocks begin new lines."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.title: list[str] = []
        self._parts: list[str] = []
        self._unseen: list[str] = []
        self._held: list[str] = []  # what stands in an unseen element, which may never be closed
        self._in_title = False
        self._in_pre = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what stands open."""
        self._in_title = tag == "title" and not self.title
        self._end_what_nobody_closed(tag)
        if tag == "body":
            self._unseen.clear()
        elif tag in _UNSEEN:
            self._unseen.append(tag)
        elif _BLOCKS.fullmatch(tag):
            self._parts.append("\n")
            self._in_pre = tag == "pre"

    def _end_what_nobody_closed(self, tag: str) -> None:
        """End a head, whose end need not be written, at the first thing that is seen."""
        if self._unseen == ["head"] and tag not in _OF_A_HEAD:
            self._unseen.clear()

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take `<br/>` as a block; nothing stands open behind it."""
        if _BLOCKS.fullmatch(tag):
            self._parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        """Note what is closed."""
        self._in_title = False
        self._in_pre = self._in_pre and tag != "pre"
        if tag in self._unseen:
            del self._unseen[self._unseen.index(tag) :]
            self._held.clear()
        elif _BLOCKS.fullmatch(tag):
            self._parts.append("\n")

    def handle_data(self, data: str) -> None:
        """Keep what is seen; white space means no more than one space, but for lines of code."""
        if self._in_title:
            self.title.append(data)
        elif not _CODE.intersection(self._unseen):
            kept = data if self._in_pre else re.sub(r"\s+", " ", data)
            (self._held if self._unseen else self._parts).append(kept)

    def text(self) -> str:
        """Return what was seen, line by line."""
        seen = "".join([*self._parts, *self._held])
        lines = (" ".join(line.split()) for line in seen.split("\n"))
        return _BLANK_LINES.sub("\n\n", "\n".join(lines)).strip()


@contextmanager
def _silent(name: str) -> Iterator[None]:
    """Keep a library from writing what it thinks of a file; errors say what matters."""
    logger = logging.getLogger(name)
    before, logger.disabled = logger.disabled, True
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)  # its modules' loggers ask this one
    try:
        yield
    finally:
        logger.setLevel(level)
        logger.disabled = before


def _unix(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
