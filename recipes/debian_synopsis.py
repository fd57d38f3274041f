"""From the description of a Debian package to its synopsis of one line, from scratch.

python recipes/debian_synopsis.py DATA [OUT]      (DATA holds debian-synopsis/)
"""

from __future__ import annotations

import sys
from pathlib import Path

from written import RECIPE, pairs, run

import manyheads as mh
from manyheads.generate import Settings

SETTINGS = ("epochs=6", "max_tokens=64", "batch_tokens=1024", "learning_rate=1e-3")
MODEL = mh.ScratchSeq2Seq(
    layers=3,
    width=256,
    heads=4,
    feedforward=512,
    dropout=0.1,
    max_tokens=96,
    tokenizer=mh.BytePair(vocabulary=8_000, lowercase=False),
)


def main(data: Path, out: Path | None) -> None:
    """Train on all rows, and summarize the test split with four beams."""
    dataset = pairs(data / "debian-synopsis", "text", "summary")
    task = mh.Summarization(search=Settings(mh.Beam(4), max_tokens=32))
    run(MODEL, task, dataset, RECIPE.with_settings(SETTINGS), out)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
