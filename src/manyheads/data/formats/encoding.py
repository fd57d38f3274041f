"""From bytes to text: find the encoding of a file, and say whether it is known or assumed."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

from manyheads.errors import DataError, did_you_mean

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark is a prefix of this one
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_ENCODING_NAMES = ("utf-8", "utf-16", "gb18030", "big5", "shift_jis", "euc_kr", "cp1251", "cp1252")
_SAMPLE = 100_000
_ASCII = re.compile(r"[\x00-\x7f]+")
# The commonest characters of Chinese prose: about a quarter of any text in simplified characters.
_COMMON_HAN = frozenset(
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之"
    "年过发后作里很好还都没看书点店房"
)


@dataclass(frozen=True, slots=True)
class Decoded:
    """A text file as text.

    ``assumed`` is true when the bytes fit the encoding but do not prove it.
    """

    text: str
    encoding: str
    assumed: bool

    def describe(self) -> str:
        """Return the encoding in words, e.g. ``GB18030 (assumed: it is not UTF-8)``."""
        name = self.encoding.upper()
        return f"{name} (assumed: it is not UTF-8)" if self.assumed else name


def decode(data: bytes, source: str, encoding: str | None = None) -> Decoded:
    """Decode the bytes of a text file, finding out the encoding unless it is given.

    Tried in this order: byte order mark, UTF-16 without one, strict UTF-8, GB18030, Windows-1252.
    The last two fit the bytes of many encodings, so they must also look like Chinese or like
    Western European text.

    Raises:
        DataError: the bytes fit no encoding, or not the given one; names the file and the line.
    """
    decoded = _decode_as(data, source, encoding) if encoding else _detect(data, source)
    text = decoded.text.removeprefix("\ufeff")
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise DataError(
            f"{source}, line {line}: holds NUL characters, so it is not a text file in "
            f"{decoded.encoding}; save it as UTF-8 text, or pass its encoding (e.g. 'utf-16')"
        )
    return Decoded(text, decoded.encoding, decoded.assumed)


def _decode_as(data: bytes, source: str, encoding: str) -> Decoded:
    try:
        name = codecs.lookup(encoding).name
        return Decoded(data.decode(name), name, assumed=False)
    except LookupError:
        hint = did_you_mean(encoding, _ENCODING_NAMES)
        raise DataError(
            f"{source}: unknown encoding {encoding!r}; e.g. utf-8 or gb18030.{hint}"
        ) from None
    except UnicodeDecodeError as error:
        raise _undecodable(data, source, error, f"choose another encoding than {name}") from None


def _detect(data: bytes, source: str) -> Decoded:
    for mark, encoding in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return _decode_as(data, source, encoding)
    if utf16 := _utf16_without_mark(data):
        return Decoded(data.decode(utf16), utf16, assumed=False)
    try:
        return Decoded(data.decode("utf-8"), "utf-8", assumed=False)
    except UnicodeDecodeError as error:
        not_utf8 = error
    if _nearly_utf8(data):
        remedy = "the rest of the file is UTF-8: mend this line, or pass the file's encoding"
        raise _undecodable(data, source, not_utf8, remedy)
    for encoding, looks_right in (("gb18030", _looks_chinese), ("cp1252", _looks_western)):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if looks_right(text):
            return Decoded(text, encoding, assumed=True)
    remedy = "save the file as UTF-8, or pass its encoding (e.g. 'big5', 'shift_jis', 'cp1251')"
    raise _undecodable(data, source, not_utf8, remedy)


def _undecodable(data: bytes, source: str, error: UnicodeDecodeError, remedy: str) -> DataError:
    line = data.count(b"\n", 0, error.start) + 1
    byte = data[error.start]
    return DataError(f"{source}, line {line}: byte 0x{byte:02X} is not {error.encoding}; {remedy}")


def _utf16_without_mark(data: bytes) -> str | None:
    """ASCII in UTF-16 has a NUL in every second byte; text in UTF-8 has none at all."""
    sample = data[:_SAMPLE]
    if len(data) % 2 or b"\0" not in sample:
        return None
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    encoding = "utf-16-le" if odd > even else "utf-16-be"
    if max(even, odd) < len(sample) / 5 or min(even, odd) > 0:
        return None
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return None
    return encoding


def _nearly_utf8(data: bytes) -> bool:
    """Whether a UTF-8 file was damaged: most of its non-ASCII sequences are in order."""
    beyond_ascii = _ASCII.sub("", data.decode("utf-8", errors="replace"))
    broken = beyond_ascii.count("\ufffd")
    return len(beyond_ascii) - broken > 4 * broken


def _looks_chinese(text: str) -> bool:
    """Nearly all characters are in GB2312, and in a long text the common ones are common."""
    wide = _ASCII.sub("", text)[:_SAMPLE]
    simplified = len(wide.encode("gb2312", errors="ignore")) / 2
    if simplified < 0.9 * len(wide):
        return False
    common = sum(character in _COMMON_HAN for character in wide)
    return len(wide) < 100 or common > 0.05 * len(wide)


def _looks_western(text: str) -> bool:
    """Accented letters are sprinkled over Western European text; elsewhere they would abound."""
    sample = text[:_SAMPLE]
    return len(_ASCII.sub("", sample)) < 0.3 * len(sample)
