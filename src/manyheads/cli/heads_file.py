"""A TOML file of heads: which data each learns from, and what it learns.

data = "reviews.csv"             # what stands above the heads holds for all of them
text = "review"
temperature = 2.0                # as in mh.ManyHeads

[heads.topic]
label = "category"               # heads with the same data are read as one table

[heads.stars]
label = "rating"
task = "regression"              # guessed from the labels where nothing is said

[heads.names]
data = "names.conll"             # seen from the folder of this file
valid = 0.2                      # a share of the rows, or other data
weight = 0.5
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from manyheads.cli.kinds import usual_kind
from manyheads.cli.options import TaskKind
from manyheads.data import Dataset, joined, read, read_heads
from manyheads.data.dataset import are_numbers
from manyheads.data.joined import JoinedDataset
from manyheads.errors import DataError, did_you_mean

ENDING = ".toml"
_COLUMNS = ("text", "pair", "label")
_SPLITS = ("valid", "test")
KINDS = (
    TaskKind.CLASSIFICATION,
    TaskKind.MULTI_LABEL,
    TaskKind.REGRESSION,
    TaskKind.TAGGING,
    TaskKind.ANSWERING,
)


@dataclass(frozen=True)
class Source:
    """Where the rows of a head stand; heads of equal sources are read together."""

    data: str | None = None
    text: str | int | None = None
    pair: str | int | None = None
    valid: str | float | None = None
    test: str | float | None = None
    encoding: str | None = None


@dataclass(frozen=True)
class Head:
    """What a file says of one head."""

    source: Source
    label: str | int | None
    task: TaskKind | None
    weight: float


@dataclass(frozen=True, repr=False)
class HeadsData(JoinedDataset):
    """The data sets of the heads of a file, and what each of them learns."""

    kinds: Mapping[str, TaskKind] = field(kw_only=True)
    weights: Mapping[str, float] = field(kw_only=True)
    temperature: float = field(kw_only=True)

    def arguments(self) -> dict[str, Any]:
        """Return, as JSON values, what another run must share to be the same one."""
        return {
            "kinds": dict(self.kinds),
            "weights": dict(self.weights),
            "temperature": self.temperature,
        }


def read_heads_file(
    path: Path, valid: float | str | None, test: float | str | None, seed: int
) -> HeadsData:
    """Read the data of all heads of a file, with shares of the rows held out.

    What the file says of a split goes before `valid` and `test`; but where one of these is 0, no
    share of the rows is held out for it.

    Raises `DataError` for what the file says wrongly, and what reading raises.
    """
    if isinstance(valid, str) or isinstance(test, str):
        option, value = ("--valid", valid) if isinstance(valid, str) else ("--test", test)
        raise DataError(
            f"{option} {value} names data for all heads; name those of each head in {path}"
        )
    document = _document(path)
    heads, temperature = _heads(document, path), document.get("temperature", 1.0)
    if not _is_number(temperature) or temperature <= 0:
        raise DataError(f"{path}: temperature={temperature!r} must be a number above 0")
    data = _read(heads, valid, test, seed)
    whole = joined({head: data[head] for head in heads})
    return HeadsData(
        **{one.name: getattr(whole, one.name) for one in fields(whole)},
        kinds={head: one.task or _kind_of(data[head]) for head, one in heads.items()},
        weights={head: one.weight for head, one in heads.items()},
        temperature=float(temperature),
    )


def _document(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise DataError(f"{path} is not valid TOML: {error}") from None


def _heads(document: Mapping[str, Any], path: Path) -> dict[str, Head]:
    """Return the heads of a file; raises `DataError` naming what is wrong."""
    shared = {key: value for key, value in document.items() if key not in ("heads", "temperature")}
    names = [one.name for one in fields(Source)]
    _refuse_unknown(shared, names, f"{path}", also=("heads", "temperature"))
    tables = document.get("heads")
    if not isinstance(tables, dict) or not tables:
        raise DataError(f"{path} names no heads; write tables such as [heads.topic]")
    return {head: _head(head, own, shared, path) for head, own in tables.items()}


def _head(head: str, own: Any, shared: Mapping[str, Any], path: Path) -> Head:
    place = f"{path}, head {head!r}"
    if not isinstance(own, dict):
        raise DataError(f"{place} is {own!r}; write a table, [heads.{head}]")
    names = [one.name for one in fields(Source)]
    _refuse_unknown(own, [*names, "label", "task", "weight"], place)
    said = {**shared, **own}
    _refuse_wrong_types(said, place)
    source = {name: said.get(name) for name in names}
    if source["data"] is None:
        raise DataError(f"{place} has no data; name a table, as in data = 'reviews.csv'")
    for name in ("data", *_SPLITS):
        if isinstance(value := source[name], str):
            source[name] = str(path.parent / value)
    weight = own.get("weight", 1.0)
    if not _is_number(weight) or weight <= 0:
        raise DataError(f"{place}: weight={weight!r} must be a number above 0")
    task = own.get("task")
    if task is not None and task not in KINDS:
        raise DataError(
            f"{place}: task={task!r} is none of {', '.join(KINDS)}.{did_you_mean(str(task), KINDS)}"
        )
    return Head(Source(**source), own.get("label"), task and TaskKind(task), float(weight))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _refuse_wrong_types(table: Mapping[str, Any], place: str) -> None:
    """Raise `DataError` for a value that is not what its key is for."""
    for key, value in table.items():
        is_column = isinstance(value, int) and not isinstance(value, bool) and key in _COLUMNS
        is_share = _is_number(value) and key in _SPLITS and 0 <= value < 1
        if isinstance(value, str) or is_column or is_share or key in ("task", "weight"):
            continue
        if key in _COLUMNS:
            wanted = f"the name of a column, as in {key} = 'review', or its number from 0 on"
        elif key in _SPLITS:
            wanted = f"a table, or a share of the rows from 0 to below 1, as in {key} = 0.1"
        else:
            wanted = f"a string, as in {key} = '{'utf-8' if key == 'encoding' else 'reviews.csv'}'"
        raise DataError(f"{place}: {key}={value!r} must be {wanted}")


def _refuse_unknown(
    table: Mapping[str, Any], known: list[str], place: str, also: tuple[str, ...] = ()
) -> None:
    """Raise `DataError` for a key that means nothing."""
    for key in table:
        if key not in known:
            every = [*known, *also]
            raise DataError(
                f"{place}: unknown key {key!r}.{did_you_mean(key, every)} Known: {', '.join(every)}"
            )


def _read(
    heads: Mapping[str, Head], valid: float | None, test: float | None, seed: int
) -> dict[str, Dataset]:
    """Read every source once; heads that share one get the same rows held out."""
    found: dict[str, Dataset] = {}
    for source in dict.fromkeys(one.source for one in heads.values()):
        own = {head: one.label for head, one in heads.items() if one.source == source}
        settings = asdict(source)
        reference = settings.pop("data")
        settings |= {
            "valid": _held_out(source.valid, valid),
            "test": _held_out(source.test, test),
            "seed": seed,
        }
        if len(own) == 1:
            ((head, label),) = own.items()
            found[head] = read(reference, label=label, **settings)
            continue
        without = next((head for head, label in own.items() if label is None), None)
        if without is not None:
            raise DataError(
                f"head {without!r} shares {reference} with others; name its column, as in "
                "label = 'topic'"
            )
        labels = {head: label for head, label in own.items() if label is not None}
        found |= read_heads(reference, labels, **settings).sets()
    return found


def _held_out(own: str | float | None, asked: float | None) -> str | float | None:
    """Return what the file says of a split, else the share that is asked for."""
    is_share = own is not None and not isinstance(own, str)
    return asked if own is None or (is_share and asked == 0) else own


def _kind_of(data: Dataset) -> TaskKind:
    """Return what labels are for: numbers with a fraction are values, not classes."""
    if are_numbers(data.train.columns["label"]):
        return TaskKind.REGRESSION
    return usual_kind(data)
