"""Questions about a context, with the answers that stand in it: what is particular to such rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from manyheads.data.dataset import Split, is_missing

ANSWER_NAMES = ("answers", "answer")


def holds_questions(split: Split, names: Mapping[str, str]) -> bool:
    """Whether rows are questions (text) about contexts (pair), and labels are their answers.

    They are where the column of labels is called so, or holds answers with places as SQuAD does.
    """
    if not {"pair", "label"} <= split.columns.keys():
        return False
    if names.get("label", "").lower() in ANSWER_NAMES:
        return True
    return any(isinstance(label, Mapping) and "text" in label for label in split.columns["label"])


def answer_texts(label: Any) -> Iterator[str]:
    """Yield the texts of the answers in a label of any form; none where there is no answer."""
    if isinstance(label, Mapping):
        yield from answer_texts(label.get("text"))
    elif isinstance(label, list | tuple):
        for one in label:
            yield from answer_texts(one)
    elif isinstance(label, str) and not is_missing(label):
        yield label
