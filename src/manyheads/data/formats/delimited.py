"""CSV and TSV: find the delimiter, parse with true line numbers, and infer the type of a column.

Python's ``csv`` does the parsing, because it alone tells on which line a record begins: a quoted
text may hold line breaks, and an error that names the wrong line is worse than none.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from manyheads.errors import DataError

_DELIMITERS = (",", "\t", ";", "|")
_DELIMITER_NAMES = {",": "comma", "\t": "tab", ";": "semicolon", "|": "bar"}
_SAMPLE = 200_000
_LARGEST_FIELD = 2**31 - 1  # the module's own limit is 131,072 characters: one long text
_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")  # "007" is a name, not a number
_FLOAT = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]*)?([eE][+-]?[0-9]+)?|-?\.[0-9]+")
_BOOLEANS = {"true": True, "false": False}
_MISSING = frozenset({"", "na", "n/a", "#n/a", "nan", "-nan", "null", "none", "<na>"})


@dataclass(frozen=True, slots=True)
class Delimited:
    """A parsed table of strings: the columns by name, and the line where each record begins."""

    columns: dict[str, list[str]]
    lines: list[int]
    delimiter: str
    quoted: bool
    header: bool = True

    def describe(self) -> str:
        """Return how the table was taken apart, e.g. ``semicolon-separated``."""
        name = _DELIMITER_NAMES.get(self.delimiter, repr(self.delimiter))
        quotes = "" if self.quoted else ", double quotes taken literally"
        return f"{name}-separated{quotes}" + ("" if self.header else ", columns by number")


def parse_delimited(
    text: str,
    source: str,
    delimiter: str | None = None,
    fallback: str = ",",
    wanted: Sequence[str | int] = (),
) -> Delimited:
    """Parse a table whose first record names the columns, unless they are wanted by number.

    Args:
        delimiter: one character; found out when None.
        fallback: the delimiter of a table in which none is found: it has one column.
        wanted: the columns that will be asked for. Where they are numbers there is no header, and
            columns are named by their numbers from 0 on. Numbers that are spelled as strings are
            names where the first record holds them, but not where numbers stand below them too.

    Raises:
        DataError: bad quoting, a record with more or fewer fields than the first, two columns
            of one name, columns wanted by number and by name; names the file and the line.
    """
    delimiter = _given(delimiter) if delimiter else _find_delimiter(text, fallback)
    parsed = _parse_unquoted(text) if delimiter == "\t" else None
    quoted = parsed is None
    records, lines = parsed or _parse(text, source, delimiter)
    if not records:
        raise DataError(f"{source}: holds no table; its first line must name the columns")
    first, header = records[0], _has_header(records, source, wanted)
    names = _header(first, source) if header else [str(number) for number in range(len(first))]
    for record, line in zip(records, lines, strict=True):
        if len(record) != len(names):
            raise DataError(
                f"{source}, line {line}: {len(record)} fields where the "
                f"{'header' if header else 'first line'} has {len(names)}; "
                f"put double quotes around a field that holds {delimiter!r} or a line break"
            )
    if header:
        del records[0], lines[0]
    values = zip(*records, strict=True) if records else ((),) * len(names)
    columns = {name: list(column) for name, column in zip(names, values, strict=True)}
    return Delimited(columns, lines, delimiter, quoted, header)


def infer(values: Sequence[str]) -> list[str | int | float | bool | None]:
    """Turn a column of strings into integers, floats or booleans where every value allows it.

    In a column of such values, empty fields and spellings of "not available" become None (and
    integers stay integers). Otherwise the strings stay as they are: "001" is not a number, and a
    class may well be called "None".
    """
    present = [value for value in values if value.strip().lower() not in _MISSING]
    convert: Callable[[str], int | float | bool]
    if not present:
        return list(values)
    if all(map(_INTEGER.fullmatch, present)):
        convert = int
    elif all(map(_FLOAT.fullmatch, present)):
        convert = float
    elif all(value.lower() in _BOOLEANS for value in present):
        convert = _boolean
    else:
        return list(values)
    return [None if value.strip().lower() in _MISSING else convert(value) for value in values]


def _boolean(value: str) -> bool:
    return _BOOLEANS[value.lower()]


def _given(delimiter: str) -> str:
    character = "\t" if delimiter in ("\\t", "tab") else delimiter
    if len(character) != 1:
        raise DataError(f"delimiter {delimiter!r} must be one character, e.g. ',' or ';' or '\\t'")
    return character


def _has_header(records: Sequence[Sequence[str]], source: str, wanted: Sequence[str | int]) -> bool:
    """Whether the first record names the columns, as the columns say that are wanted."""
    names = [one for one in wanted if isinstance(one, str)]
    if len(names) < len(wanted):
        if names:
            raise DataError(
                f"{source}: columns are given by number and by name ({names[0]!r}); where there is "
                "no header, all need numbers"
            )
        return False
    if not names or not all(map(_is_number, names)):
        return True
    first = [field.strip() for field in records[0]]
    if not set(first).issuperset(names):
        return False
    places = [first.index(name) for name in names]
    below = [record[i] for record in records[1:] for i in places if i < len(record)]
    return not all(map(_is_number, below))


def _is_number(field: str) -> bool:
    return field.isascii() and field.isdecimal()


def _header(record: list[str], source: str) -> list[str]:
    names = [name.strip() or f"column {number}" for number, name in enumerate(record, 1)]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"{source}: two columns are named {twice!r}; rename one of them")
    return names


def _parse(text: str, source: str, delimiter: str) -> tuple[list[list[str]], list[int]]:
    """Return the records that are not blank, and the line where each begins."""
    records, lines = [], []
    begins = 1
    earlier_limit = csv.field_size_limit(_LARGEST_FIELD)
    # newline="" keeps the line breaks inside of texts as they are
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for record in reader:
            if record:
                records.append(record)
                lines.append(begins)
            begins = reader.line_num + 1
    except csv.Error as error:
        raise DataError(
            f"{source}, line {begins}: bad quoting ({error}); write a double quote inside of a "
            'quoted field twice (""), and close every quoted field'
        ) from None
    finally:
        csv.field_size_limit(earlier_limit)
    return records, lines


def _parse_unquoted(text: str) -> tuple[list[list[str]], list[int]] | None:
    """Parse a tab-separated file that was written without quoting, where a text may begin with ".

    Such a file has the same number of tabs on every line, while quotes would glue lines together.
    Returns None when quotes work: they are the usual case.
    """
    numbered = [(line, number) for number, line in enumerate(_lines(text), 1) if line]
    tabs = {line.count("\t") for line, _ in numbered}
    if len(tabs) != 1 or tabs == {0}:
        return None
    try:
        records, _ = _parse(text, "", "\t")
    except DataError:
        records = []
    if len(records) == len(numbered):
        return None
    return [line.split("\t") for line, _ in numbered], [number for _, number in numbered]


def _lines(text: str) -> list[str]:
    # not str.splitlines: that also breaks at form feeds and Unicode separators inside of texts
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _find_delimiter(text: str, usual: str) -> str:
    """Return the delimiter that gives the first record several fields and most records as many.

    It is the usual one where that gives all of them as many, or where there is none.
    """
    sample = text[:_SAMPLE]
    best, best_score = usual, (0.0, 0)
    for delimiter in (usual, *_DELIMITERS):
        sizes = _record_sizes(sample, delimiter)
        if not sizes or sizes[0] < 2:
            continue
        score = (sizes.count(sizes[0]) / len(sizes), sizes[0])
        if delimiter == usual and score[0] == 1.0:
            return usual
        if score > best_score:
            best, best_score = delimiter, score
    return best


def _record_sizes(sample: str, delimiter: str) -> list[int]:
    earlier_limit = csv.field_size_limit(_LARGEST_FIELD)
    try:
        reader = csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter)
        sizes = [len(record) for record in reader if record]
    finally:
        csv.field_size_limit(earlier_limit)
    # the sample may end inside of its last record
    return sizes[:-1] if len(sample) == _SAMPLE and len(sizes) > 1 else sizes
