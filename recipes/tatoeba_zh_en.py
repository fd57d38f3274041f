"""Chinese to English from scratch, with 26,000 short sentence pairs of Tatoeba.

python recipes/tatoeba_zh_en.py DATA [OUT]      (DATA holds tatoeba-cmn-eng/)
"""

from __future__ import annotations

import sys
from pathlib import Path

from written import run

import manyheads as mh
from manyheads.generate import Settings

# Little text: strong dropout, and words in other pieces each time they are read.
RECIPE = mh.Recipe(
    epochs=20,
    learning_rate=1.5e-3,
    schedule="cosine",
    warmup=0.08,
    betas=(0.9, 0.98),
    batch_size=None,
    batch_tokens=4_096,
    max_tokens=96,
    average=0.998,
    subword_dropout=0.1,
    metric="loss",
)
# Chinese is read character by character, most of them whole tokens; English in pieces of words.
MODEL = mh.ScratchSeq2Seq(
    layers=3,
    width=256,
    heads=4,
    feedforward=512,
    dropout=0.3,
    max_tokens=96,
    tokenizer=mh.Characters(),
    target_tokenizer=mh.BytePair(vocabulary=4_000, lowercase=False),
)


def main(data: Path, out: Path | None) -> None:
    """Train on all pairs, and translate the test split with five beams."""
    folder = data / "tatoeba-cmn-eng"
    dataset = mh.read(
        folder / "train.jsonl.gz",
        text="zh",
        target="en",
        valid=folder / "valid.jsonl.gz",
        test=folder / "test.jsonl.gz",
    )
    task = mh.Translation(language="en", search=Settings(mh.Beam(5), max_tokens=64))
    run(MODEL, task, dataset, RECIPE, out)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
