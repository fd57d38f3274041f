"""English to Italian from scratch, with 60,000 descriptions of Debian packages.

python recipes/debian_it.py DATA [OUT]      (DATA holds debian-en-it/)
"""

from __future__ import annotations

import sys
from pathlib import Path

from written import RECIPE, pairs, run

import manyheads as mh
from manyheads.generate import Settings

SETTINGS = ("epochs=3", "max_tokens=160", "batch_tokens=1024", "learning_rate=1e-3")
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
    dataset = pairs(data / "debian-en-it", "en", "it")
    task = mh.Translation(language="it", search=Settings(mh.Beam(5), max_tokens=160))
    run(MODEL, task, dataset, RECIPE.with_settings(SETTINGS), out)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
