"""Penn Treebank, word by word, from scratch in thirty CPU minutes.

    python recipes/ptb.py DATA [OUT]      (DATA holds ptb/)

Published test perplexities, of far longer training: LSTM 78 to 83, AWD-LSTM 58.8. The vocabulary is
Mikolov's 10,000 words, every line ends with one end token, and every word counts, also <unk>.
"""

from __future__ import annotations

import sys
from pathlib import Path

from written import fit

import manyheads as mh

# A million words are soon learnt by heart: half of what layers say is dropped.
RECIPE = mh.Recipe(
    epochs=6,
    learning_rate=3e-3,
    schedule="cosine",
    warmup=0.05,
    betas=(0.9, 0.98),
    batch_size=None,
    batch_tokens=2_048,
    max_tokens=96,
    weight_decay=0.1,
    average=0.998,
    threads=1,
)
MODEL = mh.ScratchDecoder(
    layers=3, width=192, heads=4, max_tokens=96, dropout=0.3, tokenizer=mh.Words()
)


def main(data: Path, out: Path | None) -> None:
    """Train on all of the training split, and score the test split with overlapping windows."""
    folder = data / "ptb"
    dataset = mh.read(
        folder / "train.txt.gz", valid=folder / "valid.txt.gz", test=folder / "test.txt.gz"
    )
    learner = mh.Learner(MODEL, mh.LanguageModel(), dataset, RECIPE)
    fit(learner)
    print(learner.evaluate("valid"))
    print(learner.evaluate("test"))
    if out is not None:
        learner.predictor().save(out)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
