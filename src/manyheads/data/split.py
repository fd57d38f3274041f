"""Hold rows out of the training data: stratified, seeded, and without leakage.

Rows of the same text or image are kept together: one that is in both train and test would let the
model recite what it should infer.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

from manyheads.data.dataset import are_numbers, is_missing, label_items
from manyheads.image import image_key

_QUANTILES = 10
_FEW_ROWS = 20
_SEPARATORS = ("|", ";", ",")  # of several classes in one cell


def text_key(text: str, pair: str | None = None) -> str:
    """Return a key that is equal for texts that differ only in case and white space."""
    key = " ".join(text.casefold().split())
    return key if pair is None else f"{key}\n{text_key(pair)}"


def row_keys(columns: Mapping[str, Sequence[Any]]) -> list[str]:
    """Return one key per row, equal for rows of the same text, pair of texts, or image."""
    if "image" in columns:
        return [image_key(image) for image in columns["image"]]
    texts = columns["text"]
    pairs = columns.get("pair") or [None] * len(texts)
    return [text_key(*both) for both in zip(texts, pairs, strict=True)]


def hold_out(
    keys: Sequence[Hashable], labels: Sequence[Any] | None, count: int, seed: int
) -> tuple[list[int], list[int]]:
    """Choose about ``count`` rows to hold out; rows of equal key go to the same side.

    Every class gives its share, to the nearest row. A class never leaves the training side
    altogether, so a class of one row stays, and fewer rows may be held out than asked for.

    Args:
        keys: one per row, equal for rows of the same text or image.
        labels: one per row: classes, lists of classes or numbers; None for an unstratified choice.
        count: how many rows to hold out.
        seed: of the choice; the same seed and rows give the same answer on every machine.

    Returns:
        The positions that stay and the positions held out, both ascending.
    """
    groups = _groups(keys)
    strata = None if labels is None else strata_of(labels, groups)
    classes = None if labels is None else _classes_in(labels, groups)
    return _hold_out(
        groups,
        [None] * len(groups) if strata is None else strata,
        [set() for _ in groups] if classes is None else classes,
        count,
        seed,
    )


def hold_out_together(
    keys: Sequence[Hashable], columns: Sequence[Sequence[Any]], count: int, seed: int
) -> tuple[list[int], list[int]]:
    """Choose rows as `hold_out` does where each has a label in several columns, or None.

    What is spread evenly is how the classes of all columns go together, and no class of any column
    leaves the training side altogether.
    """
    groups = _groups(keys)
    strata: list[tuple[Hashable, ...]] = [()] * len(groups)
    classes: list[set[Hashable]] = [set() for _ in groups]
    for number, labels in enumerate(columns):
        found = _classes_in(labels, groups)
        if found is None:
            continue
        own = strata_of(labels, groups) or []
        strata = [(*before, one) for before, one in zip(strata, own, strict=True)]
        for known, more in zip(classes, found, strict=True):
            known |= {(number, one) for one in more}
    # What goes together but once would have to stay: such rows are spread like one class.
    counts = Counter(strata)
    spread = [one if counts[one] > 1 else None for one in strata]
    return _hold_out(groups, spread, classes, count, seed)


def _groups(keys: Sequence[Hashable]) -> list[list[int]]:
    """Return the positions of each key, by its first one."""
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for position, key in enumerate(keys):
        groups[key].append(position)
    return list(groups.values())


def _hold_out(
    groups: list[list[int]],
    strata: Sequence[Hashable],
    classes: Sequence[set[Hashable]],
    count: int,
    seed: int,
) -> tuple[list[int], list[int]]:
    """Let every stratum give its share of whole groups, without the last one of any class."""
    by_stratum: dict[Hashable, list[int]] = defaultdict(list)
    for number, stratum in enumerate(strata):
        by_stratum[stratum].append(number)
    total = sum(map(len, groups))
    shuffler = random.Random(f"hold out {seed}")
    members = [[groups[number] for number in numbers] for numbers in by_stratum.values()]
    quotas = _quotas(members, count, total, shuffler)
    left = Counter(one for own in classes for one in own)
    chosen: set[int] = set()
    for numbers, quota in zip(by_stratum.values(), quotas, strict=True):
        chosen.update(_choose(numbers, groups, classes, left, quota, shuffler))
    return [i for i in range(total) if i not in chosen], sorted(chosen)


def strata_of(labels: Sequence[Any], groups: list[list[int]]) -> list[Hashable] | None:
    """Return one stratum per group, or None when there is nothing to spread evenly.

    A list of classes, or of tagged words, counts as its rarest one, so that rare classes are spread
    evenly; numbers are cut into tenths. Answers have no strata.
    """
    firsts = [labels[group[0]] for group in groups]
    if (classes := _classes_of(firsts)) is not None:
        return _rarest([classes(label) for label in firsts])
    if any(isinstance(label, Mapping) for label in firsts):
        return None
    if len(set(firsts)) > 2 * _QUANTILES or _hardly_repeat(firsts):
        return _quantiles(firsts)
    return [str(label) for label in firsts]


def _classes_in(labels: Sequence[Any], groups: list[list[int]]) -> list[set[Hashable]] | None:
    """Return the classes of the rows of each group, or None where labels are not classes."""
    classes = _classes_of([labels[group[0]] for group in groups])
    if classes is None:
        return None
    return [{one for row in group for one in classes(labels[row])} for group in groups]


def _classes_of(labels: Sequence[Any]) -> Callable[[Any], list[str]] | None:
    """Return what names the classes of such a label, or None where they are numbers or answers.

    Integers are the names of classes unless they hardly ever repeat, as prices and years do.
    Strings are, too; but where they hardly ever repeat, each may name several classes, as in "a|b".
    """
    present = [label for label in labels if not is_missing(label)]
    kinds = {type(label) for label in present}
    if are_numbers(present) or any(issubclass(kind, Mapping) for kind in kinds):
        return None
    hardly_repeat = kinds in ({int}, {str}) and _hardly_repeat(present)
    if hardly_repeat and kinds == {int}:
        return None
    separator = _separator(present) if hardly_repeat else None

    def classes(label: Any) -> list[str]:
        if separator is not None and isinstance(label, str):
            return _parts(label, separator)
        return [str(one) for one in label_items([label]) if not is_missing(one)]

    return classes


def _hardly_repeat(labels: Sequence[Any]) -> bool:
    """Whether more than half of many labels are different."""
    return len(labels) >= _FEW_ROWS and len(set(map(str, labels))) > len(labels) / 2


def _separator(labels: Sequence[str]) -> str | None:
    """Return what stands between the classes of one label, if the parts of labels do repeat."""
    for separator in _SEPARATORS:
        parts = [part for label in labels for part in _parts(label, separator)]
        if len(parts) > len(labels) and len(set(parts)) <= len(labels) / 2:
            return separator
    return None


def _parts(label: str, separator: str) -> list[str]:
    return [part.strip() for part in label.split(separator) if part.strip()]


def _rarest(classes: Sequence[Sequence[str]]) -> list[Hashable]:
    counts = Counter(one for own in classes for one in own)
    return [min(own, key=lambda one: (counts[one], one), default="") for own in classes]


def _quantiles(numbers: Sequence[float]) -> list[Hashable]:
    order = sorted(range(len(numbers)), key=numbers.__getitem__)
    quantile = [0] * len(numbers)
    for rank, position in enumerate(order):
        quantile[position] = rank * _QUANTILES // len(numbers)
    return list(quantile)


def _quotas(
    strata: list[list[list[int]]], count: int, total: int, shuffler: random.Random
) -> list[int]:
    """Share ``count`` rows out by the largest remainder; ties are drawn by lot."""
    shares = [sum(map(len, groups)) * count / total for groups in strata]
    quotas = [int(share) for share in shares]
    lots = [shuffler.random() for _ in strata]
    # a stratum of one group must stay, so a row that it cannot give is given by another
    able = [i for i, groups in enumerate(strata) if len(groups) > 1]
    able.sort(key=lambda i: (quotas[i] - shares[i], lots[i]))
    for i in able[: count - sum(quotas)]:
        quotas[i] += 1
    return quotas


def _choose(
    numbers: list[int],
    groups: list[list[int]],
    classes: Sequence[set[Hashable]],
    left: Counter[Hashable],
    quota: int,
    shuffler: random.Random,
) -> list[int]:
    """Draw whole groups that fit into the quota; one stays, and one of each class.

    `left` counts the groups of each class that stay, and is kept up to date.
    """
    order = list(range(len(numbers)))
    shuffler.shuffle(order)
    chosen: list[int] = []
    for place in order[:-1]:
        group, own = groups[numbers[place]], classes[numbers[place]]
        if len(chosen) + len(group) <= quota and all(left[one] > 1 for one in own):
            chosen += group
            left.subtract(own)
    return chosen
