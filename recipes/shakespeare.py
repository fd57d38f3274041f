"""Tiny Shakespeare, character by character, from scratch in three CPU minutes.

    python recipes/shakespeare.py DATA [OUT]      (DATA holds tiny-shakespeare/)

nanoGPT publishes a validation loss of 1.88 nats a character for its small run on CPU.
"""

from __future__ import annotations

import sys
from pathlib import Path

from written import fit

import manyheads as mh

RECIPE = mh.Recipe(
    epochs=1.2,
    learning_rate=6e-3,
    schedule="cosine",
    warmup=0.05,
    betas=(0.9, 0.99),
    batch_size=None,
    batch_tokens=1_536,
    max_tokens=96,
    weight_decay=0.1,
    average=0.99,
    threads=1,
)
MODEL = mh.ScratchDecoder(
    layers=4, width=128, heads=4, max_tokens=96, dropout=0.0, tokenizer=mh.Characters()
)


def main(data: Path, out: Path | None) -> None:
    """Train on the first nine tenths of the text, and write a little of one's own."""
    folder = data / "tiny-shakespeare"
    dataset = mh.read(folder / "train.txt.gz", valid=folder / "valid.txt.gz")
    learner = mh.Learner(MODEL, mh.LanguageModel(separator="\n"), dataset, RECIPE)
    fit(learner)
    evaluation = learner.evaluate()
    print(evaluation)
    print(f"validation loss {evaluation.loss:.4f} nats a character")
    predictor = learner.predictor()
    print(predictor("ROMEO:\n", mh.Wording(mh.Sample(0.8), max_tokens=80)))
    if out is not None:
        predictor.save(out)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
