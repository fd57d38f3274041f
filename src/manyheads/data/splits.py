"""What readers of texts and of images share: where splits come from, labels, what is held out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, MutableMapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from manyheads.data.dataset import Split, is_missing
from manyheads.data.formats.aligned import aligned_splits
from manyheads.data.formats.delimited import infer
from manyheads.data.formats.folder import split_name, split_paths
from manyheads.data.joined import JoinedSplit, joined_split
from manyheads.data.split import hold_out, row_keys, text_key
from manyheads.errors import DataError

_SHOWN_ROWS = 5


def sources_of(
    source: Any, own: Mapping[str, Any], wanted: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, float]]:
    """Sort out which splits have a source of their own and which are fractions of train.

    `own` are the splits that the source brings, `wanted` what is asked for by the name of a split.
    Raises `DataError` for a fraction that is out of range.
    """
    parts = dict(own) or {"train": source}
    fractions = {}
    for name, value in wanted.items():
        if value is None:
            continue
        if not isinstance(value, int | float):
            parts[name] = value
        elif not 0 <= value < 1:
            raise DataError(f"{name}={value} must be a fraction from 0 to below 1, e.g. 0.1")
        elif name not in parts:
            fractions[name] = value
    if sum(fractions.values()) >= 1:
        raise DataError(f"{fractions} leave no row to train on; choose smaller fractions")
    return {name: parts[name] for name in ("train", "valid", "test") if name in parts}, fractions


def splits_in_memory(source: Any) -> dict[str, Any]:
    """Return the splits of a mapping of tables, nothing where a source is something else."""
    if isinstance(source, Mapping) and "train" in source and not isinstance(source["train"], list):
        return {split_name(name) or name: table for name, table in source.items()}
    return {}


def own_splits(source: Any, text: str | None = None, target: str | None = None) -> dict[str, Any]:
    """Return the splits that a folder or a mapping of tables brings, if any.

    Two aligned files are one split where `text` and `target` say how they end.
    """
    if not isinstance(source, str | Path):
        return splits_in_memory(source)
    folder = Path(source).expanduser()
    if not folder.is_dir():
        return {}
    aligned = aligned_splits(folder, text, target) if text and target else {}
    return dict(aligned or split_paths(folder))


def with_typed_labels(splits: Mapping[str, Split], untyped: Sequence[str]) -> dict[str, Split]:
    """Infer the type of the labels over all untyped splits at once: a class has one type."""
    inferred = iter(infer([x for name in untyped for x in splits[name].columns["label"]]))
    typed = dict(splits)
    for name in untyped:
        split = splits[name]
        labels = list(islice(inferred, len(split)))
        both = zip(split.rows, split.columns["label"], labels, strict=True)
        spelled = {row: text for row, text, label in both if text != str(label)}
        columns = {**split.columns, "label": labels}
        typed[name] = replace(split, columns=columns, spelled=spelled)
    return typed


def with_known_labels(split: Split, names: Mapping[str, Collection[str]]) -> Split:
    """Return a split whose labels are spelled as a model knows them.

    A table by itself may suggest another type than the one of training: where all labels are "true"
    and "false" they are truth values, and names where a third one was "maybe". `names` are the
    labels that are known, by the head, "" where there are no heads; without any, labels stay.
    """
    if isinstance(split, JoinedSplit):
        parts = {
            head: with_known_labels(part, {"": names.get(head, ())})
            for head, part in split.parts.items()
        }
        return replace(joined_split(parts), name=split.name)
    known = set(names.get("", ()))
    if not known or "label" not in split.columns:
        return split
    both = zip(split.rows, split.columns["label"], strict=True)
    labels = [_known(label, split.spelled.get(row, label), known) for row, label in both]
    return replace(split, columns={**split.columns, "label": labels}, spelled={})


def _known(label: Any, spelled: Any, names: Collection[str]) -> Any:
    """Return the known name of one label, its spelling where there is none."""
    if not isinstance(label, str | int | float) or is_missing(label):
        return label
    text = str(spelled)
    typed = str(infer([text])[0])
    return typed if typed in names and text not in names else text


def refuse_missing_labels(split: Split, column: str) -> None:
    """Raise `DataError` naming the rows of a split that have no label."""
    rows = [index for index, label in enumerate(split.columns["label"]) if is_missing(label)]
    if not rows:
        return
    shown = ", ".join(str(split.rows[index]) for index in rows[:_SHOWN_ROWS])
    more = ", …" if len(rows) > _SHOWN_ROWS else ""
    unanswered = "; if these are questions without an answer, call the column 'answer'"
    raise DataError(
        f"{split.source}: {len(rows):,} of {len(split):,} rows have no label in column {column!r} "
        f"({split.unit} {shown}{more}); label these rows or take them out"
        f"{unanswered if 'pair' in split.columns else ''}"
    )


def hold_out_fractions(
    splits: MutableMapping[str, Split],
    fractions: Mapping[str, float],
    seed: int | None,
    notes: list[str],
    together: str | None = None,
) -> None:
    """Take fractions of the training split away as splits of their own, and note it.

    Rows are chosen by `seed`; without one they are the last, as running text needs it. Those whose
    texts in the role `together` are equal stay on one side: what was learnt about a context would
    help with all of its questions.
    """
    total = len(splits["train"])
    for name in ("test", "valid"):
        if fraction := fractions.get(name):
            count = max(1, round(fraction * total))
            stay, held_out = take_away(splits["train"], name, count, seed, together)
            splits["train"] = stay
            if held_out is None:
                notes.append(f"no {name} split: too few rows to take any away from train")
            else:
                splits[name] = held_out
                how = "from the end of the text" if seed is None else f"(seed {seed})"
                notes.append(f"{name}: {len(held_out):,} rows held out of train {how}")


def take_away(
    split: Split, name: str, count: int, seed: int | None, together: str | None
) -> tuple[Split, Split | None]:
    """Return what stays and what is held out, if a class can spare it.

    Without a seed those are the last rows; what else decides says `hold_out_fractions`.
    """
    if seed is None:
        end = len(split) - count
        stay, leave = list(range(end)), list(range(end, len(split)))
        leave = leave if stay else []
    elif together is not None:
        keys = [text_key(text) for text in split.columns[together]]
        stay, leave = hold_out(keys, None, count, seed)
    else:
        keys = row_keys(split.columns)
        stay, leave = hold_out(keys, split.columns.get("label"), count, seed)
    if not leave:
        return split, None
    return split.take(stay), replace(split.take(leave), name=name)
