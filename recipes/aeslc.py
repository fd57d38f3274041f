"""From the body of an e-mail to its subject line, from scratch (AESLC, Zhang & Tetreault 2019).

    python recipes/aeslc.py DATA [OUT]      (DATA holds aeslc/)

Published for models of the time: ROUGE-1/2/L 23.7 / 10.3 / 23.4. These are e-mails of real people,
so that no samples are shown.
"""

from __future__ import annotations

import sys
from pathlib import Path

from written import RECIPE, pairs, run

import manyheads as mh
from manyheads.generate import Settings

SETTINGS = ("epochs=6", "max_tokens=128", "batch_tokens=1024", "learning_rate=1e-3")
MODEL = mh.ScratchSeq2Seq(
    layers=3,
    width=256,
    heads=4,
    feedforward=512,
    dropout=0.3,
    max_tokens=128,
    tokenizer=mh.BytePair(vocabulary=8_000, lowercase=False),
)


def main(data: Path, out: Path | None) -> None:
    """Train on all e-mails, and write the subjects of the test split with four beams."""
    dataset = pairs(data / "aeslc", "body", "subject")
    task = mh.Summarization(search=Settings(mh.Beam(4), max_tokens=24))
    run(MODEL, task, dataset, RECIPE.with_settings(SETTINGS), out, shown=0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
