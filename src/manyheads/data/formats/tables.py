"""Read one table: a file, two aligned files, a folder, a dataframe or a mapping of lists."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from manyheads.data.formats.aligned import read_aligned, split_lines
from manyheads.data.formats.catalog import read_catalogs
from manyheads.data.formats.conll import CONLL_ENDINGS, looks_tagged, parse_sentences
from manyheads.data.formats.delimited import parse_delimited
from manyheads.data.formats.encoding import Decoded, decode
from manyheads.data.formats.files import read_bytes, require_path
from manyheads.data.formats.folder import (
    CATALOG_ENDINGS,
    ENDINGS,
    TABLE_ENDINGS,
    catalog_files,
    class_files,
    ending,
    pick_file,
)
from manyheads.data.formats.long_table import by_sentence
from manyheads.data.formats.squad import find_articles, questions_of
from manyheads.data.formats.tmx import read_memory
from manyheads.data.table import ArrowColumns, Table
from manyheads.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

_DELIMITERS = {".csv": ",", ".tsv": "\t", ".tab": "\t"}  # the usual ones, by a file's ending


def read_table(
    source: Any,
    *,
    encoding: str | None = None,
    delimiter: str | None = None,
    languages: Sequence[str] | None = None,
    wanted: Sequence[str | int] = (),
) -> Table:
    """Read a table with all its columns.

    Args:
        source: the path of a CSV, TSV, JSON Lines, JSON (records, or as SQuAD is published),
            Parquet, text, TMX or gettext file (``.gz`` of each too); of a folder with one
            sub-folder of text files per class, or of gettext catalogs of one language, or a pattern
            that names such catalogs; a tuple of two paths, to files that are aligned line by line;
            a mapping of lists; a table that was read; or a dataframe of pandas, polars, pyarrow,
            Hugging Face datasets or any library that speaks the Arrow PyCapsule protocol. Tables of
            one word a row, with the id of its sentence, become tables of sentences.
        encoding: of a text file; found out when None.
        delimiter: of a CSV or TSV file; found out when None.
        languages: the only ones to keep of a translation memory; all when None.
        wanted: the columns that will be asked for; numbers say that a CSV or TSV file has no
            header, and its columns are named by their numbers from 0 on.

    Raises:
        DataError: the source is missing, empty, damaged or of an unknown kind; names the file and,
            where there is one, the line.
        MissingExtra: a gettext catalog without polib.
    """
    if isinstance(source, Table):
        table = source
    elif isinstance(source, tuple | list):
        table = _read_aligned(source, encoding)
    elif not isinstance(source, str | Path):
        table = _from_memory(source)
    elif catalogs := catalog_files(path := Path(source).expanduser()):
        table = _read_catalogs(catalogs, encoding)
    elif path.is_dir():
        table = _read_folder(path, encoding, wanted)
    elif ending(path) == ".tmx":
        table = _read_memory(path, encoding, languages)
    else:
        table = _read_file(path, encoding, delimiter, wanted)
    if not len(table):
        raise DataError(
            f"{table.source}: holds no rows" + (", only a header" if table.columns else "")
        )
    return by_sentence(table)


def _read_file(
    path: Path, encoding: str | None, delimiter: str | None, wanted: Sequence[str | int]
) -> Table:
    source, kind = str(path), ending(path)
    require_path(path)
    if kind in CATALOG_ENDINGS:
        return _read_catalogs([path], encoding)
    if kind not in (*TABLE_ENDINGS, *CONLL_ENDINGS):
        named = f"files named {kind}" if kind else "files without an ending"
        raise DataError(
            f"{source}: {named} are not read; save the table as one of "
            f"{', '.join(ENDINGS)} (.gz of each too); of two files aligned line by line give the "
            "folder, with --text and --target as they end, or in Python both paths"
        )
    data = read_bytes(path)
    if kind in (".parquet", ".pq"):
        return _read_parquet(data, source)
    decoded = decode(data, source, encoding)
    if kind in CONLL_ENDINGS or (kind == ".txt" and not delimiter and looks_tagged(decoded.text)):
        return _read_tagged(decoded, source, universal=kind == ".conllu")
    # A text file holds one text per line, unless a delimiter says that it is a table.
    if kind in _DELIMITERS or (kind == ".txt" and delimiter):
        usual = _DELIMITERS.get(kind, ",")
        parsed = parse_delimited(decoded.text, source, delimiter, usual, wanted)
        note = f"{decoded.describe()}, {parsed.describe()}"
        return Table(source, "line", parsed.lines, parsed.columns, note, untyped=True)
    return _read_lines(decoded, source) if kind == ".txt" else _read_json_lines(decoded, source)


def _read_lines(decoded: Decoded, source: str) -> Table:
    lines = split_lines(decoded.text)
    note = f"{decoded.describe()}, one text per line"
    rows = range(1, len(lines) + 1)
    roles = {"text": "text"}
    return Table(source, "line", rows, {"text": lines}, note, roles=roles, running=True)


def _read_tagged(decoded: Decoded, source: str, *, universal: bool) -> Table:
    found = parse_sentences(decoded.text, source, universal=universal)
    text, label = ("form", "upos") if "form" in found.columns else ("0", list(found.columns)[-1])
    note = f"{decoded.describe()}, one word per line"
    roles = {"text": text, "label": label}
    return Table(source, "line", found.lines, found.columns, note, roles=roles)


def _read_json_lines(decoded: Decoded, source: str) -> Table:
    if decoded.text.lstrip().startswith("["):
        return _read_json_array(decoded, source)
    if (articles := find_articles(decoded.text)) is not None:
        columns = questions_of(articles, source)
        note = f"{decoded.describe()}, questions as SQuAD has them"
        return Table(source, "question", range(1, len(columns["id"]) + 1), columns, note)
    records, lines = [], []
    # not str.splitlines: that also breaks at Unicode separators inside of texts
    for number, line in enumerate(decoded.text.split("\n"), 1):
        if line.strip():
            records.append(_json_object(line, f"{source}, line {number}"))
            lines.append(number)
    return Table(source, "line", lines, _columns_of(records), decoded.describe())


def _json_object(line: str, place: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except (json.JSONDecodeError, RecursionError) as error:
        raise DataError(f"{place}: not JSON ({error}); write one object per line") from None
    if not isinstance(record, dict):
        raise DataError(f'{place}: not a JSON object; write {{"text": …, "label": …}}')
    return record


def _read_json_array(decoded: Decoded, source: str) -> Table:
    try:
        records = json.loads(decoded.text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise DataError(f"{source}: not JSON ({error}); write one object per line") from None
    for number, record in enumerate(records, 1):
        if not isinstance(record, dict):
            raise DataError(f'{source}, row {number}: not an object; write {{"text": …}}')
    rows = range(1, len(records) + 1)
    return Table(source, "row", rows, _columns_of(records), decoded.describe())


def _columns_of(records: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    names = dict.fromkeys(name for record in records for name in record)
    return {name: [record.get(name) for record in records] for name in names}


def _read_parquet(data: bytes, source: str) -> Table:
    import pyarrow as pa
    import pyarrow.parquet

    try:
        return _from_arrow(pyarrow.parquet.read_table(pa.BufferReader(data)), source, "Parquet")
    except pa.ArrowException as error:
        raise DataError(f"{source}: not a readable Parquet file ({_first_line(error)})") from None


def _read_folder(folder: Path, encoding: str | None, wanted: Sequence[str | int]) -> Table:
    by_class = class_files(folder)
    if not by_class:
        return _read_file(pick_file(folder), encoding, None, wanted)
    labelled = [(label, path) for label, paths in by_class.items() for path in paths]
    decoded = [decode(read_bytes(path), str(path), encoding) for _, path in labelled]
    columns = {
        "text": [file.text for file in decoded],
        "label": [label for label, _ in labelled],
    }
    files = [path.relative_to(folder).as_posix() for _, path in labelled]
    encodings = dict.fromkeys(file.describe() for file in decoded)
    note = f"{' and '.join(encodings)}, one folder per class"
    return Table(str(folder), "row", range(1, len(files) + 1), columns, note, files=files)


def _read_aligned(paths: Sequence[Any], encoding: str | None) -> Table:
    pair = read_aligned(paths, encoding)
    first, second = pair.columns
    rows = range(1, len(pair.columns[first]) + 1)
    roles = {"text": first, "target": second}
    return Table(pair.source, "line", rows, pair.columns, pair.note, roles=roles)


def _read_memory(path: Path, encoding: str | None, languages: Sequence[str] | None) -> Table:
    memory = read_memory(path, languages, encoding)
    return Table(
        str(path),
        "line",
        memory.lines,
        memory.columns,
        memory.describe(),
        roles=dict(zip(("text", "target"), memory.sides(), strict=False)),
        languages=memory.languages,
    )


def _read_catalogs(paths: Sequence[Path], encoding: str | None) -> Table:
    catalog = read_catalogs(paths, encoding)
    rows = catalog.lines or range(1, len(catalog.texts) + 1)
    columns = {"msgid": catalog.texts, "msgstr": catalog.targets}
    roles = {"text": "msgid", "target": "msgstr"}
    unit = "line" if catalog.lines else "row"
    note = catalog.describe()
    return Table(catalog.source, unit, rows, columns, note, files=catalog.places, roles=roles)


def _from_memory(source: Any) -> Table:
    if isinstance(source, Mapping):
        return _from_mapping(source)
    import pyarrow as pa

    if hasattr(source, "with_format"):  # Hugging Face datasets have Arrow inside, no PyCapsule
        source = source.with_format("arrow")[:]
    if not hasattr(source, "__arrow_c_stream__"):
        raise DataError(
            f"cannot read a table from {type(source).__name__!r}; "
            "pass a path, a mapping of lists or a dataframe"
        )
    names = list(map(str, getattr(source, "columns", ())))
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise DataError(f"dataframe: two columns are named {twice!r}; rename one of them")
    try:
        return _from_arrow(pa.table(source), "dataframe", "")
    except (pa.ArrowException, UnicodeError) as error:
        raise DataError(
            f"dataframe: cannot be read ({_first_line(error)}); give each column one type"
        ) from None


def _from_arrow(table: pa.Table, source: str, note: str) -> Table:
    return Table(source, "row", range(1, table.num_rows + 1), ArrowColumns(table), note)


def _from_mapping(source: Mapping[str, Any]) -> Table:
    columns = {
        str(name): values.tolist() if hasattr(values, "tolist") else list(values)
        for name, values in source.items()
    }
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise DataError(f"mapping: the columns must be of equal length, and are {lengths}")
    return Table("mapping", "row", range(1, max(lengths.values(), default=0) + 1), columns, "")


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
