"""Folds for cross-validation: each row is held out once, and is never learnt from then.

Rows of the same text or image are in one fold, and so are all questions about one context. Labels
are spread evenly by scikit-learn's splitters; plain texts, which go on with each other, lie in
blocks.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from manyheads.data.dataset import Dataset, Split
from manyheads.data.questions import holds_questions
from manyheads.data.split import row_keys, strata_of, text_key
from manyheads.data.splits import take_away
from manyheads.errors import DataError, MissingExtra


def cross_folds(
    data: Dataset,
    folds: int,
    seed: int = 0,
    *,
    every_class: bool = False,
    together: str | None = None,
) -> list[Dataset]:
    """Return a data set for each fold, which is the test split; the others are train and valid.

    What is dealt out are the rows of `pool`, and as large a share of each fold's other rows
    validates as does in `data`. A validation split with a source of its own stays as it is. The
    test split of `data` is in none. With `every_class`, labels are classes, each of which must be
    in every fold; rows whose texts in the role `together` are equal are in one, as are questions
    about one context. Raises `DataError` for fewer than 2 folds or more than there are rows (of a
    class), `MissingExtra` without scikit-learn.
    """
    rows = pool(data)
    own_valid = rows is data.train
    share = 0.0 if own_valid or data.valid is None else len(data.valid) / len(rows)
    if together is None and holds_questions(rows, data.names):
        together = "pair"
    is_plain = rows.columns.keys() == {"text"}
    sets = []
    for held_out in _deal(rows, folds, seed, together, every_class):
        chosen = set(held_out)
        train = rows.take(row for row in range(len(rows)) if row not in chosen)
        valid = data.valid if own_valid else None
        if share:
            count = max(1, round(share * len(train)))
            train, valid = take_away(train, "valid", count, None if is_plain else seed, together)
        test = replace(rows.take(held_out), name="test")
        sets.append(Dataset(train, valid, test, data.names))
    return sets


def pool(data: Dataset) -> Split:
    """Return the training rows, and those that were held out of them to validate, as they stood."""
    train, valid = data.train, data.valid
    if valid is None or valid.source != train.source or set(valid.rows) & set(train.rows):
        return train
    files = [*train.files, *valid.files] if train.files and valid.files else None
    columns = {role: [*values, *valid.columns[role]] for role, values in train.columns.items()}
    both = replace(train, rows=[*train.rows, *valid.rows], columns=columns, files=files)
    return both.take(sorted(range(len(both)), key=both.rows.__getitem__))


def _deal(
    rows: Split, folds: int, seed: int, together: str | None, every_class: bool
) -> list[list[int]]:
    """Return the positions of each fold's rows, ascending."""
    if folds < 2:
        raise DataError(f"folds={folds} holds nothing out; choose at least 2 (5 or 10 are usual)")
    keys = row_keys(rows.columns)
    if together is not None:
        keys = [text_key(text) for text in rows.columns[together]]
    by_key: dict[str, list[int]] = defaultdict(list)
    for row, key in enumerate(keys):
        by_key[key].append(row)
    groups = list(by_key.values())
    if folds > len(groups):
        raise DataError(
            f"folds={folds} is more than the {len(groups)} different "
            f"{f'values of {together!r}' if together else 'rows'} of {rows.source}; choose fewer"
        )
    labels = None if together else rows.columns.get("label")
    if labels is not None and every_class:
        _refuse_rare(labels, groups, folds, rows.source)
    strata = None if labels is None else strata_of(labels, groups)
    in_blocks = rows.columns.keys() == {"text"}
    dealt = _split(len(groups), strata, folds, None if in_blocks else seed)
    return [sorted(row for group in fold for row in groups[group]) for fold in dealt]


def _refuse_rare(labels: Sequence[Any], groups: list[list[int]], folds: int, source: str) -> None:
    """Raise `DataError` naming the rarest class where it cannot be in every fold."""
    counts = Counter(str(labels[group[0]]) for group in groups)
    label, count = min(counts.items(), key=lambda item: item[1])
    if count == 1:
        raise DataError(
            f"only one row of {source} has the label {label!r}, which cannot be both learnt and "
            "held out; label more such rows, or take it out"
        )
    if count < folds:
        raise DataError(
            f"folds={folds} is more than the {count} different rows of {source} with the label "
            f"{label!r}; choose at most {count}, or label more such rows"
        )


def _split(
    count: int, strata: Sequence[Any] | None, folds: int, seed: int | None
) -> list[list[int]]:
    """Return which of `count` groups are in each fold, in blocks without a seed."""
    try:
        from sklearn.model_selection import KFold, StratifiedKFold
    except ImportError:
        raise MissingExtra("scikit-learn", "eval", "cross-validation") from None

    groups = list(range(count))
    if seed is None:
        return [held_out.tolist() for _, held_out in KFold(folds).split(groups)]
    names = [str(one) for one in strata or groups]
    counts = Counter(names)
    commonest = max(counts, key=counts.__getitem__)
    splitter = (KFold if counts[commonest] < folds else StratifiedKFold)(
        folds, shuffle=True, random_state=seed
    )
    # What is too rare for every fold is spread like what there is most of.
    names = [name if counts[name] >= folds else commonest for name in names]
    return [held_out.tolist() for _, held_out in splitter.split(groups, names)]
