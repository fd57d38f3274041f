"""Chinese to English from scratch, with 26,000 short sentence pairs of Tatoeba.

python recipes/tatoeba_zh_en.py DATA [OUT]      (DATA holds tatoeba-cmn-eng/)
"""

from __future__ import annotations

import sys
from pathlib import Path

from written import RECIPE, pairs, run

import manyheads as mh
from manyheads.generate import Settings

# Little text: strong dropout, and words in other pieces each time they are read.
SETTINGS = ("epochs=20", "max_tokens=96", "subword_dropout=0.1")
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
    dataset = pairs(data / "tatoeba-cmn-eng", "zh", "en")
    task = mh.Translation(language="en", search=Settings(mh.Beam(5), max_tokens=64))
    run(MODEL, task, dataset, RECIPE.with_settings(SETTINGS), out)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
