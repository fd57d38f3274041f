"""Hold rows out of the training data: stratified, seeded, and without leakage.

Rows of the same text or image are kept together: one that is in both train and test would let the
model recite what it should infer.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from manyheads.data.dataset import are_numbers, label_items
from manyheads.image import image_key

_QUANTILES = 10
_FEW_ROWS = 20


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
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for position, key in enumerate(keys):
        groups[key].append(position)
    strata = strata_of(labels, list(groups.values())) if labels is not None else None
    by_stratum: dict[Hashable, list[list[int]]] = defaultdict(list)
    for number, group in enumerate(groups.values()):
        by_stratum[strata[number] if strata is not None else None].append(group)
    shuffler = random.Random(f"hold out {seed}")
    quotas = _quotas(list(by_stratum.values()), count, len(keys), shuffler)
    held_out: list[int] = []
    for members, quota in zip(by_stratum.values(), quotas, strict=True):
        held_out += _choose(members, quota, shuffler)
    chosen = set(held_out)
    return [i for i in range(len(keys)) if i not in chosen], sorted(held_out)


def strata_of(labels: Sequence[Any], groups: list[list[int]]) -> list[Hashable] | None:
    """Return one stratum per group, or None when the labels are not classes.

    A list of classes, or of tagged words, counts as its rarest one, so that rare classes are spread
    evenly; numbers are cut into tenths. Labels that hardly ever repeat, such as translations, have
    no strata.
    """
    firsts = [labels[group[0]] for group in groups]
    if any(isinstance(label, list | tuple) or hasattr(label, "kinds") for label in firsts):
        strata = _rarest_classes(firsts)
    elif are_numbers(firsts) and len(set(firsts)) > 2 * _QUANTILES:
        strata = _quantiles(firsts)
    else:
        strata = [str(label) for label in firsts]
    hardly_repeat = len(groups) >= _FEW_ROWS and len(set(strata)) > len(groups) / 2
    return None if hardly_repeat else strata


def _rarest_classes(labels: Sequence[Any]) -> list[Hashable]:
    lists = [list(label_items([label])) for label in labels]
    counts = Counter(str(item) for items in lists for item in items)
    return [
        min(map(str, items), key=lambda item: (counts[item], item), default="") for items in lists
    ]


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


def _choose(groups: list[list[int]], quota: int, shuffler: random.Random) -> list[int]:
    """Draw whole groups that fit into the quota; at least one group stays."""
    order = list(range(len(groups)))
    shuffler.shuffle(order)
    chosen: list[int] = []
    for number in order[:-1]:
        if len(chosen) + len(groups[number]) <= quota:
            chosen += groups[number]
    return chosen
