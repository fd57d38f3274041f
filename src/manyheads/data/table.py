"""What every reader ends in: columns of Python values, and the place of each row in its source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Table:
    """All columns of one source.

    Attributes:
        source: the path as it was given, or ``"dataframe"``.
        unit: what ``rows`` count: ``"line"``, ``"row"``, or ``"question"`` of SQuAD's JSON.
        rows: the 1-based number of each row in its source.
        columns: the values by column name.
        note: what was found out about the file, e.g. ``UTF-8, comma-separated``.
        untyped: the format knows only strings, so that a label such as ``1`` may mean a number.
        files: for a folder of text files, the path of each row's file within ``source``.
        roles: the column of each role, where the format itself says what its columns are for.
        languages: of a translation memory, all that it holds; its columns are named by them.
        running: rows are the lines of one running text, so that their order means something.
    """

    source: str
    unit: str
    rows: Sequence[int]
    columns: Mapping[str, list[Any]]
    note: str
    untyped: bool = False
    files: Sequence[str] | None = None
    roles: Mapping[str, str] = field(default_factory=dict)
    languages: Sequence[str] = ()
    running: bool = False

    def __len__(self) -> int:
        return len(self.rows)


class ArrowColumns(Mapping[str, list[Any]]):
    """The columns of an Arrow table, each turned into Python values when it is asked for."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def __getitem__(self, name: str) -> list[Any]:
        values: list[Any] = self._table.column(name).to_pylist()
        return values

    def __iter__(self) -> Iterator[str]:
        return iter(self._table.column_names)

    def __len__(self) -> int:
        return len(self._table.column_names)
