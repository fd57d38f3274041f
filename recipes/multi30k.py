"""Multi30k, English to German, from scratch: a small Transformer and its own vocabulary.

    python recipes/multi30k.py DATA [OUT]       (DATA holds multi30k-en-de/)

A text-only Transformer-Tiny is published with 41.0 BLEU on test 2016, lower-cased and tokenised.
"""

from __future__ import annotations

import sys
from pathlib import Path

from written import RECIPE, pairs, run

import manyheads as mh
from manyheads.generate import Settings

SETTINGS = ("epochs=10", "max_tokens=128", "batch_tokens=1024", "learning_rate=1e-3")
MODEL = mh.ScratchSeq2Seq(
    layers=3,
    width=256,
    heads=4,
    feedforward=512,
    dropout=0.2,
    max_tokens=128,
    tokenizer=mh.BytePair(vocabulary=6_000, lowercase=False),
)


def main(data: Path, out: Path | None) -> None:
    """Train on 29,000 captions, and translate the test split of 2016 with five beams."""
    dataset = pairs(data / "multi30k-en-de", "en", "de", test="test_2016_flickr")
    task = mh.Translation(language="de", search=Settings(mh.Beam(5), max_tokens=100))
    run(MODEL, task, dataset, RECIPE.with_settings(SETTINGS), out)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
