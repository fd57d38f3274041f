"""Parts of speech: the English Web Treebank with all-MiniLM-L6-v2 fine-tuned.

    python recipes/ud_ewt.py DATA                   (DATA holds ud-ewt/)

Stanza reaches an accuracy of 0.954 on universal tags from raw text (Qi et al. 2020, UD 2.5).
"""

from __future__ import annotations

import sys
from pathlib import Path

from judged import MINILM, run

import manyheads as mh

RECIPE = mh.Recipe(
    epochs=5,
    learning_rate=4e-4,
    batch_size=16,
    layer_decay=0.9,
    weight_decay=0.05,
    token_dropout=0.05,
    average=0.99,
)


def main(data: Path) -> None:
    """Fine-tune, keep the epoch that validates best, and score the test split."""
    dataset = mh.read(data / "ud-ewt", text="tokens", label="upos")
    run(MINILM, mh.Tagging(), dataset, RECIPE)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
