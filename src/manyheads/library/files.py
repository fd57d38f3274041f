"""The text of a file: plain text, Markdown, HTML or PDF."""

from __future__ import annotations

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
_UNSEEN = frozenset({"script", "style", "template", "noscript", "head", "svg"})
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
    declared = _DECLARED.search(data, 0, _DECLARED_WITHIN)
    if encoding is None and declared is not None:
        encoding = declared.group(1).decode("ascii")
    visible = _Visible()
    visible.feed(_unix(decode(data, source, encoding).text))
    visible.close()
    return FileText(" ".join("".join(visible.title).split()), visible.text())


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
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what stands open."""
        self._in_title = tag == "title" and not self.title
        if tag == "body":  # a head that nobody closed ends here
            self._unseen.clear()
        elif tag in _UNSEEN:
            self._unseen.append(tag)
        elif _BLOCKS.fullmatch(tag):
            self._parts.append("\n")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take `<br/>` as a block; nothing stands open behind it."""
        if _BLOCKS.fullmatch(tag):
            self._parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        """Note what is closed."""
        self._in_title = False
        if tag in self._unseen:
            del self._unseen[self._unseen.index(tag) :]
        elif _BLOCKS.fullmatch(tag):
            self._parts.append("\n")

    def handle_data(self, data: str) -> None:
        """Keep what is seen; white space in a page means no more than one space."""
        if self._in_title:
            self.title.append(data)
        elif not self._unseen:
            self._parts.append(re.sub(r"\s+", " ", data))

    def text(self) -> str:
        """Return what was seen, line by line."""
        lines = (" ".join(line.split()) for line in "".join(self._parts).split("\n"))
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
