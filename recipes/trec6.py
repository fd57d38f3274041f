"""TREC-6 (what a question asks for: six kinds) with all-MiniLM-L6-v2 fine-tuned.

    python recipes/trec6.py DATA                    (DATA holds trec6/)

A CNN over words reaches 0.928 on the test split (Kim 2014), ULMFiT 0.964 (Howard & Ruder 2018).
"""

from __future__ import annotations

import sys
from pathlib import Path

from judged import MINILM, run

import manyheads as mh

RECIPE = mh.Recipe(
    epochs=8,
    learning_rate=2e-4,
    batch_size=32,
    layer_decay=0.9,
    weight_decay=0.05,
    token_dropout=0.15,
    average=0.995,
)


def main(data: Path) -> None:
    """Fine-tune, keep the epoch that validates best, and score the test split."""
    dataset = mh.read(data / "trec6", text="text", label="label")
    run(MINILM, mh.Classification(label_smoothing=0.1), dataset, RECIPE)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
