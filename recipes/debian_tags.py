"""What Debian packages are tagged with, 50 tags: all-MiniLM-L6-v2 fine-tuned, many labels a text.

    python recipes/debian_tags.py DATA              (DATA holds debian-tags/)

Thresholds, one for each tag, are chosen on the validation split for the best F1. A linear model
over words is what it has to beat; the evaluation prints both.
"""

from __future__ import annotations

import sys
from pathlib import Path

from judged import MINILM, run

import manyheads as mh

RECIPE = mh.Recipe(
    epochs=3,
    learning_rate=5e-4,
    batch_size=32,
    max_tokens=80,
    layer_decay=0.9,
    weight_decay=0.05,
    average=0.995,
)


def main(data: Path) -> None:
    """Fine-tune, keep the epoch that validates best, and score the test split."""
    dataset = mh.read(data / "debian-tags", text="text", label="labels")
    run(MINILM, mh.MultiLabel(thresholds=mh.Thresholds()), dataset, RECIPE)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
