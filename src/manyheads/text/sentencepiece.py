"""The file of a SentencePiece model, read without the package of that name.

Such a file (``spiece.model``, ``source.spm``) is one protocol buffer, of which five fields say how
text becomes pieces. Their numbers stand in ``sentencepiece_model.proto`` (Kudo & Richardson 2018).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from manyheads.errors import ConfigError

_Value = int | bytes
# How a value is written, by the last three bits of its key: a number, or bytes, so many of them.
_VARYING, _COUNTED, _SIZES = 0, 2, {1: 8, 5: 4}


class Kind(Enum):
    """What a piece is for, by its number in the file."""

    NORMAL = 1
    UNKNOWN = 2
    CONTROL = 3
    USER_DEFINED = 4
    UNUSED = 5
    BYTE = 6


class Segmentation(Enum):
    """How a text is cut into pieces, by its number in the file."""

    UNIGRAM = 1  # the pieces that are the most probable together (Kudo 2018)
    BYTE_PAIR = (
        2  # neighbours are merged, those with the highest score first (Sennrich et al. 2016)
    )


@dataclass(frozen=True, slots=True)
class ScoredPiece:
    """A piece, its log-probability or rank, and what it is for."""

    text: str
    score: float
    kind: Kind


@dataclass(frozen=True)
class PieceModel:
    """What a SentencePiece model says.

    Attributes:
        pieces: The piece of each id.
        segmentation: How a text is cut into them.
        byte_fallback: Whether unknown characters are read as their bytes.
        replacements: What stands for which characters, compiled to a trie; empty for none.
        leading_space: Whether a space is put in front of every text.
        one_space: Whether spaces around a text are left out, and all but one of those inside.
    """

    pieces: tuple[ScoredPiece, ...]
    segmentation: Segmentation
    byte_fallback: bool
    replacements: bytes
    leading_space: bool
    one_space: bool

    @property
    def unknown(self) -> str:
        """The piece that stands for what no other piece spells."""
        return next(piece.text for piece in self.pieces if piece.kind is Kind.UNKNOWN)


def read_pieces(path: Path) -> PieceModel:
    """Read the file of a SentencePiece model.

    Raises:
        ConfigError: The file is damaged or none of SentencePiece, or cuts text in a way that is
            not known here.
    """
    try:
        return _model(path.read_bytes())
    except (ValueError, struct.error) as error:
        raise ConfigError(
            f"{path.name} is no SentencePiece model as known here: {error}"
        ) from error


def _model(data: bytes) -> PieceModel:
    pieces, sections = [], {}
    for number, value in _fields(data):
        if number == 1:
            pieces.append(_piece(value))
        else:
            sections[number] = value
    training, normalizing = (dict(_fields(sections.get(number, b""))) for number in (2, 3))
    if not any(piece.kind is Kind.UNKNOWN for piece in pieces) or 2 not in sections:
        raise ValueError("it is damaged, or another kind of file; restore it")
    if training.get(24) or not normalizing.get(5, 1):
        raise ValueError("a space belongs to no piece, or to the piece before it")
    segmentation = Segmentation(training.get(3, Segmentation.UNIGRAM.value))
    unused = any(piece.kind is Kind.UNUSED for piece in pieces)
    if unused and segmentation is Segmentation.BYTE_PAIR:
        raise ValueError("some of its merges are undone again")
    return PieceModel(
        pieces=tuple(pieces),
        segmentation=segmentation,
        byte_fallback=bool(training.get(35)),
        replacements=_bytes(normalizing.get(2, b"")),
        leading_space=bool(normalizing.get(3, 1)),
        one_space=bool(normalizing.get(4, 1)),
    )


def _piece(data: _Value) -> ScoredPiece:
    text, score, kind = "", 0.0, Kind.NORMAL
    for number, value in _fields(data):
        if number == 1:
            text = _bytes(value).decode("utf-8")
        elif number == 2:
            (score,) = struct.unpack("<f", _bytes(value))
        elif number == 3:
            kind = Kind(value)
    return ScoredPiece(text, score, kind)


def _fields(message: _Value) -> Iterator[tuple[int, _Value]]:
    """Yield the number and value of each field of a message; numbers of fixed size as bytes."""
    data, at = _bytes(message), 0
    while at < len(data):
        key, at = _number(data, at)
        kind = key & 7
        if kind == _VARYING:
            value, at = _number(data, at)
            yield key >> 3, value
            continue
        size, start = (_number(data, at)) if kind == _COUNTED else (_SIZES.get(kind), at)
        if size is None or start + size > len(data):
            raise ValueError("it is damaged, or another kind of file; restore it")
        at = start + size
        yield key >> 3, data[start:at]


def _number(data: bytes, at: int) -> tuple[int, int]:
    """Return a number of seven bits a byte, the lowest first, and where it ends."""
    if at < len(data) and data[at] < 128:  # nearly always
        return data[at], at + 1
    number, shift = 0, 0
    while at < len(data):
        byte = data[at]
        at += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, at
        shift += 7
    raise ValueError("it is cut off; restore it")


def _bytes(value: _Value) -> bytes:
    if not isinstance(value, bytes):
        raise ValueError("it is damaged, or another kind of file; restore it")
    return value
