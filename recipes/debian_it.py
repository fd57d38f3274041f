"""English to Italian from scratch, with 60,000 descriptions of Debian packages.

python recipes/debian_it.py DATA [OUT]      (DATA holds debian-en-it/)
"""

from __future__ import annotations

import sys
from pathlib import Path

from written import run

import manyheads as mh
from manyheads.generate import Settings

RECIPE = mh.Recipe(
    epochs=6,
    learning_rate=1.5e-3,
    schedule="cosine",
    warmup=0.08,
    betas=(0.9, 0.98),
    batch_size=None,
    batch_tokens=4_096,
    max_tokens=160,
    average=0.998,
    metric="loss",
)
MODEL = mh.ScratchSeq2Seq(
    layers=3,
    width=256,
    heads=4,
    feedforward=512,
    dropout=0.1,
    max_tokens=160,
    tokenizer=mh.BytePair(vocabulary=8_000, lowercase=False),
)


def main(data: Path, out: Path | None) -> None:
    """Train on all pairs, and translate the test split with five beams."""
    folder = data / "debian-en-it"
    dataset = mh.read(
        folder / "train.jsonl.gz",
        text="en",
        target="it",
        valid=folder / "valid.jsonl.gz",
        test=folder / "test.jsonl.gz",
    )
    task = mh.Translation(language="it", search=Settings(mh.Beam(5), max_tokens=160))
    run(MODEL, task, dataset, RECIPE, out)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
