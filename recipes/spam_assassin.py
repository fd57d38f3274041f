"""Spam or not: the SpamAssassin mails with all-MiniLM-L6-v2 fine-tuned.

    python recipes/spam_assassin.py DATA            (DATA holds spam-assassin/)

The subject stands before the text, of which beginning and end are read. Naive Bayes over words
and pairs of words reaches 0.965 on the test split.
"""

from __future__ import annotations

import sys
from pathlib import Path

from judged import MINILM, run

import manyheads as mh
from manyheads.data import read_table

RECIPE = mh.Recipe(
    epochs=2,
    learning_rate=1.5e-4,
    batch_size=16,
    max_tokens=256,
    truncation="head_tail",
    layer_decay=0.9,
    weight_decay=0.05,
    average=0.99,
)


def read(folder: Path) -> mh.Dataset:
    """Return the mails with their subjects as first lines."""
    splits = {}
    for name in ("train", "valid", "test"):
        columns = read_table(folder / f"{name}.jsonl.gz").columns
        mails = zip(columns["subject"], columns["text"], strict=True)
        splits[name] = {
            "text": [f"{subject or ''}\n{text}" for subject, text in mails],
            "label": columns["label"],
        }
    return mh.read(splits, text="text", label="label")


def main(data: Path) -> None:
    """Fine-tune, keep the epoch that validates best, and score the test split."""
    run(MINILM, mh.Classification(), read(data / "spam-assassin"), RECIPE)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
